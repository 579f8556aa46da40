"""Users who are environments of another package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NoReturn

import numpy as np

from driftrec.envs.arrays import Array
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.feedback import FeedbackDistribution
from driftrec.envs.foreign.spaces import Actions
from driftrec.envs.meta_tasks import check_counts, one_hot_catalogue
from driftrec.envs.user_model import UserModel, UserModelError

Draw = Callable[[np.random.Generator], Mapping[str, Any]]
"""Draws the keyword arguments of an environment."""

Feedback = str | Callable[[Any, float, Any], Any]
"""A key of `info`, or a function of observation, reward and info: the feedback, `(slate,)`."""

PARAMETERS = 1
"""Sets the draw of keyword arguments apart from what the environment draws by the same seed."""


@dataclass
class ForeignState:
    """What is known here of a batch of foreign environments; the first axis is the user.

    Attributes:
        seed: of each task, int64 `(users,)`; privileged.
        context: the last observation, float32 `(users, context_size)`.
    """

    seed: Array
    context: Array


@dataclass(frozen=True, eq=False)
class ForeignUsers(UserModel):
    """Each user is an environment of its own, made by a factory with drawn keyword arguments.

    They are known by what they do alone: what they would have done with another slate cannot be
    asked, so that there are no click probabilities, oracles or filters of the true model, and
    learners go by feedback. `driftrec.envs.foreign_population` makes them; see there.

    Attributes:
        make: makes an environment.
        draw: its keyword arguments, None for none.
        actions: what can be chosen.
        numbers: how many an observation holds.
        observe: turns an observation into numbers, or None to flatten it.
        feedback: see `Feedback`; None for an equal part of the reward in each slot.
        bounds: lowest and highest feedback.
        best_action: tells the best item now of an environment, or None.
        episodes: in a trial.
        processes: among which the users are divided, 0 for this one.
    """

    observed_only: ClassVar[bool] = True

    make: Callable[..., Any]
    draw: Draw | None
    actions: Actions
    numbers: int
    observe: Callable[[Any], Any] | None = None
    feedback: Feedback | None = None
    bounds: tuple[float, float] = (-float("inf"), float("inf"))
    best_action: Callable[[Any], int] | None = None
    episodes: int = 1
    processes: int = 0
    name: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        check_counts(episodes=self.episodes)
        if not isinstance(self.processes, int) or self.processes < 0:
            raise ValueError(f"processes must be a whole number, 0 or more, got {self.processes!r}")
        if not self.bounds[0] < self.bounds[1]:
            raise ValueError(f"feedback_range must go from low to high, got {self.bounds}")
        object.__setattr__(self, "context_size", self.numbers)
        object.__setattr__(self, "feedback_range", self.bounds)

    def parameters(self, seed: int) -> dict[str, Any]:
        """The keyword arguments of the task of a seed.

        Raises:
            UserModelError: if what was drawn is no mapping from names.
        """
        if self.draw is None:
            return {}
        drawn = self.draw(np.random.default_rng([PARAMETERS, seed]))
        if not isinstance(drawn, Mapping) or not all(isinstance(name, str) for name in drawn):
            raise UserModelError(
                f"draw must give keyword arguments, a mapping from names, got {drawn!r}"
            )
        return dict(drawn)

    def blame(
        self, what: str, error: Exception, parameters: Mapping[str, Any], seed: int
    ) -> UserModelError:
        """The error for what an environment raised, which says in which task."""
        return UserModelError(
            f"{what} of an environment of {self.name!r} raised {type(error).__name__}: {error} "
            f"{task_of(parameters, seed)}"
        )

    def sample(self, users: int, rng: np.random.Generator) -> NoReturn:
        """Not to be had: the environments are made by `RecommendationVectorEnv`."""
        self._refuse("a hidden state to draw")

    def respond(self, state: Any, slate: Slate) -> FeedbackDistribution:
        """Not to be had: an environment answers to one slate a step."""
        self._refuse("distribution of the feedback on a slate")

    def click_probability(self, state: Any, catalogue: Catalogue) -> Array:
        """Not to be had."""
        self._refuse("expected feedback on each item")

    def context(self, state: ForeignState) -> Array:
        """The last observation, `(users, context_size)`."""
        return np.array(state.context)

    def default_catalogue(self) -> Catalogue:
        """Items that differ in nothing but their number, one-hot."""
        return one_hot_catalogue(self.actions.items)

    def _refuse(self, what: str) -> NoReturn:
        raise UserModelError(
            f"the environments of {self.name!r} are known by what they do alone: there is no "
            f"{what}. Oracles, filters of the true model, and regret need a UserModel; learners, "
            "and policies that read observations, do not"
        )


def task_of(parameters: Mapping[str, Any], seed: int) -> str:
    """Which task an error is about."""
    return f"(keyword arguments {dict(parameters)}, seed {seed})"
