"""Gaussian beliefs about many users: assumed-density filtering of clicks with logistic odds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftrec.envs.arrays import Array, sigmoid

_NODES, _WEIGHTS = (a.astype(np.float32) for a in np.polynomial.hermite_e.hermegauss(24))
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_MOMENTS = np.stack([_WEIGHTS, _WEIGHTS * _NODES, _WEIGHTS * _NODES**2], axis=1)


@dataclass(slots=True)
class Belief:
    """A Gaussian for each user; the first axis of every array is the user.

    Attributes:
        mean: `(users, D)`.
        covariance: `(users, D, D)`.
    """

    mean: Array
    covariance: Array


def predict(belief: Belief, prior: Belief, kept: Array) -> Belief:
    """Let stationary Ornstein-Uhlenbeck processes run: the exact transition.

    Component i keeps kept_i of its distance to the mean, and the covariance S of the stationary
    law is kept: C_ij becomes S_ij + kept_i kept_j (C_ij - S_ij).

    Args:
        belief: before.
        prior: the stationary law, one row.
        kept: exp(-rate * elapsed) of each component, `(users, D)`.
    """
    both = kept[:, :, None] * kept[:, None, :]
    return Belief(
        prior.mean + kept * (belief.mean - prior.mean),
        prior.covariance + both * (belief.covariance - prior.covariance),
    )


def absorb(
    belief: Belief, loading: Array, offset: Array, clicked: Array, weight: Array
) -> tuple[Belief, Array]:
    """Learn from a click or skip whose logit is <loading, state> + offset.

    The posterior's first two moments along the logit are exact up to quadrature (24 Gauss-Hermite
    nodes), and so is the mean and covariance of the state, which depend on the click through the
    logit alone: a rank-one update (assumed-density filtering; Minka 2001, section 3.3).

    Args:
        belief: before the click.
        loading: `(users, D)`.
        offset: `(users,)`.
        clicked: above 0 for a click, 0 for a skip, `(users,)`.
        weight: 1 to learn, 0 to leave the row as it is, `(users,)`.

    Returns:
        The belief after, and the log-probability that it had given to what happened, `(users,)`.
    """
    spread = np.vecdot(belief.covariance, loading[:, None, :])
    variance = np.maximum(np.vecdot(spread, loading), np.float32(1e-9))
    sd = np.sqrt(variance)
    centre = np.vecdot(belief.mean, loading) + offset
    sign = np.where(clicked > 0, np.float32(1), np.float32(-1))
    likelihood = sigmoid(sign[:, None] * (centre[:, None] + sd[:, None] * _NODES))
    chance, first, second = (likelihood @ _MOMENTS).T
    shift = first / chance
    shrinkage = second / chance - shift * shift - 1
    step = (weight * shift / sd)[:, None] * spread
    factor = weight * shrinkage / variance
    outer = (factor[:, None] * spread)[:, :, None] * spread[:, None, :]
    return Belief(belief.mean + step, belief.covariance + outer), weight * np.log(chance)


def sample(belief: Belief, normal: Array) -> Array:
    """Draws from the beliefs, `(users, D)`, made of standard normals of that shape."""
    tiny = np.float32(1e-6) * np.eye(normal.shape[1], dtype=np.float32)
    root = np.linalg.cholesky(belief.covariance + tiny)
    return belief.mean + np.vecdot(root, normal[:, None, :])
