import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp, ttest_ind

from driftrec.agents.significance import holm, paired_p_values


def test_the_example_of_holm() -> None:
    # .01 * 4, .02 * 3 and then no less than before: 2 * .03 = .06 is .06, 1 * .04 becomes .06.
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.03, 0.02])), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm(np.array([0.6, 0.7])), [1, 1])
    np.testing.assert_allclose(holm(np.array([0.01, np.nan, 0.02])), [0.02, np.nan, 0.02])
    assert len(holm(np.array([]))) == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_lies_between_the_p_value_and_bonferroni(values: list[float]) -> None:
    p_values = np.array(values)
    adjusted = holm(p_values)
    assert (adjusted >= p_values).all()
    assert (adjusted <= np.minimum(len(values) * p_values, 1) + 1e-12).all()
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()


def test_holm_seldom_rejects_anything_that_is_true() -> None:
    rng = np.random.default_rng(0)
    rejected = [holm(rng.random(50)).min() < 0.05 for _ in range(2000)]
    # Binomial: 5% of 2000 is 100, standard deviation 9.7.
    assert abs(sum(rejected) - 100) < 35


def test_one_training_each_is_student_s_test() -> None:
    differences = np.random.default_rng(1).normal(0.1, 1, size=(40, 3))
    expected = ttest_1samp(differences, 0).pvalue
    np.testing.assert_allclose(paired_p_values(differences), expected, rtol=1e-9)


def test_trainings_that_differ_are_welch_s_test() -> None:
    # Users who are all alike: only the trainings differ, and the pairing brings nothing.
    rng = np.random.default_rng(2)
    one, other = rng.normal(size=4), rng.normal(0.5, 2, size=6)
    variances = np.array([one.var(ddof=1) / 4, other.var(ddof=1) / 6])
    freedom = variances.sum() ** 2 / (variances**2 / np.array([3, 5])).sum()
    got = paired_p_values(
        np.full((30, 1), one.mean() - other.mean()), variances.sum(keepdims=True), freedom
    )
    assert got[0] == pytest.approx(ttest_ind(one, other, equal_var=False).pvalue)


def test_what_there_is_no_doubt_about() -> None:
    got = paired_p_values(np.array([[0.0, 1], [0, 1], [0, 1]]))
    np.testing.assert_allclose(got, [1, 0])
    assert np.isnan(paired_p_values(np.ones((1, 1)))).all()


def click_rates(rng: np.random.Generator, users: int, tests: int, gain: float) -> np.ndarray:
    """Differences in CTR over 20 requests of users who differ, `(users, tests)`."""
    chance = rng.beta(1, 4, size=(users, tests))
    one, other = rng.binomial(20, np.array([chance + gain * (1 - chance), chance])) / 20
    return np.asarray(one - other)


def test_it_rejects_as_often_as_it_says_where_nothing_differs() -> None:
    differences = click_rates(np.random.default_rng(3), users=60, tests=4000, gain=0.0)
    p_values = paired_p_values(differences)
    for level in (0.01, 0.05, 0.2):
        # Binomial with 4000 tests; the standard deviation of the share at .05 is .0034.
        assert (p_values < level).mean() == pytest.approx(level, abs=4 * (level / 4000) ** 0.5)


def test_it_agrees_with_the_flipping_of_signs() -> None:
    rng = np.random.default_rng(4)
    differences = click_rates(rng, users=300, tests=12, gain=0.02)
    flips = rng.choice([-1.0, 1.0], size=(20_000, 300)) @ differences
    flipped = (np.abs(flips) >= np.abs(differences.sum(0)) - 1e-9).mean(0)
    got = paired_p_values(differences)
    np.testing.assert_allclose(got, flipped, atol=0.012)
    assert got.min() < 0.05 < got.max()
