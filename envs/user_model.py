"""The contract of a user model: the place where other simulators plug in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from driftrec.envs.arrays import Array, leaves, namespace, rows_of
from driftrec.envs.catalogue import Catalogue, Slate, synthetic_catalogue
from driftrec.envs.feedback import FeedbackDistribution
from driftrec.envs.random import Stream


class UserModelError(ValueError):
    """A user model returned something that its contract rules out."""


@dataclass(frozen=True)
class ReturnGap:
    """Days until a user's next session: log-logistic, or never.

    The survival function among those who return is 1 / (1 + (t / median) ** shape): a power law
    tail, as real gaps have. A subclass with another law overrides all methods.

    Attributes:
        never: probability of not returning at all, `(users,)`.
        median: days, `(users,)`.
        shape: tail exponent; the mean is infinite at 1 and below.
    """

    never: Array
    median: Array
    shape: float = 1.0

    def rows(self, index: Array) -> ReturnGap:
        """The law of the users of some row numbers."""
        return ReturnGap(rows_of(self.never, index), rows_of(self.median, index), self.shape)

    def draw(self, uniform: Array) -> Array:
        """Days until the next session, infinity for never, by inversion.

        Args:
            uniform: draws on [0, 1), `(users,)`; the lowest `never` of them do not return.
        """
        xp = namespace(uniform)
        rank = uniform - self.never
        # A draw stands for its cell, of width 2^-24: its middle is never 0.
        odds = abs(rank + 2**-25) / (1 - uniform)
        gap = self.median * odds ** (1 / self.shape)
        gone = rank < 0
        if xp.count_nonzero(gone):
            gap[gone] = float("inf")
        return gap

    def survival(self, days: float) -> Array:
        """Probability of still being away after `days`, `(users,)`."""
        return self.never + (1 - self.never) / (1 + (days / self.median) ** self.shape)


@dataclass(frozen=True, eq=False)
class UserModel(ABC):
    """How users behave: a frozen dataclass of parameters, with hidden state kept outside it.

    A state is a dataclass of arrays whose first axis is the user. Methods are functions of the
    state: they return a new one and never change the one they are given. What a model leaves out
    is answered here: no reaction, no drift, never leaves.

    One request runs `respond`, then `react`, then `leave` and, for who leaves, `return_after`;
    then `drift` over the time until the next request.

    Attributes:
        seconds_per_request: time between two requests of a session.
        feedback_range: the lowest and the highest feedback.
        verified: whether the model's answers are known to be finite, so that the engine need not
            look at each of them.
        context_size: how many numbers of a user's situation are public, 0 for none.
        observed_only: whether users are known by what they do alone, as those of a foreign
            environment are: learners then go by feedback instead of what is expected of them.
    """

    seconds_per_request: ClassVar[float] = 30.0
    feedback_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    verified: ClassVar[bool] = False
    context_size: ClassVar[int] = 0
    observed_only: ClassVar[bool] = False

    @abstractmethod
    def sample(self, users: int, rng: np.random.Generator) -> Any:
        """Draw hidden states of new users, as numpy arrays with `users` rows (0 is allowed)."""

    @abstractmethod
    def respond(self, state: Any, slate: Slate) -> FeedbackDistribution:
        """The distribution of feedback on a slate, shape `(users, slate)`."""

    def react(self, state: Any, slate: Slate, feedback: Array) -> Any:
        """What being shown and clicking does at once: satiation, influence, satisfaction."""
        return state

    def drift(self, state: Any, elapsed: Array, rng: Stream) -> Any:
        """What time alone does.

        Args:
            state: the hidden state.
            elapsed: days until the next request, `(users,)`.
            rng: draws with the user as first axis, the same number at every call.
        """
        return state

    def leave(self, state: Any) -> Array:
        """Probability that the session ends now, `(users,)`."""
        first = next(iter(leaves(state).values()))
        xp = namespace(first)
        return xp.zeros(first.shape[0], dtype=xp.float32, device=_device(first))

    def return_after(self, state: Any) -> ReturnGap:
        """Days until the next session of a user who leaves now: here about a day, never churned."""
        none = self.leave(state) * 0
        return ReturnGap(never=none, median=none + 1)

    def context(self, state: Any) -> Array:
        """What agents may see of a user's situation, finite float32 `(users, context_size)`.

        It is asked for only where `context_size` is positive, and is then part of observations.
        """
        first = next(iter(leaves(state).values()))
        xp = namespace(first)
        return xp.zeros((first.shape[0], 0), dtype=xp.float32, device=_device(first))

    def click_probability(self, state: Any, catalogue: Catalogue) -> Array:
        """Expected feedback on each item shown alone and for the first time, `(users, items)`.

        This is privileged knowledge: oracles read it, policies never do.
        """
        first = next(iter(leaves(state).values()))
        xp = namespace(first)
        users, device = first.shape[0], _device(first)
        none = xp.zeros((users, 1), dtype=xp.float32, device=device)
        columns = [
            self.respond(
                state,
                catalogue.show(xp.full((users, 1), item, dtype=xp.int64, device=device), none),
            ).mean
            for item in range(len(catalogue))
        ]
        return xp.concat(columns, axis=1)

    def item_values(self, state: Any, catalogue: Catalogue) -> Array:
        """What showing an item now is worth to who knows all, `(users, items)`.

        Here the expected feedback on it. A model in which an item decides what comes next counts
        that too; only differences between items matter then. Learners that are taught by labels
        are taught these; policies never read them.
        """
        return self.click_probability(state, catalogue)

    def default_catalogue(self) -> Catalogue:
        """The catalogue that this model is used with when none is given."""
        return synthetic_catalogue(100, np.random.default_rng(0))


def _device(array: Array) -> Any:
    return None if type(array) is np.ndarray else array.device
