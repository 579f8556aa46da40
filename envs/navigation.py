"""DriftRec/meta.Navigation2D-v0: find a goal in the plane that only the rewards tell of."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

HORIZON = 100
REACH = 0.1
"""Longest move in each direction."""
GOAL_RANGE = 0.5
ARRIVED = 0.01
"""Distance to the goal at which an episode ends."""


def _spaces() -> tuple[spaces.Box, spaces.Box]:
    farthest = HORIZON * REACH
    return (
        spaces.Box(-farthest, farthest, (2,), np.float32),
        spaces.Box(-REACH, REACH, (2,), np.float32),
    )


class Navigation2DVectorEnv(VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """`Navigation2DEnv` for many points at once.

    In `SAME_STEP` autoreset a row whose episode ends begins another with a new goal at once, and
    the last observation is in `info["final_obs"]`. In `DISABLED` autoreset a row that is over
    stays where it is, with reward 0, until `reset` is called with
    `options={"reset_mask": booleans (points,)}`.

    Args:
        num_envs: number of points.
        autoreset_mode: `SAME_STEP` or `DISABLED`.

    Raises:
        ValueError: if an option is unknown or out of range.
    """

    def __init__(
        self, num_envs: int = 1, *, autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}")
        self._mode = AutoresetMode(autoreset_mode)
        if self._mode is AutoresetMode.NEXT_STEP:
            raise ValueError("autoreset_mode must be SAME_STEP or DISABLED, got NEXT_STEP")
        self.metadata = {"autoreset_mode": self._mode}
        self.num_envs = num_envs
        self.single_observation_space, self.single_action_space = _spaces()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.goal = np.zeros((num_envs, 2), np.float32)
        self.position = np.zeros((num_envs, 2), np.float32)
        self.steps = np.zeros(num_envs, np.int64)
        self.over = np.ones(num_envs, bool)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin episodes at the origin.

        Args:
            seed: reproduces the goals.
            options: `reset_mask`, booleans `(points,)`, leaves the other rows as they are; `goal`,
                `(points, 2)`, sets the goals instead of drawing them, so that one task can be
                played several times.

        Raises:
            ValueError: if an option is unknown or has another shape.
        """
        super().reset(seed=seed)
        options = options or {}
        if unknown := set(options) - {"reset_mask", "goal"}:
            raise ValueError(f"options must be of reset_mask and goal, got {sorted(unknown)}")
        mask = np.asarray(options.get("reset_mask", np.ones(self.num_envs, bool)))
        if mask.shape != (self.num_envs,) or mask.dtype != bool:
            raise ValueError(
                f"reset_mask must be booleans of shape ({self.num_envs},), got {mask.dtype} of "
                f"shape {mask.shape}"
            )
        self._begin(mask, options.get("goal"))
        return self.position.copy(), {}

    def _begin(self, mask: np.ndarray, goal: Any = None) -> None:
        if goal is None:
            goal = self.np_random.uniform(-GOAL_RANGE, GOAL_RANGE, (self.num_envs, 2))
        goal = np.asarray(goal, np.float32)
        if goal.shape != (self.num_envs, 2) or not np.isfinite(goal).all():
            raise ValueError(
                f"goal must be finite numbers of shape ({self.num_envs}, 2), got shape {goal.shape}"
            )
        self.goal = np.where(mask[:, None], goal, self.goal)
        self.position = np.where(mask[:, None], np.float32(0), self.position)
        self.steps = np.where(mask, 0, self.steps)
        self.over = self.over & ~mask

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Move each point.

        Args:
            actions: `(points, 2)`; what is longer than .1 is cut.

        Returns:
            Positions `(points, 2)`, rewards, terminations (arrived), truncations, and info.

        Raises:
            ValueError: if the actions have another shape or are no finite numbers.
        """
        actions = np.asarray(actions, np.float32)
        if actions.shape != (self.num_envs, 2) or not np.isfinite(actions).all():
            raise ValueError(
                f"actions must be finite numbers of shape ({self.num_envs}, 2), got shape "
                f"{actions.shape}"
            )
        moving = ~self.over
        move = np.clip(actions, -REACH, REACH) * moving[:, None]
        self.position = self.position + move
        self.steps = self.steps + moving
        distance = np.sqrt(np.square(self.position - self.goal).sum(1))
        terminated = distance < ARRIVED
        truncated = ~terminated & (self.steps >= HORIZON)
        self.over = terminated | truncated
        observation, info = self.position.copy(), dict[str, Any]()
        if self._mode is AutoresetMode.SAME_STEP and self.over.any():
            info = self._final(observation)
            self._begin(self.over.copy())
            observation = self.position.copy()
        return (
            observation,
            np.where(moving, -distance, 0).astype(float),
            terminated,
            truncated,
            info,
        )

    def _final(self, observation: np.ndarray) -> dict[str, Any]:
        """Last observations of episodes that are over, in Gymnasium's layout."""
        over, final = self.over.copy(), np.empty(self.num_envs, dtype=object)
        for row in np.flatnonzero(over):
            final[row] = observation[row]
        return {"final_obs": final, "_final_obs": over, "final_info": {}, "_final_info": over}

    def close_extras(self, **kwargs: Any) -> None:
        """Nothing to release."""


class Navigation2DEnv(gymnasium.Env[np.ndarray, np.ndarray]):
    """A point in the plane looks for a goal that it cannot see (Finn et al. 2017, section 5.3.1).

    The goal is the meta-learning task: an agent finds it by what its moves earn.

    Action space:
        `Box(-.1, .1, (2,))`: the move; what is longer is cut.

    Observation space:
        `Box(-10, 10, (2,))`: the position.

    Rewards:
        Minus the distance to the goal after the move. (The paper's text says the squared distance;
        its published code and table use the distance: standing still earns -38.26 by it, and the
        published -40.41 before adaptation could not be that low by the square.)

    Starting state:
        The origin; the goal is uniform on the square from -.5 to .5.

    Episode end:
        Terminated within .01 of the goal; truncated after 100 moves.

    Version history:
        v0: first release.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}  # type: ignore[misc]  # as Gymnasium

    def __init__(self) -> None:
        self._batch = Navigation2DVectorEnv(autoreset_mode=AutoresetMode.DISABLED)
        self.observation_space, self.action_space = _spaces()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode; the option `goal`, `(2,)`, sets the goal instead of drawing it.

        Raises:
            ValueError: if an option is unknown or has another shape.
        """
        super().reset(seed=seed)
        if unknown := set(options or {}) - {"goal"}:
            raise ValueError(f"the only reset option is goal, got {sorted(unknown)}")
        batch = {name: np.asarray(value)[None] for name, value in (options or {}).items()}
        observation, _ = self._batch.reset(seed=seed, options=batch)
        return observation[0], {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Move the point.

        Raises:
            ValueError: if the action has another shape or is no finite numbers.
            RuntimeError: if the episode is over.
        """
        if self._batch.over[0]:
            raise RuntimeError("the episode is over: call reset before the next step")
        observation, reward, terminated, truncated, _ = self._batch.step(np.asarray(action)[None])
        return observation[0], float(reward[0]), bool(terminated[0]), bool(truncated[0]), {}

    def privileged(self) -> np.ndarray:
        """The goal, `(2,)`: for oracles."""
        return np.array(self._batch.goal[0])
