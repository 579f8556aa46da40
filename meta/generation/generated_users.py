"""Users of a model, except that who they are comes from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from driftrec.envs import DriftingUser, Population
from driftrec.envs.drifting_state import DriftingUserState
from driftrec.envs.wrapped_users import WrappedUsers
from driftrec.meta.generation.sources import VectorSource
from driftrec.meta.generation.vectors import UserVectors


@dataclass(frozen=True, eq=False)
class GeneratedUsers(WrappedUsers):
    """Drifting users whose lasting parts are drawn from a source of vectors.

    Mood, whims and all that passes begin in the model's own stationary laws, and users behave as
    the model says.

    Attributes:
        model: how the users behave.
        source: who they are; see `UserVectors` for what the numbers mean.

    Raises:
        ValueError: if the model is not a `DriftingUser`.
    """

    model: DriftingUser
    source: VectorSource

    def __post_init__(self) -> None:
        if not isinstance(self.model, DriftingUser):
            raise ValueError(
                f"users are generated for a DriftingUser, got {type(self.model).__name__}"
            )
        super().__post_init__()

    @cached_property
    def vectors(self) -> UserVectors:
        """What turns users into vectors and back."""
        return UserVectors(self.model)

    def sample(self, users: int, rng: np.random.Generator) -> DriftingUserState:
        """New users of the model, with the vectors of the source."""
        state = self.model.sample(users, rng)
        return self.vectors.write(self.source.draw(users, rng), state)


def drifting_model(population: Population) -> DriftingUser:
    """The model of a population's training users.

    Raises:
        ValueError: if it is not a `DriftingUser`.
    """
    model = population.split("train").model
    if not isinstance(model, DriftingUser):
        raise ValueError(
            f"users are generated for a population of DriftingUser, got {type(model).__name__}: "
            "give Feed, KuaiRand or another fitted population"
        )
    return model


def fitted_vectors(population: Population, users: int, seed: int) -> np.ndarray:
    """Vectors of a finite set of the population's training users, `(users, size)`.

    They stand for users fitted one by one to a log, of whom a log gives few.
    """
    model = drifting_model(population)
    return UserVectors(model).of(model.sample(users, np.random.default_rng([seed, users])))


def with_training_users(population: Population, source: VectorSource) -> Population:
    """The population with training users from a source; all other splits stay as they are."""
    model, catalogue = population.split("train").model, population.split("train").catalogue
    users = GeneratedUsers(model, source)  # type: ignore[arg-type]  # checked there
    return replace(population, variants={**population.variants, "train": (users, catalogue)})
