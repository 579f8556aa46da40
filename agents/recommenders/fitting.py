"""Fits by the libraries LensKit and implicit, as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from driftrec.envs.arrays import Array


def item_similarities(ratings: Any, neighbours: int) -> Array:
    """Similarities of items by LensKit's `ItemKNNScorer`, float32 `(items, items)`.

    Args:
        ratings: scipy CSR array `(users, items)`, an entry for each item clicked.
        neighbours: kept of each item, the most similar ones.
    """
    from lenskit.knn import ItemKNNScorer

    scorer = ItemKNNScorer(feedback="implicit", save_nbrs=neighbours)
    scorer.train(lenskit_dataset(ratings))
    order = scorer.items.ids().astype(int)
    similarity = np.zeros((ratings.shape[1],) * 2, np.float32)
    similarity[np.ix_(order, order)] = scorer.sim_matrix.to_scipy().toarray()
    return similarity


def lenskit_dataset(ratings: Any) -> Any:
    """A LensKit data set of who clicked what.

    Args:
        ratings: scipy CSR array `(users, items)`, an entry for each item clicked.
    """
    import pandas as pd  # type: ignore[import-untyped]  # ships no types
    from lenskit.data import from_interactions_df

    cells = ratings.tocoo()
    return from_interactions_df(pd.DataFrame({"user_id": cells.row, "item_id": cells.col}))


def least_squares_factors(
    confidence: Any, *, factors: int, ridge: float, iterations: int, seed: int
) -> Array:
    """Items' factors by implicit's `AlternatingLeastSquares`, `(items, factors)`.

    Args:
        confidence: scipy CSR array `(users, items)`: positive where clicked, negative where
            skipped, in the weight of an item that was not shown.
        factors: of users and items.
        ridge: weight of the prior that factors are 0.
        iterations: of the alternation.
        seed: of the first factors.
    """
    from implicit.cpu.als import AlternatingLeastSquares  # type: ignore[import-untyped]  # ships no types

    model = AlternatingLeastSquares(
        factors=factors,
        regularization=ridge,
        iterations=iterations,
        random_state=seed,
        num_threads=1,
    )
    return _fitted(model, confidence)


def pairwise_factors(
    clicks: Any, *, factors: int, ridge: float, rate: float, iterations: int, seed: int
) -> Array:
    """Items' factors and bias by implicit's `BayesianPersonalizedRanking`, `(items, factors + 1)`.

    Args:
        clicks: scipy CSR array `(users, items)`, an entry for each item clicked.
        factors: of users and items, but for the bias.
        ridge: of the factors.
        rate: of learning.
        iterations: passes over the clicks.
        seed: of the first factors and the order.
    """
    from implicit.cpu.bpr import (  # type: ignore[import-untyped]  # ships no types
        BayesianPersonalizedRanking,
    )

    model = BayesianPersonalizedRanking(
        factors=factors,
        regularization=ridge,
        learning_rate=rate,
        iterations=iterations,
        random_state=seed,
        num_threads=1,
    )
    return _fitted(model, clicks)


def _fitted(model: Any, matrix: Any) -> Array:
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]  # ships no types

    with one_thread():
        model.fit(csr_matrix(matrix), show_progress=False)
    return np.asarray(model.item_factors, np.float32)


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra by one thread, without which implicit warns; its own is faster then."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

    with threadpool_limits(limits=1, user_api="blas"):
        yield
