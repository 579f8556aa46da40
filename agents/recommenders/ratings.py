"""A training log as the matrices that libraries of recommenders are fitted to."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftrec.agents.recommenders.training_log import TrainingLog

SHRINKAGE = 20.0
"""Impressions at the rate of the whole log that an item's click rate is mixed with."""


def impressions(log: TrainingLog) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Users, items and feedback of everything that was shown, each `(impressions,)`."""
    user, request = np.nonzero(log.active)
    slate = log.items.shape[2]
    return (
        np.repeat(user, slate),
        log.items[user, request].ravel(),
        log.feedback[user, request].ravel(),
    )


def click_rates(log: TrainingLog, items: int) -> NDArray[np.float32]:
    """Clicks per impression of each item, shrunk towards the rate of the log, `(items,)`.

    This is the posterior mean under a Beta prior worth `SHRINKAGE` impressions.
    """
    _, item, feedback = impressions(log)
    shown = np.bincount(item, minlength=items)
    clicks = np.bincount(item, feedback, minlength=items)
    rate = feedback.mean()
    rates: NDArray[np.float32] = (clicks + SHRINKAGE * rate) / (shown + SHRINKAGE)
    return rates.astype(np.float32)


def rating_matrix(log: TrainingLog, items: int) -> Any:
    """Mean feedback of each user on each item shown, a scipy CSR array `(users, items)`.

    What was shown and never clicked is an entry that is 0, what was not shown is none.
    """
    from scipy.sparse import csr_array  # type: ignore[import-untyped]  # ships no types

    user, item, feedback = impressions(log)
    cell, place = np.unique(user.astype(np.int64) * items + item, return_inverse=True)
    mean = np.bincount(place, feedback) / np.bincount(place)
    shape = (len(log.items), items)
    return csr_array((mean.astype(np.float32), (cell // items, cell % items)), shape=shape)


def clicked(log: TrainingLog, items: int) -> Any:
    """1 for each item that a user clicked, no entry for others, scipy CSR `(users, items)`."""
    clicks = rating_matrix(log, items)
    clicks.data = (clicks.data > 0).astype(np.float32)
    clicks.eliminate_zeros()
    return clicks


def confidence(log: TrainingLog, items: int, weight: float) -> Any:
    """`weight` for an item clicked, minus that for one skipped, scipy CSR `(users, items)`."""
    signed = rating_matrix(log, items)
    signed.data = np.where(signed.data > 0, weight, -weight).astype(np.float32)
    return signed
