"""What the tasks share on which meta-learners are compared with published results."""

from __future__ import annotations

import math

import numpy as np

from driftrec.envs.catalogue import Catalogue
from driftrec.envs.population import Population
from driftrec.envs.user_model import UserModel


def one_hot_catalogue(items: int) -> Catalogue:
    """Items that differ in nothing but their number: features one-hot, one topic, no quality."""
    return Catalogue(
        np.eye(items, dtype=np.float32),
        np.ones((items, 1), np.float32),
        np.zeros(items, np.float32),
    )


def task_population(name: str, model: UserModel, requests: int) -> Population:
    """Users of one kind, in all splits alike, met for a number of requests."""
    catalogue = model.default_catalogue()
    return Population(name, model, catalogue, max_requests=requests, repeats=True)


def check_counts(**counts: int) -> None:
    """Refuse counts that are not whole numbers of at least 1.

    Raises:
        ValueError: if one is not.
    """
    for name, count in counts.items():
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"{name} must be a whole number, 1 or more, got {count!r}")


def check_noise(sd: float) -> None:
    """Refuse a standard deviation that is none.

    Raises:
        ValueError: if it is not positive and finite.
    """
    if not 0 < sd < math.inf:
        raise ValueError(f"sd must be positive and finite, got {sd}")
