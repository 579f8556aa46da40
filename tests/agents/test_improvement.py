import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, norm

from driftrec.agents.improvement import improvement, improvement_of_runs

SCORES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40)


@given(SCORES, st.integers(0, 2**32 - 1))
def test_of_two_policies_one_does_better_or_the_other(pairs: list[tuple[int, int]], seed: int):
    one, other = np.array(pairs, float).T
    weights = np.random.default_rng(seed).integers(0, 3, (4, len(pairs))).astype(np.float32)
    weights[:, 0] += 1
    total = improvement(one, other, weights) + improvement(other, one, weights)
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_ties_count_half() -> None:
    one, other = np.array([1.0, 2, 3, 4]), np.array([1.0, 1, 1, 9])
    assert improvement(one, other, np.ones((1, 4))) == pytest.approx((0.5 + 1 + 1 + 0) / 4)
    assert improvement(one, other, np.array([[0.0, 1, 0, 3]])) == pytest.approx(1 / 4)


@given(SCORES)
def test_of_runs_it_is_the_statistic_of_mann_and_whitney(pairs: list[tuple[int, int]]) -> None:
    one, other = np.array(pairs, float).T
    expected = mannwhitneyu(one, other, method="asymptotic").statistic / len(pairs) ** 2
    assert improvement_of_runs([one], [other]) == pytest.approx(expected)


def test_two_normal_laws() -> None:
    rng = np.random.default_rng(0)
    one, other = 0.5 + rng.normal(size=4000), rng.normal(size=4000)
    truth = norm.cdf(0.5 / 2**0.5)
    assert improvement(one, other, np.ones((1, 4000))) == pytest.approx(truth, abs=0.03)
    assert improvement_of_runs([one], [other]) == pytest.approx(truth, abs=0.03)
