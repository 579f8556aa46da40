"""One user as a Gymnasium environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import gymnasium
import numpy as np

from driftrec.envs.arrays import to_numpy
from driftrec.envs.observation import Observation, observe_alone
from driftrec.envs.populations import PopulationSource
from driftrec.envs.rendering import TrialRecord, draw_text, draw_trial
from driftrec.envs.rewards import Reward
from driftrec.envs.vector import RecommendationVectorEnv


class RecommendationEnv(gymnasium.Env[Observation, Any]):
    """One user of a population, from first contact until they are lost or the trial's limits.

    This is a batch of one of `RecommendationVectorEnv`: the same seed brings the same trial.

    Args:
        population: a `Population`, the name of one, or a function that makes one of parameters.
        split: the part of the population the user comes from.
        reward: name of the reward, or weights of several.
        parameters: changes to the user model's parameters.
        render_mode: "ansi" for a line of text, "rgb_array" for a picture of the trial.

    Raises:
        ValueError: if an option is unknown or out of range.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]  # Gymnasium: not a ClassVar
        "render_modes": ["ansi", "rgb_array"],
        "render_fps": 4,
    }

    def __init__(
        self,
        population: PopulationSource,
        *,
        split: str = "train",
        reward: Reward = "clicks",
        parameters: Mapping[str, Any] | None = None,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(
                f"render_mode must be one of {self.metadata['render_modes']}, got {render_mode!r}"
            )
        self._batch = RecommendationVectorEnv(
            population,
            split=split,
            reward=reward,
            parameters=parameters,
            autoreset_mode="Disabled",
        )
        self._simulation = self._batch.simulation
        self.population = self._batch.population
        self.observation_space = self._batch.single_observation_space
        self.action_space = self._batch.single_action_space
        self.render_mode = render_mode
        self._record: TrialRecord | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a trial with a new user; there are no options.

        Raises:
            ValueError: if an option is given.
        """
        if options:
            raise ValueError(f"there are no reset options, got {sorted(options)}")
        super().reset(seed=seed)
        user = int(self.np_random.integers(2**62)) if seed is None else seed
        self._simulation.reset(user)
        if self.render_mode is not None:
            self._record = TrialRecord.begin(self._simulation)
        return observe_alone(self._simulation), {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Show one slate.

        Args:
            action: an item number, or `(slate,)` of them.

        Raises:
            ValueError, TypeError: if the action is not valid, see `checked_slates`.
            RuntimeError: if the trial is over.
        """
        simulation = self._simulation
        if simulation.anyone_over:
            raise RuntimeError("the trial is over: call reset before the next step")
        simulation.step(self._batch.checked([action]))
        if self._record is not None:
            self._record.add(simulation)
        reward = float(self._batch.reward(simulation)[0])
        terminated = bool(simulation.trials.churned[0])
        truncated = bool(simulation.trials.truncated[0])
        return observe_alone(simulation), reward, terminated, truncated, {}

    def render(self) -> Any:
        """The trial so far: text for "ansi", an `(height, width, 3)` picture for "rgb_array".

        Raises:
            RuntimeError: if there is no render mode, or no trial yet.
        """
        if self.render_mode is None:
            raise RuntimeError("give render_mode='ansi' or 'rgb_array' to make in order to render")
        if self._record is None:
            raise RuntimeError("call reset before render: there is no trial yet")
        return draw_text(self._record) if self.render_mode == "ansi" else draw_trial(self._record)

    def close(self) -> None:
        """Release what the simulation holds."""
        self._batch.close()

    def action_masks(self) -> np.ndarray:
        """True where an item was not shown in this trial yet, `(items,)`; of candidates, all."""
        return np.asarray(self._batch.action_masks()[0])

    def privileged(self) -> Any:
        """The hidden state of the user, a batch of one, as a copy: for oracles and pictures."""
        return to_numpy(self._simulation.hidden_state())
