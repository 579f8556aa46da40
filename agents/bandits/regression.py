"""Bayesian linear regression of many users at once, one click after the other."""

from __future__ import annotations

import numpy as np

from driftrec.agents.belief import Belief
from driftrec.envs.arrays import Array


def regress(belief: Belief, inputs: Array, target: Array, noise: float, weight: Array) -> Belief:
    """The exact posterior of weights w after target = <inputs, w> + N(0, noise).

    A rank-one update, the measurement step of Kalman (1960): with S the covariance and x the
    inputs, w gains S x (target - <x, w>) / (x' S x + noise), and S loses
    S x x' S / (x' S x + noise).

    Args:
        belief: before.
        inputs: `(users, D)`.
        target: `(users,)`.
        noise: variance.
        weight: 1 to learn, 0 to leave the row as it is, `(users,)`.
    """
    spread = np.vecdot(belief.covariance, inputs[:, None, :])
    gain = (weight / (np.vecdot(spread, inputs) + np.float32(noise)))[:, None] * spread
    news = (target - np.vecdot(belief.mean, inputs))[:, None]
    return Belief(
        belief.mean + gain * news, belief.covariance - gain[:, :, None] * spread[:, None, :]
    )
