"""DQN that explores among the items that may be shown."""

from __future__ import annotations

from typing import Any

import numpy as np
from stable_baselines3 import DQN


class AllowedDQN(DQN):
    """DQN (Mnih et al. 2015) that explores among the items that are not banned.

    Whether to explore is drawn for each user instead of once for all of them. Before
    `learning_starts` any item is drawn, banned or not.
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
        banned = observation["banned"]
        anything = (self._rng.random(banned.shape, np.float32) - banned).argmax(-1)
        explores = self._rng.random(best.shape) < self.exploration_rate
        return np.where(explores, anything, best), state
