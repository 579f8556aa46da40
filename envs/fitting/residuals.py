"""What is left of a click when the item's own appeal is taken away."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.logs.log import InteractionLog
from driftrec.envs.logs.quality import item_quality_posterior

FEED = 1
"""KuaiRand's surface of the video feed."""


def on_feed(log: InteractionLog) -> InteractionLog:
    """The events on the feed, where a log has surfaces and one of them is the feed; else all."""
    if log.surface is None or not (log.surface == FEED).any():
        return log
    return log.subset_events(log.surface == FEED)


def on_items(log: InteractionLog, items: NDArray[np.int64]) -> InteractionLog:
    """The events on some items of the catalogue."""
    mask = np.zeros(log.num_items, bool)
    mask[items] = True
    return log.subset_events(mask[log.item])


def most_exposed(log: InteractionLog, start: int, stop: int) -> NDArray[np.int64]:
    """Items by rank of exposure, from `start` to before `stop`; ties go by item code."""
    return np.argsort(-log.events_per_item(), kind="stable")[start:stop]


def returning_users(log: InteractionLog) -> InteractionLog:
    """Users who were seen in two sessions or more.

    Raises:
        ValueError: if there are none.
    """
    first = log.sessions()[log.user_offsets()[:-1]]
    last = log.sessions()[log.user_offsets()[1:] - 1]
    if not (last > first).any():
        raise ValueError(f"expected users who came back, got {log.num_users} of one session each")
    return log.subset_users(last > first)


def click_residuals(log: InteractionLog) -> NDArray[np.float64]:
    """Each click less the item's rate, estimated from the item's other events, `(events,)`.

    The rate is shrunk to the log's rate p with the weight a of `item_quality_posterior`:
    (c - click + a p) / (n - 1 + a). Leaving the event itself out keeps residuals of the same item
    from being pushed apart.
    """
    n = log.events_per_item()[log.item]
    clicks = np.bincount(log.item, weights=log.feedback, minlength=log.num_items)[log.item]
    overall = float(log.feedback.mean())
    strength = min(item_quality_posterior(log).strength, 1e9)
    rate = (clicks - log.feedback + strength * overall) / (n - 1 + strength)
    return np.asarray(log.feedback - rate)
