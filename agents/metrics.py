"""What is measured of an evaluation.

Each measure is a function of an evaluation and of weights `(draws, users)`, how often each user
counts, and gives `(draws,)` numbers or `(draws, points)` of a curve: with weights of one it is the
estimate, with a bootstrap's weights its draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from driftrec.agents.evaluation import Evaluation
from driftrec.agents.groups import members, minority, worst_group
from driftrec.agents.statistics import (
    interquartile_mean,
    pooled_quantile,
    ratio,
    weighted_mean,
)
from driftrec.agents.survival import still_active

Measure = Callable[[Evaluation, np.ndarray], np.ndarray]
"""A function of an evaluation and of weights `(draws, users)`."""


def user_ctr(evaluation: Evaluation) -> np.ndarray:
    """Clicks over impressions of each user's trial, `(users,)`."""
    shown = evaluation.active.sum(1) * evaluation.slate
    share: np.ndarray = evaluation.feedback.sum(1) / shown
    return share


def ctr(evaluation: Evaluation, weights: np.ndarray) -> np.ndarray:
    """Mean over users of the CTR of their trials: every user counts the same."""
    return weighted_mean(user_ctr(evaluation), weights)


def ctr_first(evaluation: Evaluation, weights: np.ndarray, requests: int) -> np.ndarray:
    """Mean over users of the CTR of the first requests of their trials."""
    shown = evaluation.active[:, :requests].sum(1) * evaluation.slate
    return weighted_mean(evaluation.feedback[:, :requests].sum(1) / shown, weights)


def ctr_worst_group(evaluation: Evaluation, weights: np.ndarray) -> np.ndarray:
    """CTR of the group of users that is served worst; see `driftrec.agents.groups`."""
    return worst_group(user_ctr(evaluation), _groups(evaluation), weights)


def ctr_minority(evaluation: Evaluation, weights: np.ndarray) -> np.ndarray:
    """CTR of the smallest group of users; see `driftrec.agents.groups`."""
    return minority(user_ctr(evaluation), _groups(evaluation), weights)


def ctr_interquartile(evaluation: Evaluation, weights: np.ndarray) -> np.ndarray:
    """Interquartile mean over users of the CTR of their trials."""
    return interquartile_mean(user_ctr(evaluation), weights)


def ctr_pooled(evaluation: Evaluation, weights: np.ndarray) -> np.ndarray:
    """All clicks over all impressions: users count by how long they stay.

    A policy that keeps users who click little is marked down by it.
    """
    shown = evaluation.active.sum(1) * evaluation.slate
    return ratio(weights @ evaluation.feedback.sum(1), weights @ shown)


def adaptation_curve(evaluation: Evaluation, weights: np.ndarray, window: int = 1) -> np.ndarray:
    """CTR by request of the trial, among users who are still there, `(draws, requests)`.

    Args:
        evaluation: of `requests` requests.
        weights: `(draws, users)`.
        window: requests (odd) pooled around each; fewer at the ends.
    """
    clicks = weights @ evaluation.feedback
    shown = weights @ (evaluation.active * np.float32(evaluation.slate))
    return ratio(pooled(clicks, window), pooled(shown, window))


def session_curve(evaluation: Evaluation, weights: np.ndarray, sessions: int = 10) -> np.ndarray:
    """CTR by session of the trial, among users who had it, `(draws, sessions)`."""
    inside = evaluation.active & (evaluation.session < sessions)
    user, request = np.nonzero(inside)
    place = user, evaluation.session[user, request]
    clicks, shown = np.zeros((2, evaluation.users, sessions), np.float32)
    np.add.at(clicks, place, evaluation.feedback[user, request])
    np.add.at(shown, place, evaluation.slate)
    return ratio(weights @ clicks, weights @ shown)


def requests_to_plateau(
    evaluation: Evaluation, weights: np.ndarray, share: float = 0.9, window: int = 5
) -> np.ndarray:
    """Requests until the adaptation curve first reaches a share of its own plateau, `(draws,)`.

    The plateau is the CTR of the last third of the requests. The curve is pooled over `window`
    requests; 1 says that the policy begins that high.
    """
    clicks = weights @ evaluation.feedback
    shown = weights @ (evaluation.active * np.float32(evaluation.slate))
    last = -max(evaluation.requests // 3, 1)
    plateau = ratio(clicks[:, last:].sum(1), shown[:, last:].sum(1))
    reached = ratio(pooled(clicks, window), pooled(shown, window)) >= share * plateau[:, None]
    return np.where(np.isnan(plateau), np.nan, reached.argmax(1) + 1.0)


def retention(evaluation: Evaluation, weights: np.ndarray, day: float) -> np.ndarray:
    """Share of users active on or after a day, `(draws,)`.

    Users whose trial was truncated before that day are censored: see
    `driftrec.agents.survival.still_active`. NaN where nobody was observed until that day.
    """
    share = survival_curve(evaluation, weights, np.array([day]))[:, 0]
    reached = (evaluation.last_day >= day).any()
    return np.where(reached | (share == 0), share, np.nan)


def survival_curve(evaluation: Evaluation, weights: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Share of users active on or after each of some days, `(draws, days)`."""
    return still_active(evaluation.last_day, evaluation.churned, weights, days)


def kept(evaluation: Evaluation, weights: np.ndarray) -> np.ndarray:
    """Share of users who had not left for good when the trial ended, whenever that was."""
    return weighted_mean(~evaluation.churned, weights)


def return_gap(evaluation: Evaluation, weights: np.ndarray) -> np.ndarray:
    """Median of the days between a session and the next, of those that had a next."""
    user, request = np.nonzero(np.isfinite(evaluation.gap))
    return pooled_quantile(evaluation.gap[user, request], user, weights, 0.5)


def sessions(evaluation: Evaluation, weights: np.ndarray) -> np.ndarray:
    """Mean number of sessions in a trial."""
    return weighted_mean(begun(evaluation, evaluation.active), weights)


def session_length(evaluation: Evaluation, weights: np.ndarray) -> np.ndarray:
    """Mean number of requests in a session: all requests over all sessions.

    The last session of a trial that was truncated counts with the requests that it had.
    """
    shown = evaluation.active.sum(1).astype(np.float32)
    return ratio(weights @ shown, weights @ begun(evaluation, evaluation.active))


def activity(evaluation: Evaluation, weights: np.ndarray, days: float = 7.0) -> np.ndarray:
    """Sessions a day over the first days, `(draws,)`.

    All sessions begun in them, over all days in them on which users were observed: a rate per
    person-time, which stays right where trials are truncated early. Who left for good is observed
    to stay away; whoever was truncated is not observed any more. Later days are left out because
    a few months of absence would outweigh everyone else.
    """
    early = evaluation.active & (evaluation.day < days)
    observed = np.where(evaluation.churned, days, np.minimum(evaluation.last_day, days))
    return ratio(weights @ begun(evaluation, early), weights @ observed.astype(np.float32))


def requests(evaluation: Evaluation, weights: np.ndarray) -> np.ndarray:
    """Mean number of requests in a trial."""
    return weighted_mean(evaluation.active.sum(1), weights)


def total_reward(evaluation: Evaluation, weights: np.ndarray) -> np.ndarray:
    """Mean over users of the reward summed over the trial."""
    return weighted_mean(evaluation.reward.sum(1), weights)


def regret(evaluation: Evaluation, weights: np.ndarray) -> np.ndarray:
    """Expected feedback per impression lost to a clairvoyant in the policy's place, `(draws,)`.

    At each request the clairvoyant would show the unseen items that this user is most likely to
    click now. Mean over users of the mean over their trials; NaN if it was not recorded.
    """
    if evaluation.best is None or evaluation.expected is None:
        return np.full(len(weights), np.nan)
    lost = (evaluation.best - evaluation.expected).sum(1)
    return weighted_mean(lost / (evaluation.active.sum(1) * evaluation.slate), weights)


def unknown(evaluation: Evaluation, weights: np.ndarray) -> np.ndarray:
    """NaN: of measures that take more than an evaluation, `(draws,)`."""
    return np.full(len(weights), np.nan)


@dataclass(frozen=True)
class Metric:
    """A measure with what a table needs to show it.

    Attributes:
        label: heading of its column.
        measure: gives `(draws,)`.
        decimals: places shown after the point.
    """

    label: str
    measure: Measure
    decimals: int = 3


METRICS: dict[str, Metric] = {
    "ctr": Metric("CTR", ctr),
    "ctr-interquartile": Metric("CTR, interquartile mean", ctr_interquartile),
    "ctr-pooled": Metric("CTR, pooled", ctr_pooled),
    "ctr-first-5": Metric("CTR, first 5 requests", partial(ctr_first, requests=5)),
    "ctr-first-10": Metric("CTR, first 10 requests", partial(ctr_first, requests=10)),
    "ctr-first-20": Metric("CTR, first 20 requests", partial(ctr_first, requests=20)),
    "ctr-first-50": Metric("CTR, first 50 requests", partial(ctr_first, requests=50)),
    "ctr-worst-group": Metric("CTR, group served worst", ctr_worst_group),
    "ctr-minority": Metric("CTR, smallest group", ctr_minority),
    "retention-1": Metric("day 1", partial(retention, day=1.0)),
    "retention-7": Metric("day 7", partial(retention, day=7.0)),
    "retention-30": Metric("day 30", partial(retention, day=30.0)),
    "kept": Metric("kept to the end", kept),
    "sessions": Metric("sessions", sessions, 2),
    "requests": Metric("requests", requests, 1),
    "session-length": Metric("requests a session", session_length, 1),
    "activity": Metric("sessions a day, week 1", activity),
    "return-gap": Metric("return gap, days", return_gap, 2),
    "regret": Metric("regret", regret),
    "requests-to-plateau": Metric("requests to 90% of plateau", requests_to_plateau, 0),
    "recovery": Metric("requests to recover from the jump", unknown, 0),
    "reward": Metric("reward", total_reward, 2),
    "diversity": Metric("diversity within a user", unknown),
    "topic-entropy": Metric("topic entropy within a user", unknown),
    "coverage": Metric("catalogue shown to 10 users", unknown),
    "popularity": Metric("quality percentile of what is shown", unknown),
    "exposure-gini": Metric("Gini index of exposures", unknown),
}
"""Measures of one number each, by name. Those that need to know the catalogue, or when tastes
jumped, are NaN here: `driftrec.agents.diversity.catalogue_metrics` and
`driftrec.agents.recovery.recovery_metrics` give them."""


def _groups(evaluation: Evaluation) -> np.ndarray:
    return members(evaluation.group, evaluation.users, len(evaluation.group_names))


def begun(evaluation: Evaluation, where: np.ndarray) -> np.ndarray:
    """Sessions begun in the marked requests, which start with the first, `(users,)`."""
    last: np.ndarray = np.where(where, evaluation.session, 0).max(1)
    return (last + 1).astype(np.float32)


def pooled(values: np.ndarray, window: int) -> np.ndarray:
    """Sums over `window` points (odd) around each, `(draws, points)`; fewer at the ends."""
    if window < 1 or window % 2 == 0:
        raise ValueError(f"window must be odd and at least 1, got {window}")
    place = np.arange(values.shape[1])
    near = np.abs(place[:, None] - place) <= window // 2
    sums: np.ndarray = values @ near.astype(values.dtype)
    return sums
