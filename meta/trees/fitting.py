"""Fits a ranker: least squares, then boosted trees on what it leaves unexplained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from lightgbm import Booster, Dataset, early_stopping, train

from driftrec.envs.arrays import Array
from driftrec.meta.trees.config import TreesConfig
from driftrec.meta.trees.ranker import Ranker

PATIENCE = 15
"""Trees without a smaller error on held-out users, after which no more are grown."""

SHRINKAGE = 1e-3
"""Of the least-squares fit, as a share of a column's variance."""


@dataclass(frozen=True)
class Rows:
    """Rows of statistics by request.

    Attributes:
        columns: float32 `(requests, n, columns)`.
        labels: of each item of a request, `(requests, n)`.
    """

    columns: Array
    labels: Array

    @property
    def flat(self) -> Array:
        """All rows, `(requests n, columns)`."""
        return self.columns.reshape(-1, self.columns.shape[2])

    def centred(self, labels: Array) -> Array:
        """Labels less their mean over the items of a request, or over all where it has one item.

        Only differences between items rank them; the user's level and mood, which are most of a
        logit's variance, would be noise.
        """
        return labels - labels.mean(None if labels.shape[1] == 1 else 1, keepdims=True)

    def unexplained(self, scores: Array) -> Array:
        """What the scores of all rows leave of the centred labels, `(requests n,)`."""
        left = self.labels - scores.reshape(self.labels.shape)
        return self.centred(left).reshape(-1)


def fit_ranker(
    rows: Rows,
    held_out: Rows,
    config: TreesConfig,
    rate: float,
    seed: int,
    base: Ranker | None = None,
) -> Ranker:
    """Fit to the rows of training users, and stop by those of held-out users.

    Args:
        rows: of training users.
        held_out: of validation users.
        config: how many trees, and of which size.
        rate: boosting rate.
        seed: of the shares of rows and columns that a tree sees, and of bootstraps.
        base: a ranker of as many members, whose linear fit is kept and whose trees are added to.
    """
    linear = base.linear if base else least_squares(rows)
    start = Ranker(linear, config.linear_start)
    both = [part.unexplained(_start(start, part)) for part in (rows, held_out)]
    members = []
    for member in range(config.members):
        chosen = _bootstrap(rows, config.members, np.random.default_rng([seed, member]))
        grown = base.members[member] if base else ""
        members.append(_boost(rows, held_out, both, chosen, config, rate, seed + member, grown))
    ranker = Ranker(linear, config.linear_start, tuple(members))
    if not config.upper:
        return ranker
    errors = [part.unexplained(ranker.scores(part.flat)) for part in (rows, held_out)]
    quantile = {"objective": "quantile", "alpha": config.quantile}
    grown = base.upper if base else ""
    upper = _boost(rows, held_out, errors, None, config, rate, seed, grown, quantile)
    return Ranker(linear, config.linear_start, tuple(members), upper)


def _start(ranker: Ranker, part: Rows) -> Array:
    return part.flat @ ranker.linear if ranker.linear_start else np.zeros(part.labels.size)


def held_out_error(ranker: Ranker, held_out: Rows) -> float:
    """Root mean square of what the ranker leaves unexplained."""
    return float(np.sqrt(np.mean(held_out.unexplained(ranker.scores(held_out.flat)) ** 2)))


def least_squares(rows: Rows) -> Array:
    """Weights of the columns, by least squares within requests, float32 `(columns,)`.

    Where a request has several items it has an intercept of its own (a fixed effect), so that a
    column that does not differ between them weighs nothing.
    """
    columns, labels = rows.columns.astype(np.float64), rows.labels.astype(np.float64)
    axes = (0, 1) if labels.shape[1] == 1 else 1
    columns = columns - columns.mean(axes, keepdims=True)
    columns = columns.reshape(-1, columns.shape[2])
    labels = (labels - labels.mean(axes, keepdims=True)).reshape(-1)
    spread = columns.std(0)
    varies = spread > 1e-6
    z = columns[:, varies] / spread[varies]
    gram = z.T @ z / len(z) + SHRINKAGE * np.eye(z.shape[1])
    weights = np.zeros(len(spread))
    weights[varies] = np.linalg.solve(gram, z.T @ labels / len(z)) / spread[varies]
    return weights.astype(np.float32)


def _bootstrap(rows: Rows, members: int, rng: np.random.Generator) -> Array | None:
    """Rows of as many requests, drawn with replacement; None for all of them."""
    if members == 1:
        return None
    requests, items = rows.labels.shape
    drawn = rng.integers(0, requests, requests)
    chosen: Array = (drawn[:, None] * items + np.arange(items)).reshape(-1)
    return np.sort(chosen)


def _boost(
    rows: Rows,
    held_out: Rows,
    labels: list[Array],
    chosen: Array | None,
    config: TreesConfig,
    rate: float,
    seed: int,
    grown: str,
    objective: dict[str, Any] | None = None,
) -> str:
    """The text of a boosted model of the labels of both parts, added to the trees grown before."""
    keep = slice(None) if chosen is None else chosen
    learnt = Dataset(rows.flat[keep], labels[0][keep])
    watched = Dataset(held_out.flat, labels[1], reference=learnt)
    booster = train(
        _parameters(config, rate, seed) | (objective or {}),
        learnt,
        config.trees,
        valid_sets=[watched],
        init_model=Booster(model_str=grown) if grown else None,
        callbacks=[early_stopping(PATIENCE, verbose=False)],
    )
    return str(booster.model_to_string(num_iteration=booster.best_iteration))


def _parameters(config: TreesConfig, rate: float, seed: int) -> dict[str, Any]:
    """LightGBM's parameters: one thread and one layout, so that a seed gives one model."""
    return {
        "objective": "regression",
        "learning_rate": rate,
        "num_leaves": config.leaves,
        "min_data_in_leaf": config.min_rows,
        "lambda_l2": 10.0,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
