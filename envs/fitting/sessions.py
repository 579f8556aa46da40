"""Sessions, gaps and churn of a log, by matching simulated visits to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.fitting.estimate import Estimate, user_weights
from driftrec.envs.fitting.match import match_moments
from driftrec.envs.fitting.visit_moments import VisitTable
from driftrec.envs.fitting.visits import VisitLaw, Visits, Window, simulate_visits
from driftrec.envs.logs.log import InteractionLog

_GAPS = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
# Simulated for each user of the log, within bounds: more would add nothing to a small log's errors.
_SIMULATED = 4
_LEAST_SIMULATED, _MOST_SIMULATED = 1000, 8000
# Logs too small to vary in a statistic do not know it for sure.
_SURE = 0.003
CHURN_SPREAD = 2.0
"""Standard deviation between users of the logit of churn: 2 fits MovieTweetings better than 1."""


def visits_of(log: InteractionLog) -> Visits:
    """When the users of a log were there; its window ends with its last event."""
    return Visits(log.user, log.time - log.time.min(), log.num_users, float(np.ptp(log.time)))


def thinned_moments(table: VisitTable, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """What identifies the visits of users in a steady state of whom a log holds a share.

    Log gap quantiles, log mean and variation of activity, share of users with one event, share
    of events in a session already begun, how close together those lie, share of long spans.
    """
    events, total = table.events, weights.sum()
    mean = weights @ events / total
    spread = weights @ (events - mean) ** 2 / total
    pairs = weights @ table.close_pairs
    span = table.span_shares(np.array([1.0, 7.0]), weights)
    return np.array(
        [
            *np.log(table.gap_quantiles(_GAPS, weights)),
            np.log(mean),
            0.5 * np.log(spread) - np.log(mean),
            weights @ (events == 1) / total,
            1 - weights @ table.sessions / (weights @ events),
            pairs[0] / max(pairs[1], 1),
            *span,
        ]
    )


def estimate_thinned_visits(log: InteractionLog, seed: int = 0) -> dict[str, Estimate]:
    """Sessions and gaps from a log that holds a share of what was shown in a window of time.

    Returns:
        `session_requests`, `return_days`, `return_spread`, `return_shape`, and `share`, the
        probability that a request is in the log.
    """
    names = ("session_requests", "return_days", "return_spread", "return_shape", "share")
    window = Window(float(np.ptp(log.time)))
    start = VisitLaw(48, return_days=0.25, return_spread=0.8, share=0.005)
    return _estimate(log, names, start, window, thinned_moments, seed)


def returning_moments(table: VisitTable, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """What identifies the visits of users from first contact on, who came back at least once.

    Log gap quantiles, log mean and variation of activity, share of sessions of one event, log
    mean of their events, share of long spans.
    """
    weights = weights * (table.sessions > 1)
    events, total = table.events, weights.sum()
    mean = weights @ events / total
    user, size = table.sizes
    heavy, sessions = weights[user], (weights @ table.sessions)
    return np.array(
        [
            *np.log(table.gap_quantiles(_GAPS, weights)),
            np.log(mean),
            0.5 * np.log(weights @ (events - mean) ** 2 / total) - np.log(mean),
            heavy @ (size == 1) / heavy.sum(),
            np.log(weights @ events / sessions),
            *table.span_shares(np.array([1.0, 7.0, 30.0, 90.0]), weights),
        ]
    )


def estimate_visits(log: InteractionLog, seed: int = 0) -> dict[str, Estimate]:
    """Sessions, gaps and churn from a log that holds users whole, from their first contact on.

    Users of one session only are left out: they hold nothing of how users come back.

    Returns:
        `session_requests`, `return_days`, `return_spread`, `return_shape` and `churn`. How churn
        differs between users is hidden by the end of the log: its spread is taken to be
        `CHURN_SPREAD`.
    """
    names = ("session_requests", "return_days", "return_spread", "return_shape", "churn")
    first = log.time[log.user_offsets()[:-1]] - log.time.min()
    start = VisitLaw(1.2, 0.3, 8.0, 1.1, 1.1, 0.02, CHURN_SPREAD)
    window = Window(float(np.ptp(log.time)), arrivals=first)
    return _estimate(log, names, start, window, returning_moments, seed)


def _estimate(
    log: InteractionLog,
    names: tuple[str, ...],
    start: VisitLaw,
    window: Window,
    statistic: Callable[[VisitTable, NDArray[np.float64]], NDArray[np.float64]],
    seed: int,
) -> dict[str, Estimate]:
    table = VisitTable(visits_of(log))
    observed = statistic(table, np.ones(log.num_users))
    draws = [statistic(table, weight) for weight in user_weights(log.num_users, seed, 50)]
    users = min(max(_SIMULATED * log.num_users, _LEAST_SIMULATED), _MOST_SIMULATED)
    sd = np.maximum(np.std(draws, axis=0), _SURE) * np.sqrt(1 + log.num_users / users)

    def law(point: NDArray[np.float64]) -> VisitLaw:
        values = dict(zip(names, np.exp(point).tolist(), strict=True))
        values["session_requests"] = max(values["session_requests"], 1.0)
        return replace(start, **values)

    def moments(point: NDArray[np.float64]) -> NDArray[np.float64]:
        seen = VisitTable(simulate_visits(law(point), window, users, seed))
        if len(seen.gaps[0]) == 0:
            return np.full(len(observed), np.inf)
        return statistic(seen, np.ones(seen.visits.users))

    found = match_moments(moments, observed, sd, np.log([getattr(start, name) for name in names]))
    return {
        name: _with_interval(getattr(law(found.log_values), name), float(found.log_sd[k]))
        for k, name in enumerate(names)
    }


def _with_interval(value: float, log_sd: float) -> Estimate:
    half = 1.96 * value * log_sd
    return Estimate(value, max(value - half, 0.0), value + half, "matched moments of visits")
