"""Cross-validation over users: each of a finite set is tested once, by who learned from others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from driftrec.envs import Population
from driftrec.envs.arrays import take
from driftrec.envs.finite_users import FiniteUsers
from driftrec.envs.wrapped_users import WrappedUsers


@dataclass(frozen=True, eq=False)
class PoolPart(WrappedUsers):
    """Some of a finite set of users, each of whom is met before any is met again.

    Attributes:
        model: the whole set.
        members: their row numbers in it, `(members,)`.

    Raises:
        ValueError: if there are none.
    """

    model: FiniteUsers
    members: np.ndarray

    def __post_init__(self) -> None:
        if not len(self.members):
            raise ValueError("a part of a pool must have at least one user, got none")
        super().__post_init__()

    def sample(self, users: int, rng: np.random.Generator) -> Any:
        """Members in random order, as often through as it takes."""
        rounds = -(-users // len(self.members))
        orders = [rng.permutation(self.members) for _ in range(rounds)] or [self.members]
        return take(self.model.pool, np.concatenate(orders)[:users])


def folds(population: Population, k: int, users: int, seed: int = 0) -> tuple[Population, ...]:
    """Populations for k-fold cross-validation over a finite set of training users.

    The set is drawn once from the training users. Of fold i, the users of `test` are the i-th part
    of it, those of `train` all others. A test on as many users as there are members in one batch
    meets each once. Users of `validation` and of `ood-*` are those of the population, who do not
    belong to the set.

    Args:
        population: whose training users the set is drawn from.
        k: number of folds.
        users: in the set.
        seed: of the set and of its parts.

    Raises:
        ValueError: if k is not between 2 and the number of users.
    """
    if not 2 <= k <= users:
        raise ValueError(f"k must lie in [2, {users}] (users), got {k}")
    split = population.split("train")
    pool = FiniteUsers(split.model, users, seed)
    order = np.random.default_rng([seed, users, k]).permutation(users)
    parts = np.array_split(order, k)
    return tuple(
        replace(
            population,
            name=f"{population.name}-fold-{number + 1}-of-{k}",
            variants={
                **population.variants,
                "train": (
                    PoolPart(pool, np.concatenate(parts[:number] + parts[number + 1 :])),
                    split.catalogue,
                ),
                "test": (PoolPart(pool, part), split.catalogue),
            },
        )
        for number, part in enumerate(parts)
    )
