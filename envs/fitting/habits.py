"""What being shown things does: satiation with a topic, and the same item again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.fitting.estimate import Estimate, from_user_sums
from driftrec.envs.fitting.logit_normal import LogitNormal
from driftrec.envs.fitting.pairs import named_topics
from driftrec.envs.fitting.residuals import click_residuals
from driftrec.envs.logs.log import InteractionLog
from driftrec.envs.logs.quality import item_quality_posterior


def recent_exposure(log: InteractionLog, hours: float) -> NDArray[np.float64]:
    """What a topic's satiation is at each event, `(events,)`.

    The sum over the user's earlier events of <topics, topics'> exp(-lag / hours), `other` left
    out: with forgetting after `hours`, the exposures to the topics of the item shown.
    """
    topics, total = named_topics(log), np.zeros(log.num_events)
    for shift in range(1, int(log.events_per_user().max())):
        later = np.flatnonzero(log.user[shift:] == log.user[:-shift]) + shift
        lag = 24 * (log.time[later] - log.time[later - shift])
        later, lag = later[lag < 8 * hours], lag[lag < 8 * hours]
        if not len(later):
            break
        overlap = np.einsum("ij,ij->i", topics[log.item[later]], topics[log.item[later - shift]])
        total[later] += overlap * np.exp(-lag / hours)
    return total


def within_user_sums(
    log: InteractionLog, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What each user adds to a regression of y on x with topic and user effects, `(users, 2)`.

    Sums of products and of squares of x, both less what the topics of the item explain and less
    the user's mean: the slope is their ratio.
    """
    n, topics = log.events_per_user(), log.topics[log.item].astype(np.float64)
    gram = np.linalg.pinv(topics.T @ topics)
    x, y = (value - topics @ (gram @ (topics.T @ value)) for value in (x, y))
    mean_x, mean_y = (np.bincount(log.user, weights=value) / n for value in (x, y))
    x, y = x - mean_x[log.user], y - mean_y[log.user]
    return np.stack([np.bincount(log.user, weights=x * y), np.bincount(log.user, weights=x * x)], 1)


def estimate_satiation(
    log: InteractionLog, scale: LogitNormal, hours: float = 12.0, seed: int = 0
) -> Estimate:
    """Logits lost per recent exposure to the topic, by regression with user fixed effects.

    The click residual falls by `slope * exposure` within a user; divided by the mean rise of the
    click probability per logit, which is right to first order, for losses below a logit. An
    association: exposure was chosen by a policy.

    Args:
        log: the log.
        scale: turns click probabilities into logits.
        hours: time in which an exposure is forgotten, which the log hardly identifies.
        seed: of the bootstrap.
    """
    sums = within_user_sums(log, recent_exposure(log, hours), click_residuals(log))
    note = f"same topic, forgotten in {hours:g} h, user fixed effects"
    return from_user_sums(
        lambda s: -s[:, 0] / np.maximum(s[:, 1], 1e-12) / scale.slope, sums, note, seed
    )


def met_before(log: InteractionLog) -> NDArray[np.bool_]:
    """Whether the user met the item before, `(events,)`."""
    pair = log.user * log.num_items + log.item
    order = np.argsort(pair, kind="stable")
    again = np.zeros(log.num_events, bool)
    again[order[1:]] = np.diff(pair[order]) == 0
    return again


def repeat_sums(log: InteractionLog) -> NDArray[np.float64]:
    """What each user adds to the repeat effect, `(users, 4)`.

    Clicks and events of items met for the first time; for items met again, clicks less the item's
    rate at first meetings, and events.
    """
    again = met_before(log)
    parts = (
        (~again, log.feedback),
        (~again, None),
        (again, log.feedback - _first_rates(log, ~again)[log.item]),
        (again, None),
    )
    columns = [
        np.bincount(
            log.user[rows],
            weights=None if values is None else values[rows],
            minlength=log.num_users,
        )
        for rows, values in parts
    ]
    return np.stack(columns, axis=1).astype(np.float64)


def _first_rates(log: InteractionLog, first: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Click rate of each item where users met it for the first time, shrunk, `(items,)`."""
    clicks, n = (
        np.bincount(log.item[first], weights=values, minlength=log.num_items)
        for values in (log.feedback[first], None)
    )
    strength = min(item_quality_posterior(log.subset_events(first)).strength, 1e9)
    rates: NDArray[np.float64] = (clicks + strength * clicks.sum() / n.sum()) / (n + strength)
    return rates


def repeat_rates(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Click rates at the first and at later meetings of an item, from sums `(draws, 4)`."""
    first = sums[:, 0] / np.maximum(sums[:, 1], 1)
    later = first + sums[:, 2] / np.maximum(sums[:, 3], 1)
    return np.stack([first, later], axis=1)


def estimate_repeat_penalty(log: InteractionLog, scale: LogitNormal, seed: int = 0) -> Estimate:
    """Logits lost by an item shown before.

    Clicks on items met again are set beside what these items get from others. A service shows
    again what was passed over the first time: part of the fall is that choice.
    """
    grid = np.linspace(0.005, 0.995, 199)
    means = np.array([LogitNormal.of_rate(rate, scale.variance).mean for rate in grid])

    def fall(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        logits = np.interp(repeat_rates(sums), grid, means)
        return np.asarray(logits[:, 0] - logits[:, 1])

    return from_user_sums(fall, repeat_sums(log), "items met again, beside their own rate", seed)
