"""Point estimates, and bootstrap intervals over training seeds and users.

A bootstrap draw is a vector of weights: how often each user was drawn. A statistic that takes
weights is then computed for all draws at once, and two statistics computed with the same weights
are a paired comparison.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Interval:
    """An estimate with the bounds of its interval: numbers, or arrays of a curve's points."""

    value: Any
    low: Any
    high: Any

    @classmethod
    def of(cls, value: Any, draws: np.ndarray, level: float = 0.95) -> Interval:
        """Percentile interval (Efron and Tibshirani 1993, section 13.3).

        Args:
            value: the estimate, a number or `(points,)`.
            draws: the same in each bootstrap draw, `(draws,)` or `(draws, points)`. Draws in which
                it is undefined (NaN) are left out.
            level: probability that the interval holds the truth.
        """
        low, high = _quantiles(draws, np.array([(1 - level) / 2, (1 + level) / 2]))
        if draws.ndim == 1:
            return cls(float(value), float(low), float(high))
        return cls(np.asarray(value), low, high)


def _quantiles(draws: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Quantiles of the draws that are not NaN, NaN where none is."""
    # Numpy's own way with NaN is a loop over points: slow, and seldom needed.
    if not np.isnan(draws).any():
        return np.asarray(np.quantile(draws, shares, axis=0))
    undefined = np.isnan(draws).all(axis=0)
    bounds: np.ndarray = np.nanquantile(np.where(undefined, 0.0, draws), shares, axis=0)
    return np.where(undefined, np.nan, bounds)


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over users of those values that are not NaN.

    Args:
        values: `(users,)` or `(users, points)`.
        weights: `(draws, users)`.

    Returns:
        `(draws,)` or `(draws, points)`; NaN where nobody has a value.
    """
    known = np.isfinite(values)
    total = weights @ np.where(known, values, 0).astype(weights.dtype)
    return ratio(total, weights @ known.astype(weights.dtype))


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient, NaN where the denominator is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator == 0, np.nan, numerator / denominator)


def pooled_quantile(
    values: np.ndarray, user: np.ndarray, weights: np.ndarray, share: float, blocks: int = 64
) -> np.ndarray:
    """The smallest value at or below which lies at least `share` of the weight.

    Each user may have many values, all of the user's weight. They are cut into blocks in their
    order. The weight in each says in which block the quantile lies, and only there it is looked
    for.

    Args:
        values: without NaN, `(values,)`.
        user: whose each value is, `(values,)`.
        weights: of the users, `(draws, users)`.
        share: in [0, 1].
        blocks: how many.

    Returns:
        `(draws,)`; NaN where there is no weight at all.
    """
    draws, users = weights.shape
    found = np.full(draws, np.nan)
    if not len(values):
        return found
    order = np.argsort(values, kind="stable")
    values, user = values[order], user[order]
    block = np.arange(len(values)) * blocks // len(values)
    count = np.bincount(user * blocks + block, minlength=users * blocks).reshape(users, blocks)
    below = np.cumsum(weights @ count.astype(weights.dtype), axis=1, dtype=np.float64)
    target = share * below[:, -1] - 1e-9
    where = (below >= target[:, None]).argmax(axis=1)
    for number in np.unique(where):
        rows, inside = np.flatnonzero(where == number), np.flatnonzero(block == number)
        before = below[rows, number - 1] if number else np.zeros(len(rows))
        upto = np.cumsum(weights[np.ix_(rows, user[inside])], axis=1, dtype=np.float64)
        first = (upto >= (target[rows] - before)[:, None]).argmax(axis=1)
        found[rows] = values[inside][first]
    return np.where(below[:, -1] > 0, found, np.nan)


def interquartile_mean(values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean of the middle half (Agarwal et al. 2021, "Deep reinforcement learning at the edge").

    A value that straddles a quartile counts by the part of it that lies inside.

    Args:
        values: without NaN, `(users,)`, or `(draws, users)` where each draw has its own.
        weights: `(draws, users)`; all one if left out.

    Returns:
        `(draws,)`, of one draw if there are no weights.
    """
    weights = np.ones((1, values.shape[-1])) if weights is None else weights
    order = np.argsort(values, axis=-1, kind="stable")
    several = values.ndim == 2
    ordered = np.take_along_axis(weights, order, axis=1) if several else weights[:, order]
    upper = np.cumsum(ordered, axis=1)
    total = upper[:, -1:].copy()
    np.clip(upper, 0.25 * total, 0.75 * total, out=upper)
    inside = np.diff(upper, axis=1, prepend=0.25 * total)
    ranked = np.take_along_axis(values, order, axis=-1)
    middle = np.vecdot(inside, ranked) if several else inside @ ranked
    mean: np.ndarray = middle / (0.5 * total[:, 0])
    return mean


def linear_draws(value: float, derivative: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """A statistic under other weights of users, to first order, `(draws,)`.

    Args:
        value: with all users counting the same.
        derivative: with respect to the share of each user, of mean 0, `(users,)`.
        weights: `(draws, users)`.
    """
    moved: np.ndarray = ratio(weights @ derivative.astype(weights.dtype), weights.sum(1))
    return value + moved


def user_weights(strata: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """How often each user is drawn, stratum by stratum.

    Of n users n - 1 are drawn with replacement, which makes the variance of the draws that of
    the estimate without a factor (n - 1) / n (Rao and Wu 1988).

    Args:
        strata: which stratum each user belongs to, integers `(users,)`.
        draws: number of bootstrap draws.
        rng: draws them.

    Returns:
        float32 `(draws, users)`.
    """
    weights = np.empty((draws, len(strata)), np.float32)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        weights[:, members] = seed_weights(len(members), draws, rng)
    return weights


def seed_weights(count: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """How often each of `count` seeds is drawn, float32 `(draws, count)`.

    One less than there are is drawn, as for users: with three seeds the plain bootstrap would
    make the variance between them a third too small. One seed alone is always drawn: its
    interval then says nothing about other seeds.
    """
    taken = max(count - 1, 1)
    return rng.multinomial(taken, np.full(count, 1 / count), size=draws).astype(np.float32)
