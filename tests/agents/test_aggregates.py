import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from driftrec.agents.aggregates import (
    mean_ranks,
    median_of_tasks,
    performance_profile,
    run_weights,
)
from driftrec.agents.pairwise import wins
from driftrec.agents.statistics import Interval, interquartile_mean, weighted_mean

NUMBER = np.arange(20).reshape(5, 4)
SCORES = {"x": (7 * NUMBER**2 + 3 * NUMBER) % 23 / 20, "y": (5 * NUMBER**2 + 11 * NUMBER) % 19 / 20}
"""Five runs of four tasks."""

RLIABLE = {
    "x": {"iqm": 0.46, "median": 0.44, "mean": 0.49},
    "y": {"iqm": 0.5, "median": 0.485, "mean": 0.475},
}
"""What rliable 1.2.0 says of them: aggregate_iqm, _median and _mean."""

IMPROVEMENT = 0.51
"""rliable's probability_of_improvement(x, y)."""

THRESHOLDS = np.array([0, 0.25, 0.5, 0.75, 1])
PROFILES = {"x": [0.9, 0.75, 0.4, 0.25, 0.05], "y": [0.85, 0.65, 0.45, 0.3, 0]}
"""rliable's run_score_deviation at each threshold."""

INTERVALS = {"iqm": (0.34, 0.615), "mean": (0.38, 0.605)}
"""rliable's get_interval_estimates of x with 20,000 resamples of runs within each task."""


def flat(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    runs, tasks = scores.shape
    return scores.T.ravel(), run_weights([np.ones((1, runs))] * tasks)


@pytest.mark.parametrize("name", SCORES)
def test_aggregates_are_those_of_rliable(name: str) -> None:
    scores, weights = flat(SCORES[name])
    got = {
        "iqm": interquartile_mean(scores, weights)[0],
        "median": median_of_tasks(SCORES[name].mean(0, keepdims=True))[0],
        "mean": weighted_mean(scores, weights)[0],
    }
    assert got == pytest.approx(RLIABLE[name])


@pytest.mark.parametrize("name", SCORES)
def test_profiles_are_those_of_rliable(name: str) -> None:
    got = performance_profile(*flat(SCORES[name]), THRESHOLDS)
    np.testing.assert_allclose(got[0], PROFILES[name], atol=1e-12)


def test_improvement_is_that_of_rliable() -> None:
    # In each task every run of the one meets every run of the other.
    one, other = SCORES["x"][:, None], SCORES["y"][None]
    assert wins(one, other).mean() == pytest.approx(IMPROVEMENT)
    assert wins(other, one).mean() == pytest.approx(1 - IMPROVEMENT)


def test_intervals_are_those_of_rliable() -> None:
    scores, _ = flat(SCORES["x"])
    rng = np.random.default_rng(0)
    drawn = [rng.multinomial(5, np.full(5, 0.2), size=20_000).astype(float) for _ in range(4)]
    weights = run_weights(drawn)
    for name, draws in (
        ("iqm", interquartile_mean(scores, weights)),
        ("mean", weighted_mean(scores, weights)),
    ):
        interval = Interval.of(0.0, draws)
        assert (interval.low, interval.high) == pytest.approx(INTERVALS[name], abs=0.006)


def test_every_task_counts_the_same_however_many_runs_it_has() -> None:
    weights = run_weights([np.ones((1, 1)), np.array([[1.0, 3.0]])])
    np.testing.assert_allclose(weights, [[0.5, 0.125, 0.375]])


def test_each_draw_may_have_scores_of_its_own() -> None:
    rng = np.random.default_rng(1)
    scores, weights = rng.normal(size=(6, 9)), rng.random((6, 9))
    each = [interquartile_mean(scores[row], weights[row : row + 1])[0] for row in range(6)]
    np.testing.assert_allclose(interquartile_mean(scores, weights), each)
    each = [performance_profile(scores[row], weights[row : row + 1], THRESHOLDS)[0]
            for row in range(6)]  # fmt: skip
    np.testing.assert_allclose(performance_profile(scores, weights, THRESHOLDS), each)


@given(arrays(float, st.integers(1, 30), elements=st.floats(-5, 5)), st.integers(0, 2**32 - 1))
def test_profiles_never_rise_and_enclose_the_mean(scores: np.ndarray, seed: int) -> None:
    at = np.sort(np.random.default_rng(seed).uniform(-6, 6, 20))
    profile = performance_profile(scores, np.ones((1, len(scores))), at)[0]
    assert (np.diff(profile) <= 1e-12).all()
    # The area under the whole profile from -6 on is the mean above -6.
    edges = np.unique(np.concatenate([[-6.0, 6.0], scores]))
    steps = performance_profile(scores, np.ones((1, len(scores))), edges[:-1])[0]
    assert -6 + steps @ np.diff(edges) == pytest.approx(scores.mean(), abs=1e-9)


def test_ranks_share_ties_and_leave_out_who_is_missing() -> None:
    got = mean_ranks(np.array([0.1, 0.5, np.nan, 0.5, -1]))
    np.testing.assert_allclose(got, [3, 1.5, np.nan, 1.5, 4])
