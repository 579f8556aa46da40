"""DQN that explores among the items that may be shown."""

from __future__ import annotations

from typing import Any

import numpy as np
from stable_baselines3 import DQN


class AllowedDQN(DQN):
    """DQN (Mnih et al. 2015) that explores among the items that are not banned.

    Whether to explore is drawn for each user instead of once for all of them.
    """

    _rng: np.random.Generator

    def _setup_model(self) -> None:
        super()._setup_model()
        self._rng = np.random.default_rng(self.seed)

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, Any]:  # fmt: skip
        """Items of highest value, or, to a share of the users, random ones; `(users,)`."""
        best, _ = self.policy.predict(observation, state, episode_start, deterministic=True)
        if deterministic:
            return best, state
        explores = self._rng.random(best.shape) < self.exploration_rate
        return np.where(explores, self._anything(observation), best), state

    def _sample_action(
        self, learning_starts: int, action_noise: Any = None, n_envs: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Random items until `learning_starts`, then those of `predict`; as played, as stored."""
        if self.num_timesteps < learning_starts:
            items = self._anything(self._last_obs)
            return items, items
        return super()._sample_action(learning_starts, action_noise, n_envs)

    def _anything(self, observation: Any) -> np.ndarray:
        """A random item that is not banned for each user, `(users,)`."""
        banned = observation["banned"]
        drawn: np.ndarray = (self._rng.random(banned.shape, np.float32) - banned).argmax(-1)
        return drawn
