import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn  # type: ignore[import-untyped]

from driftrec.agents.evaluation import Evaluation
from driftrec.agents.predictions import (
    PREDICTION_SCORES,
    auc,
    calibration_bins,
    impressions,
    prediction_scores,
    predicts,
)
from driftrec.agents.statistics import Interval, user_weights

ONE = np.ones((1, 40), np.float32)


def predicted(
    users: int = 40, requests: int = 25, slate: int = 1, seed: int = 0, **changes: Any
) -> Evaluation:
    """Users who differ, some of whom leave early, under a policy that knows a little of them."""
    rng = np.random.default_rng(seed)
    shape = (users, requests, slate)
    active = np.arange(requests) < rng.integers(5, requests + 1, users)[:, None]
    chance = np.clip(rng.beta(2, 3, (users, 1, 1)) + 0.1 * rng.normal(size=shape), 0.02, 0.98)
    clicks = ((rng.random(shape) < chance) * active[:, :, None]).astype(np.float32)
    # Rounded, so that there are ties.
    guess = np.clip(np.round(chance + 0.1 * rng.normal(size=shape), 2), 0, 1)
    zero = np.zeros((users, requests), np.float32)
    content: dict[str, Any] = {
        "policy": "p", "population": "Feed", "split": "test", "seed": (0,), "batch": users,
        "slate": slate, "feedback": clicks.sum(2), "items": np.zeros(shape, np.int32),
        "active": active, "session": zero.astype(np.int32), "day": zero, "gap": zero * np.nan,
        "reward": zero, "expected": None, "best": None, "churned": np.zeros(users, bool),
        "truncated": np.ones(users, bool), "last_day": zero[:, 0],
        "stratum": np.zeros(users, np.int32), "clicks": clicks if slate > 1 else None,
        "predicted": (guess * active[:, :, None]).astype(np.float32),
    }  # fmt: skip
    return Evaluation(**(content | changes))


def named(scores: np.ndarray) -> dict[str, float]:
    return dict(zip(PREDICTION_SCORES, scores, strict=True))


@pytest.mark.parametrize("slate", [1, 3])
def test_scores_are_those_of_scikit_learn(slate: int) -> None:
    evaluation = predicted(slate=slate)
    shown = impressions(evaluation)
    called = shown.predicted >= 0.5
    got = named(prediction_scores(evaluation, ONE)[0])
    chance = np.clip(shown.predicted, 1e-7, 1 - 1e-7)
    expected = {
        "auc": sklearn.roc_auc_score(shown.clicked, shown.predicted),
        "log_loss": sklearn.log_loss(shown.clicked, chance),
        "accuracy": sklearn.accuracy_score(shown.clicked, called),
        "precision": sklearn.precision_score(shown.clicked, called),
        "recall": sklearn.recall_score(shown.clicked, called),
        "f1": sklearn.f1_score(shown.clicked, called),
    }
    assert {name: got[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert len(shown.user) == evaluation.active.sum() * slate


def test_weights_stand_for_repeated_users() -> None:
    evaluation = predicted(users=400)
    shown = impressions(evaluation)
    weights = user_weights(evaluation.stratum, 5, np.random.default_rng(1))
    for row, scores in zip(weights, prediction_scores(evaluation, weights), strict=True):
        repeat = row[shown.user].astype(int)
        clicked, chance = np.repeat(shown.clicked, repeat), np.repeat(shown.predicted, repeat)
        got = named(scores)
        assert got["accuracy"] == pytest.approx(((chance >= 0.5) == clicked).mean(), rel=1e-5)
        assert got["recall"] == pytest.approx((chance[clicked] >= 0.5).mean(), rel=1e-5)
        # To first order: off by the square of what a draw of 400 users moves.
        assert got["auc"] == pytest.approx(sklearn.roc_auc_score(clicked, chance), abs=0.002)


def test_the_interval_of_auc_is_that_of_users_drawn_anew() -> None:
    evaluation = predicted(users=200)
    weights = user_weights(evaluation.stratum, 1000, np.random.default_rng(2))
    interval = Interval.of(0.0, prediction_scores(evaluation, weights)[:, 0])
    others = [auc(impressions(predicted(users=200, seed=seed)))[0] for seed in range(200)]
    assert (interval.high - interval.low) / 3.92 == pytest.approx(np.std(others), rel=0.2)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0.3, 3))
def test_auc_goes_by_the_order_alone(seed: int, power: float) -> None:
    evaluation = predicted(users=10, requests=8, seed=seed)
    bent = predicted(users=10, requests=8, seed=seed)
    bent.predicted[:] = bent.predicted.astype(float) ** power
    turned = predicted(users=10, requests=8, seed=seed)
    turned.predicted[:] = 1 - turned.predicted
    value = auc(impressions(evaluation))[0]
    assert auc(impressions(bent))[0] == pytest.approx(value, nan_ok=True)
    assert auc(impressions(turned))[0] == pytest.approx(1 - value, nan_ok=True)


def test_calibrated_predictions_fall_into_calibrated_bins() -> None:
    rng = np.random.default_rng(3)
    chance = rng.random((400, 50, 1))
    clicks = (rng.random(chance.shape) < chance).astype(np.float32)
    evaluation = predicted(
        users=400, requests=50, predicted=chance.astype(np.float32), feedback=clicks[:, :, 0],
        active=np.ones((400, 50), bool),
    )  # fmt: skip
    bins = calibration_bins([evaluation, evaluation])
    assert sum(each["count"] for each in bins) == 2 * 400 * 50
    for each in bins:
        assert each["clicked"] == pytest.approx(each["predicted"], abs=0.05)
    ones = np.ones((1, 400), np.float32)
    error = named(prediction_scores(evaluation, ones)[0])["calibration_error"]
    expected = sum(abs(each["clicked"] - each["predicted"]) * each["count"] for each in bins)
    assert error == pytest.approx(expected / (2 * 400 * 50), rel=1e-3)
    # To say 1/2 of everyone is calibrated, and says nothing.
    flat = predicted(predicted=np.full((40, 25, 1), 0.5, np.float32))
    assert named(prediction_scores(flat, ONE)[0])["auc"] == 0.5


def test_only_clicks_can_be_predicted() -> None:
    assert predicts(predicted())
    assert not predicts(predicted(predicted=None))
    stars = predicted(feedback=np.full((40, 25), 3.5, np.float32))
    assert not predicts(stars)
    with pytest.raises(ValueError, match="must predict clicks"):
        impressions(stars)
    # Nobody clicks: there is nothing to tell apart, and nothing to be recalled.
    got = named(prediction_scores(predicted(feedback=np.zeros((40, 25), np.float32)), ONE)[0])
    assert np.isnan(got["auc"])
    assert np.isnan(got["recall"])


def test_a_thousand_users_take_less_than_a_second() -> None:
    evaluation = predicted(users=1000, requests=120)
    weights = user_weights(evaluation.stratum, 200, np.random.default_rng(4))
    start = time.process_time()
    prediction_scores(evaluation, weights)
    assert time.process_time() - start < 1
