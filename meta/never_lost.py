"""Users who always come back, for training on the risk of losing them instead of the loss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from driftrec.envs import (
    Catalogue,
    FeedbackDistribution,
    Population,
    ReturnGap,
    Slate,
    Stream,
    UserModel,
)
from driftrec.envs.arrays import Array


@dataclass(frozen=True, eq=False)
class NeverLost(UserModel):
    """The users of another model, except that a session never is their last.

    Training weighs what comes later by the chance that the user would still be there
    (`survival`), which is the same problem: but one in which chance does not decide who is lost,
    and no user of a batch is idle.

    Attributes:
        model: how the users behave otherwise.
    """

    model: UserModel

    def __post_init__(self) -> None:
        for name in ("seconds_per_request", "feedback_range", "verified", "context_size"):
            object.__setattr__(self, name, getattr(self.model, name))

    def survival(self, state: Any) -> Array:
        """Chance that a user is not lost now, after a request, `(users,)`."""
        return 1 - self.model.leave(state) * self.model.return_after(state).never

    def sample(self, users: int, rng: np.random.Generator) -> Any:
        """As the model."""
        return self.model.sample(users, rng)

    def context(self, state: Any) -> Array:
        """As the model."""
        return self.model.context(state)

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
        """The model's gap, given that the user returns."""
        law = self.model.return_after(state)
        return ReturnGap(law.never * 0, law.median, law.shape)

    def click_probability(self, state: Any, catalogue: Catalogue) -> Array:
        """As the model."""
        return self.model.click_probability(state, catalogue)

    def item_values(self, state: Any, catalogue: Catalogue) -> Array:
        """As the model."""
        return self.model.item_values(state, catalogue)

    def default_catalogue(self) -> Catalogue:
        """As the model."""
        return self.model.default_catalogue()


def never_lost(population: Population) -> Population:
    """The population with every user coming back, in all splits."""
    variants = {
        name: (NeverLost(model), catalogue)
        for name, (model, catalogue) in population.variants.items()
    }
    return replace(population, model=NeverLost(population.model), variants=variants)
