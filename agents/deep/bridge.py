"""The batch engine as a vector environment of Stable-Baselines3."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv

from driftrec.envs import Population, RecommendationVectorEnv
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation
from driftrec.envs.rewards import Reward

Indices = None | int | Iterable[int]


class RecommendationVecEnv(VecEnv):
    """Many users at once for agents of Stable-Baselines3, stepped by one batch engine.

    What `DummyVecEnv` does with one `RecommendationEnv` for each user, without a Python call for
    each. A trial that ends is followed by a new user's at once; `infos[row]` then holds

    - `terminal_observation`, the last one of the trial that ended,
    - `TimeLimit.truncated`, whether it was cut at its limits instead of by the user's leaving,
    - `episode`, its reward `r`, length `l` and the seconds `t` since the environment was made, as
      `Monitor` gives them (and `env_is_wrapped(Monitor)` says so).

    The infos of other rows are empty, and shared from step to step: they are not to be written to.

    Args:
        population: a `Population`, or the name of one.
        num_envs: number of users.
        split: the part of the population they come from.
        reward: name of the reward, or weights of several.
        parameters: changes to the user model's parameters.
        flat: observations are rows of one float32 array, as `gymnasium.spaces.flatten` makes them,
            instead of a dictionary.
        by_number: where a slate is chosen among candidates, actions are their numbers in the
            catalogue, and observations hold these.

    Raises:
        ValueError: if an option is unknown or out of range, or numbers of items were to be
            flattened.

    Attributes:
        env: the batch.
    """

    def __init__(
        self,
        population: Population | str,
        num_envs: int = 1,
        *,
        split: str = "train",
        reward: Reward = "clicks",
        parameters: Mapping[str, Any] | None = None,
        flat: bool = False,
        by_number: bool = False,
    ) -> None:
        if flat and by_number:
            raise ValueError("flat observations cannot hold numbers of items: give one of the two")
        self.env = RecommendationVectorEnv(
            population, num_envs, split=split, reward=reward, parameters=parameters,
            by_number=by_number,
        )  # fmt: skip
        space = self.env.single_observation_space
        assert isinstance(space, spaces.Dict)
        self._keys = list(space.spaces)
        super().__init__(
            num_envs,
            spaces.flatten_space(space) if flat else space,
            self.env.single_action_space,
        )
        self._flat = flat
        self._nothing: list[dict[str, Any]] = [{} for _ in range(num_envs)]
        self._actions: Any = None
        self._begun = time.time()
        self._return = np.zeros(num_envs)
        self._length = np.zeros(num_envs, np.int64)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed the next `reset`; one seed does for the batch, whose rows draw from one stream."""
        super().seed(seed)
        self._seeds = [self._seeds[0]] * self.num_envs
        return self._seeds

    def reset(self) -> Any:
        """Begin trials with new users.

        Raises:
            ValueError: if options were set: there are none.
        """
        if any(self._options):
            raise ValueError(f"there are no reset options, got {self._options[0]}")
        observation, _ = self.env.reset(seed=self._seeds[0])
        self._reset_seeds()
        self._return[:] = 0
        self._length[:] = 0
        return self._told(observation)

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the slates to show: item numbers, `(users,)`, or `(users, slate)`."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Show them.

        Returns:
            Observations, rewards float32 `(users,)`, whether a trial ended `(users,)`, and infos.
        """
        observation, reward, terminated, truncated, info = self.env.step(self._actions)
        self._return += reward
        self._length += 1
        dones = terminated | truncated
        infos = self._nothing.copy()
        if dones.any():
            for row in dones.nonzero()[0].tolist():
                infos[row] = self._ended(row, info["final_obs"][row], bool(terminated[row]))
            self._return[dones] = 0
            self._length[dones] = 0
        return self._told(observation), reward.astype(np.float32, copy=False), dones, infos

    def _ended(self, row: int, last: Observation, terminated: bool) -> dict[str, Any]:
        alone = {key: value[None] for key, value in last.items()} if self._flat else last
        return {
            "terminal_observation": self._told(alone)[0] if self._flat else alone,
            "TimeLimit.truncated": not terminated,
            "episode": {
                "r": round(float(self._return[row]), 6),
                "l": int(self._length[row]),
                "t": round(time.time() - self._begun, 6),
            },
        }

    def _told(self, observation: Observation) -> Any:
        if not self._flat:
            return observation
        # In the order of the space, which may not be that of the dictionary.
        parts = [observation[key] for key in self._keys]
        return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)

    def action_masks(self) -> Array:
        """True where an item can be shown next and was not shown yet, `(users, choices)`."""
        return self.env.action_masks()

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """What the batch has belongs to each of its users; spaces are those of one user.

        Raises:
            AttributeError: if it has nothing of that name.
        """
        alone = attr_name in ("observation_space", "action_space")
        value = getattr(self if alone else self.env, attr_name)
        return [value] * len(self._rows(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Set something for all users at once.

        Raises:
            ValueError: if it were for some of them alone.
        """
        if len(self._rows(indices)) != self.num_envs:
            raise ValueError(
                f"the users are one batch: {attr_name!r} can be set for all {self.num_envs} of "
                f"them, not for {self._rows(indices)} alone"
            )
        setattr(self.env, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Indices = None, **method_kwargs: Any
    ) -> list[Any]:
        """`action_masks`, a mask for each user: what MaskablePPO asks for.

        Raises:
            AttributeError: if another method is asked for: the users are one batch.
        """
        if method_name != "action_masks" or method_args or method_kwargs:
            raise AttributeError(
                "the users are one batch, whose only method for each of them is "
                f"action_masks(), got {method_name!r}"
            )
        return list(self.action_masks()[self._rows(indices)])

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: Indices = None
    ) -> list[bool]:
        """True of `Monitor`, whose statistics are in the infos; there are no other wrappers."""
        return [issubclass(Monitor, wrapper_class)] * len(self._rows(indices))

    def get_images(self) -> Sequence[np.ndarray | None]:
        """None: a batch is not drawn."""
        return [None] * self.num_envs

    def close(self) -> None:
        """Release what the simulation holds."""
        self.env.close()

    def _rows(self, indices: Indices) -> list[int]:
        return [int(row) for row in self._get_indices(indices)]
