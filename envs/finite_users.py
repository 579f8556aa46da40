"""A population whose training users are a finite set, as those of a log are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from driftrec.envs.arrays import take
from driftrec.envs.population import Population
from driftrec.envs.wrapped_users import WrappedUsers


@dataclass(frozen=True, eq=False)
class FiniteUsers(WrappedUsers):
    """The users of another model, drawn with replacement from a pool that was drawn once.

    A user of the pool begins every trial in the same hidden state; luck and drift are new each
    time.

    Attributes:
        model: how the users behave.
        users: in the pool.
        seed: of the pool.

    Raises:
        ValueError: if the pool would be empty.
    """

    users: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.users < 1:
            raise ValueError(f"users must be at least 1, got {self.users}")
        super().__post_init__()

    @cached_property
    def pool(self) -> Any:
        """Hidden states of all users that there are."""
        return self.model.sample(self.users, np.random.default_rng([self.seed, self.users]))

    def sample(self, users: int, rng: np.random.Generator) -> Any:
        """Users of the pool, each as likely as any other."""
        return take(self.pool, rng.integers(self.users, size=users))


def finite_users(population: Population, users: int, seed: int = 0) -> Population:
    """The population with a finite set of training users; all other splits stay as they are.

    Args:
        population: whose training users the set is drawn from.
        users: in the set.
        seed: of the set.

    Raises:
        ValueError: if the set would be empty.
    """
    split = population.split("train")
    few = FiniteUsers(split.model, users, seed)
    return replace(population, variants={**population.variants, "train": (few, split.catalogue)})
