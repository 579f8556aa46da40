from typing import Any

import numpy as np
import pytest

from driftrec.agents.evaluation import Evaluation
from driftrec.agents.metrics import (
    METRICS,
    activity,
    adaptation_curve,
    ctr_first,
    ctr_pooled,
    kept,
    regret,
    requests,
    requests_to_plateau,
    retention,
    return_gap,
    session_curve,
    session_length,
    sessions,
    total_reward,
    user_ctr,
)

NAN = float("nan")


def record(**changes: Any) -> Evaluation:
    """Two users: one of four requests in two sessions, one who churned after two requests."""
    content: dict[str, Any] = {
        "policy": "p",
        "population": "Feed",
        "split": "test",
        "seed": (0,),
        "batch": 2,
        "slate": 1,
        "feedback": np.array([[1, 0, 1, 1], [0, 1, 0, 0]], np.float32),
        "items": np.zeros((2, 4, 1), np.int32),
        "active": np.array([[1, 1, 1, 1], [1, 1, 0, 0]], bool),
        "session": np.array([[0, 0, 1, 1], [0, 0, 0, 0]], np.int32),
        "day": np.array([[0, 0, 2, 2], [0, 0, 0, 0]], np.float32),
        "gap": np.array([[NAN, 2, NAN, 3], [NAN] * 4], np.float32),
        "reward": np.array([[1, 0, 1, 1], [0, 1, 0, 0]], np.float32),
        "expected": None,
        "best": None,
        "churned": np.array([False, True]),
        "truncated": np.array([True, False]),
        "last_day": np.array([5, 0], np.float32),
        "stratum": np.zeros(2, np.int32),
    }
    return Evaluation(**(content | changes))


ONE = np.ones((1, 2), np.float32)


def test_each_user_counts_once_in_ctr_and_by_impressions_when_pooled() -> None:
    evaluation = record()
    np.testing.assert_allclose(user_ctr(evaluation), [0.75, 0.5])
    assert METRICS["ctr"].measure(evaluation, ONE) == pytest.approx(0.625)
    assert ctr_pooled(evaluation, ONE) == pytest.approx(4 / 6)
    assert user_ctr(record(slate=2))[0] == pytest.approx(0.375)


def test_adaptation_curve_is_of_those_still_there() -> None:
    np.testing.assert_allclose(adaptation_curve(record(), ONE), [[0.5, 0.5, 1, 1]])
    np.testing.assert_allclose(adaptation_curve(record(), ONE, 3), [[0.5, 0.6, 0.75, 1]])
    weights = np.array([[1.0, 3.0]], np.float32)
    np.testing.assert_allclose(adaptation_curve(record(), weights), [[0.25, 0.75, 1, 1]])


def test_session_curve_pools_the_requests_of_a_session() -> None:
    np.testing.assert_allclose(session_curve(record(), ONE, 3), [[0.5, 1, NAN]])


def test_the_first_requests_are_those_that_a_user_lived_to_see() -> None:
    evaluation = record()
    assert ctr_first(evaluation, ONE, 1) == pytest.approx(0.5)
    assert ctr_first(evaluation, ONE, 3) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert METRICS["ctr-first-50"].measure(evaluation, ONE) == pytest.approx(0.625)


def test_session_length_is_requests_over_sessions() -> None:
    assert session_length(record(), ONE) == pytest.approx(6 / 3)
    weights = np.array([[1.0, 4.0]], np.float32)
    assert session_length(record(), weights) == pytest.approx((4 + 4 * 2) / (2 + 4))


@pytest.mark.parametrize("window", [0, 2, -1])
def test_a_window_has_a_middle(window: int) -> None:
    with pytest.raises(ValueError, match="window must be odd"):
        adaptation_curve(record(), ONE, window)


def test_sessions_requests_gaps_and_rewards_are_counted() -> None:
    evaluation = record()
    assert sessions(evaluation, ONE) == 1.5
    assert requests(evaluation, ONE) == 3
    assert total_reward(evaluation, ONE) == 2
    assert return_gap(evaluation, ONE) == 2
    assert np.isnan(return_gap(record(gap=np.full((2, 4), NAN, np.float32)), ONE))


def test_activity_is_sessions_over_observed_days_of_the_first_week() -> None:
    # Two sessions in five days before truncation, and one in a week in which the user was gone.
    assert activity(record(), ONE) == pytest.approx(3 / (5 + 7))
    # The second session begins after the first day: one session each in one day.
    assert activity(record(), ONE, days=1.0) == pytest.approx(1)


def test_retention_counts_who_is_known_to_be_there() -> None:
    assert retention(record(), ONE, 0.0) == 1
    assert retention(record(), ONE, 1.0) == 0.5
    assert retention(record(), ONE, 5.0) == 0.5
    assert np.isnan(retention(record(), ONE, 7.0))
    gone = record(churned=np.array([True, True]))
    assert retention(gone, ONE, 7.0) == 0
    assert kept(record(), ONE) == 0.5


def test_regret_is_what_the_best_slate_would_have_got_more() -> None:
    active = record().active
    evaluation = record(
        best=(active * 0.75).astype(np.float32),
        expected=(active * np.float32([[0.5], [0.25]])).astype(np.float32),
    )
    assert regret(evaluation, ONE) == pytest.approx((0.25 + 0.5) / 2)
    assert np.isnan(regret(record(), ONE))


def test_plateau_is_reached_where_the_curve_first_is_at_nine_tenths_of_it() -> None:
    users, length = 2000, 60
    curve = np.where(np.arange(length) < 20, 0.2 + 0.02 * np.arange(length), 0.6)
    steps = (np.arange(users)[:, None] + 0.5) / users < curve
    evaluation = record(
        feedback=steps.astype(np.float32),
        active=np.ones((users, length), bool),
    )
    weights = np.ones((1, users), np.float32)
    # .2 + .02 (r - 1) = .9 * .6 at r = 18; a running mean leaves a straight line as it is.
    assert requests_to_plateau(evaluation, weights) == 18
    assert requests_to_plateau(evaluation, weights, share=0.1) == 1
