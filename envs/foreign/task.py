"""A foreign environment for one trial after another, as one environment of Gymnasium."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces

from driftrec.envs.arrays import Array
from driftrec.envs.foreign.interface import close, reset, step
from driftrec.envs.foreign.spaces import Actions, as_gymnasium, read
from driftrec.envs.foreign.users import ForeignUsers, task_of
from driftrec.envs.user_model import UserModelError

ENDED, CHURNED, TRUNCATED, EARNED, BEST = range(5)
HEAD = 5


@dataclass(frozen=True)
class Records:
    """What came of the last request, and what is seen before the next; first axis the user.

    Attributes:
        array: columns `ENDED` (1 where an episode ended and another began), `CHURNED` and
            `TRUNCATED` (1 where the trial did), `EARNED` (the environment's own reward), `BEST`
            (the best item now), feedback on each slot, context; float64 `(users, size)`.
        slate: items in a request.
    """

    array: Array
    slate: int

    def flag(self, column: int) -> Array:
        """Whether a column is 1, `(users,)`."""
        flags: Array = self.array[:, column] > 0
        return flags

    @property
    def feedback(self) -> Array:
        """On each slot, float32 `(users, slate)`."""
        return self.array[:, HEAD : HEAD + self.slate].astype(np.float32)

    @property
    def context(self) -> Array:
        """Numbers of the observation, float32 `(users, numbers)`."""
        return self.array[:, HEAD + self.slate :].astype(np.float32)


def record_size(users: ForeignUsers) -> int:
    """Columns of a record."""
    return HEAD + users.actions.slate + users.numbers


class Task(gymnasium.Env[np.ndarray, np.ndarray]):
    """Makes an environment for each trial; its observation is a row of `Records`.

    It never says that it is over: records do. A slate of -1 leaves it as it is.

    Args:
        users: how environments are made and read.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}  # type: ignore[misc]  # as Gymnasium

    def __init__(self, users: ForeignUsers) -> None:
        self._users = users
        size, actions = record_size(users), users.actions
        self.observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float64)
        self.action_space = spaces.Box(-1, actions.items - 1, (actions.slate,), np.int64)
        self._record = np.zeros(size)
        self._env: Any = None
        self._space: spaces.Space[Any] | None = None
        self._seed, self._episode = 0, 0
        self._parameters: dict[str, Any] = {}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin the trial of the task that is called `seed`.

        Raises:
            UserModelError: if the environment cannot be made, or is not as its contract says.
        """
        assert seed is not None, "a task is called by its seed"
        self._seed, self._episode = seed, 0
        self._make()
        self._record[:HEAD] = 0
        self._see(self._begin(seed))
        return self._record, {}

    def step(self, items: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Show a slate, int64 `(slate,)`; nothing happens where it is -1.

        Raises:
            UserModelError: if what comes is not as the environment's contract says.
        """
        if items[0] >= 0:
            self._request(items)
        return self._record, 0.0, False, False, {}

    def close(self) -> None:
        """Close the environment."""
        if self._env is not None:
            close(self._env)

    def _make(self) -> None:
        users = self._users
        # An environment that takes no keyword arguments is told apart by its seed alone.
        if users.draw is None and self._env is not None:
            return
        self.close()
        self._parameters = users.parameters(self._seed)
        try:
            self._env = users.make(**self._parameters)
        except Exception as error:
            raise self._blame("the factory", error) from error
        self._check()

    def _check(self) -> None:
        found = Actions.of(self._attribute("action_space"))
        if found != self._users.actions:
            raise UserModelError(
                f"all environments of {self._users.name!r} must have the actions of the first, "
                f"{self._users.actions}, got {found} {self._where()}"
            )
        if self._users.observe is None:
            self._space = as_gymnasium(self._attribute("observation_space"))

    def _attribute(self, name: str) -> Any:
        if not hasattr(self._env, name):
            raise UserModelError(
                f"the factory must make an environment, got {type(self._env).__name__} without "
                f"{name} {self._where()}"
            )
        return getattr(self._env, name)

    def _begin(self, seed: int | None = None) -> Any:
        try:
            return reset(self._env, seed)
        except Exception as error:
            raise self._blame("reset", error) from error

    def _request(self, items: np.ndarray) -> None:
        users, record = self._users, self._record
        try:
            observation, reward, terminated, truncated, info = step(
                self._env, users.actions.action(items)
            )
        except Exception as error:
            raise self._blame("step", error) from error
        record[ENDED:EARNED] = 0
        record[EARNED] = paid = self._number(reward)
        record[HEAD : HEAD + users.actions.slate] = self._feedback(observation, paid, info)
        if terminated or truncated:
            self._episode += 1
            if users.episodes == 1:
                record[CHURNED if terminated else TRUNCATED] = 1
            else:
                record[ENDED], record[TRUNCATED] = 1, self._episode >= users.episodes
                observation = self._begin()
        self._see(observation)

    def _number(self, reward: Any) -> float:
        try:
            number = float(reward)
        except Exception as error:
            raise self._blame("reading the reward", error) from error
        if not np.isfinite(number):
            raise UserModelError(f"a reward must be finite, got {number} {self._where()}")
        return number

    def _feedback(self, observation: Any, reward: float, info: Any) -> Any:
        users, slate = self._users, self._users.actions.slate
        try:
            found = self._answer(observation, reward, info)
        except UserModelError:
            raise
        except Exception as error:
            raise self._blame("reading the feedback", error) from error
        if found.shape != (slate,) and not (slate == 1 and found.ndim == 0):
            raise UserModelError(
                f"feedback must have shape ({slate},), got {found.shape} {self._where()}"
            )
        low, high = users.feedback_range
        if not ((found >= low) & (found <= high) & np.isfinite(found)).all():
            raise UserModelError(
                f"feedback must be finite and lie in [{low:g}, {high:g}] (feedback_range), got "
                f"{found} {self._where()}"
            )
        return found

    def _answer(self, observation: Any, reward: float, info: Any) -> Any:
        users, slate = self._users, self._users.actions.slate
        if users.feedback is None:
            return np.full(slate, reward / slate)
        if not isinstance(users.feedback, str):
            return np.asarray(users.feedback(observation, reward, info), float)
        if users.feedback in info:
            return np.asarray(info[users.feedback], float)
        raise UserModelError(
            f"info must hold the feedback under {users.feedback!r}, it holds {sorted(info)} "
            f"{self._where()}"
        )

    def _see(self, observation: Any) -> None:
        """Write down the observation, and the best action where it is told."""
        users = self._users
        try:
            numbers = read(observation, users.observe, self._space)
        except Exception as error:
            raise self._blame("reading the observation", error) from error
        if numbers.shape != (users.numbers,):
            raise UserModelError(
                f"all observations of {users.name!r} must hold {users.numbers} numbers as the "
                f"first did, got shape {numbers.shape} {self._where()}"
            )
        if not np.isfinite(numbers).all():
            raise UserModelError(f"an observation must be finite, got {numbers} {self._where()}")
        self._record[HEAD + users.actions.slate :] = numbers
        if users.best_action is not None:
            self._record[BEST] = self._best(users.best_action)

    def _best(self, best_action: Callable[[Any], int]) -> int:
        try:
            item = int(best_action(self._env))
        except Exception as error:
            raise self._blame("best_action", error) from error
        if not 0 <= item < self._users.actions.items:
            raise UserModelError(
                f"best_action must give an item from 0 to {self._users.actions.items - 1}, got "
                f"{item} {self._where()}"
            )
        return item

    def _where(self) -> str:
        return task_of(self._parameters, self._seed)

    def _blame(self, what: str, error: Exception) -> UserModelError:
        return self._users.blame(what, error, self._parameters, self._seed)
