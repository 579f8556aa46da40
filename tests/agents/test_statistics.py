import numpy as np
import pytest
from scipy.stats import trim_mean

from driftrec.agents.statistics import (
    Interval,
    interquartile_mean,
    linear_draws,
    pooled_quantile,
    ratio,
    seed_weights,
    user_weights,
    weighted_mean,
)


def repeated(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.repeat(values, counts.astype(int))


def weighted_quantile(values: np.ndarray, weights: np.ndarray, share: float) -> np.ndarray:
    """The definition, by one sort of all values."""
    order = np.argsort(values)
    below = np.cumsum(weights[:, order], axis=1)
    first = (below >= share * below[:, -1:] - 1e-9).argmax(axis=1)
    return np.where(below[:, -1] > 0, values[order][first], np.nan)


def test_interquartile_mean_is_that_of_the_middle_half() -> None:
    assert interquartile_mean(np.array([7.0, 0, 1, 6, 2, 5, 3, 4])) == pytest.approx(3.5)
    assert interquartile_mean(np.array([0.0, 0, 1, 100])) == pytest.approx(0.5)
    values = np.random.default_rng(0).lognormal(size=400)
    assert interquartile_mean(values)[0] == pytest.approx(trim_mean(values, 0.25))


def test_a_value_astride_a_quartile_counts_in_part() -> None:
    # Of five values the middle half holds the third whole and 3/4 of the second and the fourth.
    assert interquartile_mean(np.array([0.0, 1, 2, 4, 9]))[0] == pytest.approx(
        (0.75 * 1 + 2 + 0.75 * 4) / 2.5
    )


def test_weights_stand_for_repeated_users() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=30)
    weights = rng.integers(0, 4, size=(5, 30)).astype(np.float32)
    for row, middle in zip(weights, interquartile_mean(values, weights), strict=True):
        assert middle == pytest.approx(interquartile_mean(repeated(values, row))[0])
    for row, median in zip(weights, weighted_quantile(values, weights, 0.5), strict=True):
        assert median == np.quantile(repeated(values, row), 0.5, method="inverted_cdf")
    np.testing.assert_allclose(
        weighted_mean(values, weights), [repeated(values, row).mean() for row in weights], rtol=1e-5
    )


@pytest.mark.parametrize("values", [1, 7, 500])
def test_the_quantile_of_pooled_values_is_that_of_all_of_them(values: int) -> None:
    rng = np.random.default_rng(5)
    user, value = rng.integers(0, 20, values), np.round(rng.lognormal(size=values), 1)
    weights = rng.integers(0, 3, size=(30, 20)).astype(np.float32)
    for share in (0.0, 0.1, 0.5, 1.0):
        np.testing.assert_array_equal(
            pooled_quantile(value, user, weights, share, blocks=8),
            weighted_quantile(value, weights[:, user], share),
        )
    assert np.isnan(pooled_quantile(value[:0], user[:0], weights, 0.5)).all()


def test_linear_draws_are_exact_for_a_mean() -> None:
    rng = np.random.default_rng(6)
    values, weights = rng.normal(size=50), rng.integers(0, 3, size=(4, 50)).astype(float)
    np.testing.assert_allclose(
        linear_draws(float(values.mean()), values - values.mean(), weights),
        weighted_mean(values, weights),
    )


def test_mean_leaves_out_what_is_missing() -> None:
    values = np.array([[1.0, np.nan], [3.0, np.nan]])
    got = weighted_mean(values, np.array([[1.0, 3.0]], np.float32))
    np.testing.assert_allclose(got, [[2.5, np.nan]])


def test_nothing_to_measure_gives_nan() -> None:
    assert np.isnan(ratio(np.array([1.0]), np.array([0.0]))).all()


def test_users_are_drawn_within_their_stratum() -> None:
    strata = np.array([0, 1, 0, 1, 1, 2])
    weights = user_weights(strata, 50, np.random.default_rng(0))
    for stratum, drawn in ((0, 1), (1, 2), (2, 1)):
        assert (weights[:, strata == stratum].sum(1) == drawn).all()
    assert weights[:, 0].std() > 0


def test_draws_have_the_variance_of_the_mean_even_with_three_seeds() -> None:
    values = np.array([0.2, 0.5, 1.1])
    draws = weighted_mean(values, seed_weights(3, 200_000, np.random.default_rng(0)))
    assert draws.var() == pytest.approx(values.var(ddof=1) / 3, rel=0.02)


def test_interval_holds_the_truth_as_often_as_it_says() -> None:
    trials, users, rng = 400, 200, np.random.default_rng(2)
    weights = user_weights(np.zeros(users, int), 500, rng)
    held = 0
    for _ in range(trials):
        values = rng.beta(2, 3, size=users)
        interval = Interval.of(values.mean(), weighted_mean(values, weights), 0.95)
        held += interval.low <= 0.4 <= interval.high
    # Binomial: 95% of 400 is 380, standard deviation 4.4; 3.5 of them, and 1 for the percentiles.
    assert abs(held - 380) <= 19


def test_paired_interval_is_narrower_by_what_the_policies_share() -> None:
    rng = np.random.default_rng(3)
    user = rng.normal(size=1000)
    one, other = user + 0.3 * rng.normal(size=(2, 1000))
    zero = np.zeros(1000, int)
    weights, unpaired = user_weights(zero, 2000, rng), user_weights(zero, 2000, rng)

    def width(other_weights: np.ndarray) -> float:
        draws = weighted_mean(one, weights) - weighted_mean(other, other_weights)
        interval = Interval.of(one.mean() - other.mean(), draws)
        return float(interval.high - interval.low)

    # Standard deviations of a difference: sqrt(2 (1 + .09)) unpaired, sqrt(2 * .09) paired.
    assert width(weights) / width(unpaired) == pytest.approx(0.3 / 1.09**0.5, rel=0.1)


def test_undefined_draws_are_left_out() -> None:
    draws = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.nan], [3.0, np.nan]])
    interval = Interval.of(np.array([2.0, np.nan]), draws, 1 - 1e-12)
    np.testing.assert_allclose(interval.low, [1, np.nan])
    np.testing.assert_allclose(interval.high, [3, np.nan])
