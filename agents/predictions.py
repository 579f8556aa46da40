"""How good predictions of clicks are, where a policy makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from driftrec.agents.evaluation import Evaluation
from driftrec.agents.statistics import linear_draws, ratio

PREDICTION_SCORES: dict[str, str] = {
    "auc": "AUC",
    "log_loss": "log loss",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "calibration_error": "expected calibration error",
}
"""Labels by name, in the order of the columns of `prediction_scores`."""

BINS = 10
"""Of predictions between 0 and 1, of equal width."""

SURE = 1e-7
"""A predicted probability counts as at least so far from 0 and from 1 in the log loss."""


@dataclass(frozen=True, eq=False)
class Impressions:
    """All items shown, one after the other.

    Attributes:
        user: who was shown it, `(impressions,)`.
        predicted: click probability, float64 `(impressions,)`.
        clicked: `(impressions,)`, boolean.
        users: number of users.
    """

    user: np.ndarray
    predicted: np.ndarray
    clicked: np.ndarray
    users: int

    def by_user(self, values: np.ndarray) -> np.ndarray:
        """Sums over each user's impressions, `(users,)`."""
        sums: np.ndarray = np.bincount(self.user, values, minlength=self.users)
        return sums


def predicts(evaluation: Evaluation) -> bool:
    """Whether predictions were made, of feedback that is click or no click."""
    if evaluation.predicted is None:
        return False
    feedback = evaluation.item_feedback
    return bool(((feedback == 0) | (feedback == 1)).all())


def impressions(evaluation: Evaluation) -> Impressions:
    """What was shown in an evaluation, with its predictions.

    Raises:
        ValueError: if no clicks were predicted.
    """
    if evaluation.predicted is None or not predicts(evaluation):
        raise ValueError(f"policy {evaluation.policy!r} must predict clicks, and it does not")
    user, request = np.nonzero(evaluation.active)
    return Impressions(
        user=np.repeat(user, evaluation.slate),
        predicted=evaluation.predicted[user, request].ravel().astype(np.float64),
        clicked=evaluation.item_feedback[user, request].ravel() > 0,
        users=evaluation.users,
    )


def prediction_scores(evaluation: Evaluation, weights: np.ndarray) -> np.ndarray:
    """How good the predictions were, a column for each of `PREDICTION_SCORES`.

    All impressions of all users are pooled. A click counts as predicted where its probability is
    1/2 or more; precision, recall and F1 are NaN where they are 0 / 0. The calibration error is
    the mean over impressions of the absolute gap between predictions and clicks in each of
    `BINS` bins of equal width (Naeini et al. 2015).

    Args:
        evaluation: of a policy that predicts clicks.
        weights: `(draws, users)`.

    Returns:
        `(draws, 7)`. AUC under weights is right to first order; see `auc`.
    """
    shown = impressions(evaluation)
    sums = _sums(shown)
    total = weights @ sums.astype(weights.dtype)
    count, loss, right, true, called, clicked = total[:, :6].T
    gap = np.abs(total[:, 6:]).sum(1)
    columns = [
        linear_draws(*auc(shown), weights),
        ratio(loss, count),
        ratio(right, count),
        ratio(true, called),
        ratio(true, clicked),
        ratio(2 * true, called + clicked),
        ratio(gap, count),
    ]
    return np.stack(columns, axis=1)


def log_losses(shown: Impressions) -> np.ndarray:
    """Minus the log likelihood of each impression, `(impressions,)`."""
    chance = np.clip(shown.predicted, SURE, 1 - SURE)
    loss: np.ndarray = -np.log(np.where(shown.clicked, chance, 1 - chance))
    return loss


def auc(shown: Impressions) -> tuple[float, np.ndarray]:
    """Probability that a clicked impression was predicted higher than another, ties half.

    Returns:
        The AUC of all impressions, and its derivative with respect to the share of each user,
        `(users,)`: DeLong's structural components, summed over what one user was shown
        (Obuchowski 1997, "Nonparametric analysis of clustered ROC curve data").
    """
    order = np.argsort(shown.predicted, kind="stable")
    predicted, clicked, user = shown.predicted[order], shown.clicked[order], shown.user[order]
    positives = int(clicked.sum())
    negatives = len(clicked) - positives
    if not positives or not negatives:
        return float("nan"), np.full(shown.users, np.nan)
    clicks = _below(predicted, clicked) / positives
    others = _below(predicted, ~clicked) / negatives
    component = np.where(clicked, others, 1 - clicks)
    value = float(component[clicked].mean())
    share = np.where(clicked, 1 / positives, 1 / negatives)
    moved = np.bincount(user, share * (component - value), shown.users)
    return value, shown.users * moved


def calibration_bins(evaluations: Sequence[Evaluation]) -> list[dict[str, float]]:
    """Mean prediction, share clicked and number of impressions of each bin that is not empty."""
    parts = [impressions(evaluation) for evaluation in evaluations]
    predicted = np.concatenate([part.predicted for part in parts])
    clicked = np.concatenate([part.clicked for part in parts])
    place = _bin(predicted)
    count, total, clicks = (
        np.bincount(place, values, BINS) for values in (None, predicted, clicked)
    )
    return [
        {
            "predicted": float(total[number] / count[number]),
            "clicked": float(clicks[number] / count[number]),
            "count": int(count[number]),
        }
        for number in np.flatnonzero(count)
    ]


def _sums(shown: Impressions) -> np.ndarray:
    """What scores are made of, of each user: counts, losses, and gaps by bin, `(users, 16)`."""
    called, clicked = shown.predicted >= 0.5, shown.clicked
    place = shown.user * BINS + _bin(shown.predicted)
    gaps = np.bincount(place, shown.predicted - clicked, shown.users * BINS)
    values = (
        np.ones(len(clicked)),
        log_losses(shown),
        called == clicked,
        called & clicked,
        called,
        clicked,
    )
    columns = [shown.by_user(value) for value in values]
    return np.column_stack([*columns, gaps.reshape(shown.users, BINS)])


def _bin(predicted: np.ndarray) -> np.ndarray:
    return np.minimum((predicted * BINS).astype(np.int64), BINS - 1)


def _below(ordered: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """How many of those counted have a lower value, equal ones counting half.

    Args:
        ordered: values in rising order, `(values,)`.
        counted: which of them count.
    """
    upto = np.concatenate([[0], np.cumsum(counted)])
    first, last = (np.searchsorted(ordered, ordered, side) for side in ("left", "right"))
    below: np.ndarray = (upto[first] + upto[last]) / 2
    return below
