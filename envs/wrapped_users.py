"""Users who behave as those of another model, but for what a subclass changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from driftrec.envs.arrays import Array
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.feedback import FeedbackDistribution
from driftrec.envs.random import Stream
from driftrec.envs.user_model import ReturnGap, UserModel


@dataclass(frozen=True, eq=False)
class WrappedUsers(UserModel):
    """A user model around another, which answers whatever a subclass does not.

    Attributes:
        model: how the users behave.
    """

    model: UserModel

    def __post_init__(self) -> None:
        for name in ("seconds_per_request", "feedback_range", "verified", "context_size"):
            object.__setattr__(self, name, getattr(self.model, name))

    def inner_state(self, state: Any) -> Any:
        """The model's own state in that of a subclass, which may keep more."""
        return state

    def sample(self, users: int, rng: np.random.Generator) -> Any:
        """As the model."""
        return self.model.sample(users, rng)

    def respond(self, state: Any, slate: Slate) -> FeedbackDistribution:
        """As the model."""
        return self.model.respond(state, slate)

    def react(self, state: Any, slate: Slate, feedback: Array) -> Any:
        """As the model."""
        return self.model.react(state, slate, feedback)

    def drift(self, state: Any, elapsed: Array, rng: Stream) -> Any:
        """As the model."""
        return self.model.drift(state, elapsed, rng)

    def leave(self, state: Any) -> Array:
        """As the model."""
        return self.model.leave(state)

    def return_after(self, state: Any) -> ReturnGap:
        """As the model."""
        return self.model.return_after(state)

    def context(self, state: Any) -> Array:
        """As the model."""
        return self.model.context(state)

    def click_probability(self, state: Any, catalogue: Catalogue) -> Array:
        """As the model."""
        return self.model.click_probability(state, catalogue)

    def item_values(self, state: Any, catalogue: Catalogue) -> Array:
        """As the model."""
        return self.model.item_values(state, catalogue)

    def default_catalogue(self) -> Catalogue:
        """As the model."""
        return self.model.default_catalogue()


def unwrapped(model: UserModel) -> UserModel:
    """The model inside all wrappers."""
    while isinstance(model, WrappedUsers):
        model = model.model
    return model
