"""Latent item factors: what the items' audiences say about how items resemble each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.logs.log import InteractionLog

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]  # ships no types

# Events that the prior counts for when user and item means are shrunk towards the overall mean.
_SHRINK = 5.0


def item_factors(
    log: InteractionLog, factors: int = 12, seed: int = 0, unit_rows: bool = True
) -> NDArray[np.float32]:
    """Factorise the log's centred user-item matrix with scikit-learn's truncated SVD.

    The matrix holds the mean residual of each user-item pair (rating where the log has one, else
    feedback) after the item's and then the user's shrunk means, and 0, the centre, where they
    never met. With the decomposition U S V', an item's factors are its row of V S.

    Fit it on training users only: factors that have seen a user tell about that user.

    Args:
        log: the log.
        factors: how many, below the number of users and of items.
        seed: of the randomised solver; the same seed gives the same factors.
        unit_rows: scale each item's row to length 1, as features of a catalogue want it, so that
            taste over the factors matters as much for every item. Rows without signal stay 0.
            False leaves V S, in which thinly observed items are short.

    Returns:
        `(items, factors)` float32, the strongest factor first.

    Raises:
        ValueError: if `factors` is out of range.
    """
    if not 1 <= factors < min(log.num_users, log.num_items):
        raise ValueError(
            f"factors must be from 1 to below the number of users ({log.num_users}) and of items "
            f"({log.num_items}), got {factors}"
        )
    from sklearn.decomposition import TruncatedSVD  # type: ignore[import-untyped]  # ships no types

    solver = TruncatedSVD(n_components=factors, n_iter=7, random_state=seed)
    solver.fit(residual_matrix(log))
    rows: NDArray[np.float64] = solver.components_.T * solver.singular_values_
    if unit_rows:
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        rows = np.divide(rows, length, out=np.zeros_like(rows), where=length > 1e-9)
    return rows.astype(np.float32)


def residual_matrix(log: InteractionLog) -> csr_matrix:
    """Return the centred matrix that `item_factors` decomposes, `(users, items)`, sparse."""
    from scipy.sparse import csr_matrix

    value = np.asarray(log.feedback if log.rating is None else log.rating, dtype=np.float64)
    value = value - value.mean()
    value = value - _shrunk_mean(value, log.item, log.num_items)[log.item]
    value = value - _shrunk_mean(value, log.user, log.num_users)[log.user]
    pair, place = np.unique(log.user * log.num_items + log.item, return_inverse=True)
    mean = np.bincount(place, weights=value) / np.bincount(place)
    return csr_matrix(
        (mean, (pair // log.num_items, pair % log.num_items)), shape=(log.num_users, log.num_items)
    )


def _shrunk_mean(
    value: NDArray[np.float64], group: NDArray[np.int64], groups: int
) -> NDArray[np.float64]:
    total = np.bincount(group, weights=value, minlength=groups)
    mean: NDArray[np.float64] = total / (np.bincount(group, minlength=groups) + _SHRINK)
    return mean
