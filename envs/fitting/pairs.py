"""Products of click residuals of the same user at two times, by the time between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.fitting.residuals import click_residuals
from driftrec.envs.logs.log import InteractionLog
from driftrec.envs.logs.topics import OTHER

MINUTES_A_DAY = 1440.0
LAG_EDGES = np.array([0, 1, 3, 6, 10, 20, 30, 60, 120, 240, 360, 720, 1440, 2880, 1e6])
"""Edges of the bins of lag, in minutes."""


@dataclass(frozen=True, eq=False)
class PairSums:
    """Sums over pairs of a user's events on different items, by bin of lag.

    A user's pairs count one over the number of the user's events: a user then weighs as much as
    the events, not as their square, and a few users of hundreds of events do not speak for all.

    Attributes:
        sums: `(users, bins, 6)`: pairs, lag in minutes, overlap of topics, its square, product of
            residuals, product times overlap. The overlap of two items is <topics, topics'>.
    """

    sums: NDArray[np.float64]

    def regress(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Product of residuals as `shared + overlap * topical`, by least squares in each bin.

        Args:
            weights: of the users, `(draws, users)`.

        Returns:
            `(draws, bins, 3)`: shared covariance, topical covariance, mean lag in minutes; NaN
            in bins without pairs, and topical NaN where all overlaps are equal.
        """
        users, bins, width = self.sums.shape
        total = (weights @ self.sums.reshape(users, bins * width)).reshape(-1, bins, width)
        count, lag, o, oo, p, po = np.moveaxis(total, -1, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = oo - o * o / count
            topical = np.where(spread > 1e-9 * count, (po - o * p / count) / spread, np.nan)
            shared = p / count - np.nan_to_num(topical) * o / count
            return np.stack([shared, topical, lag / count], axis=-1)


def pair_sums(log: InteractionLog, edges: NDArray[np.float64] = LAG_EDGES) -> PairSums:
    """Sum over all pairs of events of the same user on different items.

    Args:
        log: the log.
        edges: of the bins of lag, in minutes, ascending; longer lags are left out.
    """
    residual, topics, bins = click_residuals(log), named_topics(log), len(edges) - 1
    sums = np.zeros((6, log.num_users * bins))
    for shift in range(1, int(log.events_per_user().max())):
        later = np.flatnonzero(log.user[shift:] == log.user[:-shift]) + shift
        lag = (log.time[later] - log.time[later - shift]) * MINUTES_A_DAY
        kept = (lag < edges[-1]) & (lag >= edges[0])
        if not kept.any():
            break
        kept &= log.item[later] != log.item[later - shift]
        later, lag = later[kept], lag[kept]
        overlap = np.einsum("ij,ij->i", topics[log.item[later]], topics[log.item[later - shift]])
        product = residual[later] * residual[later - shift]
        cell = log.user[later] * bins + np.searchsorted(edges, lag, side="right") - 1
        values = (np.ones_like(lag), lag, overlap, overlap**2, product, product * overlap)
        for row, value in zip(sums, values, strict=True):
            row += np.bincount(cell, weights=value, minlength=len(row))
    by_user = sums.T.reshape(log.num_users, bins, 6)
    return PairSums(by_user / log.events_per_user()[:, None, None])


def named_topics(log: InteractionLog) -> NDArray[np.float32]:
    """Topics of the items with `other` blanked: what is folded into it is not one topic."""
    named = np.array([name != OTHER for name in log.topic_names], np.float32)
    return np.asarray(log.topics * named)
