"""Users who take on another persona at one request: an abrupt change whose time is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from driftrec.envs.arrays import Array, like, namespace, rows_of
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.drifting_state import DriftingUserState
from driftrec.envs.drifting_user import DriftingUser
from driftrec.envs.feedback import FeedbackDistribution
from driftrec.envs.random import Stream
from driftrec.envs.user_model import ReturnGap
from driftrec.envs.wrapped_users import WrappedUsers


@dataclass(slots=True)
class JumpState:
    """Hidden state; the first axis of every array is the user.

    Attributes:
        user: as the wrapped model has it.
        request: requests so far in the trial, int32 `(users,)`.
    """

    user: DriftingUserState
    request: Array


@dataclass(frozen=True, eq=False)
class PersonaJump(WrappedUsers):
    """Drifting users all of whom change their persona after the same number of requests.

    What is individual in a user's taste stays, as in a life event. The new persona follows from
    the user, not from the luck: every policy meets the same change.

    Attributes:
        model: a `DriftingUser` of at least two personas.
        request: requests before the change, at least 1.

    Raises:
        ValueError: if the model is another one, or an option is out of range.
    """

    request: int = 60

    def __post_init__(self) -> None:
        if not isinstance(self.model, DriftingUser) or len(self.model.personas) < 2:
            raise ValueError(
                "model must be a DriftingUser of at least two personas, got "
                f"{type(self.model).__name__}"
            )
        if self.request < 1:
            raise ValueError(f"request must be at least 1, got {self.request}")
        super().__post_init__()

    def inner_state(self, state: JumpState) -> DriftingUserState:
        """The users without the count of their requests."""
        return state.user

    def sample(self, users: int, rng: np.random.Generator) -> JumpState:
        """New users, before their change."""
        return JumpState(self.model.sample(users, rng), np.zeros(users, np.int32))

    def respond(self, state: JumpState, slate: Slate) -> FeedbackDistribution:
        """As the model."""
        return self.model.respond(state.user, slate)

    def react(self, state: JumpState, slate: Slate, feedback: Array) -> JumpState:
        """As the model; the request is counted."""
        return JumpState(self.model.react(state.user, slate, feedback), state.request + 1)

    def drift(self, state: JumpState, elapsed: Array, rng: Stream) -> JumpState:
        """As the model, and then the change, where it is due."""
        user: DriftingUserState = self.model.drift(state.user, elapsed, rng)
        due = state.request == self.request
        if namespace(due).count_nonzero(due):
            user = self._changed(user, due)
        return JumpState(user, state.request)

    def leave(self, state: JumpState) -> Array:
        """As the model."""
        return self.model.leave(state.user)

    def return_after(self, state: JumpState) -> ReturnGap:
        """As the model."""
        return self.model.return_after(state.user)

    def context(self, state: JumpState) -> Array:
        """As the model."""
        return self.model.context(state.user)

    def click_probability(self, state: JumpState, catalogue: Catalogue) -> Array:
        """As the model."""
        return self.model.click_probability(state.user, catalogue)

    def item_values(self, state: JumpState, catalogue: Catalogue) -> Array:
        """As the model."""
        return self.model.item_values(state.user, catalogue)

    def _changed(self, user: DriftingUserState, due: Array) -> DriftingUserState:
        """The users, those who are due with another persona."""
        xp = namespace(user.core)
        personas = like(user.core, self.model.personas)  # type: ignore[attr-defined]  # checked above
        count = personas.shape[0]
        step = 1 + xp.astype(user.traits.key % (count - 1), user.persona.dtype)
        persona = xp.where(due, (user.persona + step) % count, user.persona)
        shift = rows_of(personas, persona) - rows_of(personas, user.persona)
        return replace(user, persona=persona, core=user.core + shift)
