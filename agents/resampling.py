"""Weights of particles, and their resampling."""

from __future__ import annotations

import numpy as np

from driftrec.envs.arrays import Array


def normalised(log_weight: Array) -> Array:
    """Weights that sum to one for each user, `(users, particles)`."""
    weight = np.exp(log_weight - log_weight.max(1, keepdims=True))
    return weight / weight.sum(1, keepdims=True)


def systematic(weight: Array, rng: np.random.Generator) -> Array:
    """Draw as many particles as there are, each about as often as its weight says.

    A particle of weight w among N is drawn floor(N w) or ceil(N w) times, N w times on average
    (Kitagawa 1996; Douc, Cappé and Moulines 2005, section 2.4).

    Args:
        weight: rows sum to one, `(users, particles)`.
        rng: one draw for each user.

    Returns:
        Row numbers in the flattened array of all users' particles, `(users, particles)`.
    """
    users, count = weight.shape
    # One search serves all users: the weights of user i fill the interval from i to i + 1.
    user = np.arange(users)[:, None]
    bounds = np.cumsum(weight, axis=1)
    places = (np.arange(count) + rng.random((users, 1))) / count + user
    drawn = np.searchsorted((bounds / bounds[:, -1:] + user).ravel(), places, side="right")
    return np.clip(drawn, user * count, user * count + count - 1)


def resample_poor(log_weight: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Resample the users whose effective sample size 1 / sum w^2 is below half the particles.

    Args:
        log_weight: up to a constant of the user, `(users, particles)`.
        rng: for `systematic`.

    Returns:
        The particles to keep, as `systematic` numbers them, and their new log weights.
    """
    weight = normalised(log_weight)
    users, count = weight.shape
    poor = 1 / np.square(weight).sum(1, keepdims=True) < count / 2
    stay = np.arange(users * count).reshape(users, count)
    chosen = np.where(poor, systematic(weight, rng), stay)
    return chosen, np.where(poor, 0.0, log_weight - log_weight.max(1, keepdims=True))
