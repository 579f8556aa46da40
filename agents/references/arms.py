"""What policies for bandits share: counts of pulls, and the choice of the highest score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from driftrec.agents.memory import known
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation


@dataclass(slots=True)
class ArmCounts:
    """What is known of each user's arms; the first axis is the user.

    Attributes:
        pulls: how often each arm was pulled, int64 `(users, arms)`.
        total: what each has paid, `(users, arms)`.
        last: the last arm, int64 `(users,)`; meaningless before the first pull.
    """

    pulls: Array
    total: Array
    last: Array


class ArmPolicy(ABC):
    """Pulls the arm of highest score, one a request.

    Args:
        arms: number of arms.
        pulls: in a whole trial.
    """

    def __init__(self, arms: int, pulls: int) -> None:
        self.arms = arms
        self.pulls = pulls

    def start(self, users: int) -> ArmCounts:
        """Nothing pulled yet."""
        shape = (users, self.arms)
        return ArmCounts(np.zeros(shape, np.int64), np.zeros(shape), np.zeros(users, np.int64))

    def act(self, observation: Observation, state: ArmCounts) -> tuple[Array, ArmCounts]:
        """The arms, `(users, 1)`, and the new state."""
        pulls, total = state.pulls.copy(), state.total.copy()
        rows, seen = np.arange(len(pulls)), known(observation)
        pulls[rows, state.last] += seen.astype(np.int64)
        total[rows, state.last] += seen * observation["feedback"][:, 0]
        state = ArmCounts(pulls, total, state.last)
        arms = self.choose(state)
        return arms[:, None], ArmCounts(pulls, total, arms)

    def choose(self, state: ArmCounts) -> Array:
        """The arm to pull, int64 `(users,)`: the first of those of highest score."""
        return self.scores(state).argmax(1)

    @abstractmethod
    def scores(self, state: ArmCounts) -> Array:
        """How good a pull of each arm is, `(users, arms)`."""

    def remaining(self, state: ArmCounts) -> Array:
        """Pulls that are left, the next one included, at least 1, `(users, 1)`."""
        return np.maximum(self.pulls - state.pulls.sum(1, keepdims=True), 1)
