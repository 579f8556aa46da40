"""A batch of users as one Gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from driftrec.envs.actions import action_space, checked_slates
from driftrec.envs.arrays import Array, duplicate, rows_where, to_numpy
from driftrec.envs.candidates import check_offered
from driftrec.envs.foreign.simulation import ForeignSimulation
from driftrec.envs.foreign.users import ForeignUsers
from driftrec.envs.observation import (
    Observation,
    begin_trials,
    observation_space,
    observe,
    separate,
)
from driftrec.envs.populations import PopulationSource, resolve_population
from driftrec.envs.rewards import Reward, reward_function
from driftrec.envs.simulation import Simulation


class RecommendationVectorEnv(VectorEnv[Observation, Array, Array]):
    """Many users at once, stepped by the batch engine.

    The spaces, rewards and ends of a trial are those of `RecommendationEnv`, for each row. In
    `SAME_STEP` autoreset a row whose trial ends gets a new user at once: the observation is
    the new user's first, and the last one of the old is in `info["final_obs"]`. In `DISABLED`
    autoreset a row that is over stays so, with reward 0, until `reset` is called with
    `options={"reset_mask": mask}`.

    Args:
        population: a `Population`, the name of one, or a function that makes one of parameters.
        num_envs: number of users.
        split: the part of the population they come from.
        reward: name of the reward, or weights of several.
        autoreset_mode: `SAME_STEP` or `DISABLED`.
        parameters: changes to the user model's parameters.
        by_number: where a slate is chosen among candidates, actions are their numbers in the
            catalogue, and observations hold these; else an action is places among the candidates,
            and observations hold their features.
        array_library: "numpy", or "torch" for tensors.
        device: where torch's tensors live.

    Raises:
        ValueError: if an option is unknown or out of range.
    """

    def __init__(
        self,
        population: PopulationSource,
        num_envs: int = 1,
        *,
        split: str = "train",
        reward: Reward = "clicks",
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        parameters: Mapping[str, Any] | None = None,
        by_number: bool = False,
        array_library: str = "numpy",
        device: Any = None,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}")
        mode = AutoresetMode(autoreset_mode)
        if mode is AutoresetMode.NEXT_STEP:
            raise ValueError("autoreset_mode must be SAME_STEP or DISABLED, got NEXT_STEP")
        self.metadata = {"autoreset_mode": mode}
        self.population = resolve_population(population, parameters)
        self.num_envs = num_envs
        part = self.population.split(split)
        engine = ForeignSimulation if isinstance(part.model, ForeignUsers) else Simulation
        self.simulation: Simulation = engine(
            part,
            num_envs,
            slate=self.population.slate,
            max_requests=self.population.max_requests,
            max_days=self.population.max_days,
            candidates=self.population.candidates,
            arrivals=self.population.arrivals,
            array_library=array_library,
            device=device,
        )
        self._rows = self.simulation.xp.arange(num_envs, device=device)[:, None]
        self._mode = mode
        self._by_number = by_number
        self.reward = reward_function(reward)
        self.single_observation_space = observation_space(self.simulation, by_number)
        everything = len(self.simulation.catalogue)
        self._choices = everything if by_number else self.population.candidates or everything
        self.single_action_space = action_space(self._choices, self.population.slate)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin trials with new users.

        Args:
            seed: reproduces the users and all that happens to them under the same actions.
            options: `{"reset_mask": booleans (users,)}` replaces only those users.

        Raises:
            ValueError: if an option is unknown, the mask has another shape, or a seed comes too.
        """
        options = options or {}
        if unknown := set(options) - {"reset_mask"}:
            raise ValueError(f"the only reset option is 'reset_mask', got {sorted(unknown)}")
        if "reset_mask" in options:
            if seed is not None:
                raise ValueError(
                    f"a seed begins the trials of all users: give a seed or a reset_mask, got "
                    f"both ({seed})"
                )
            self._reset_some(options["reset_mask"])
        else:
            super().reset(seed=seed)
            self.simulation.reset(int(self.np_random.integers(2**62)) if seed is None else seed)
        return observe(self.simulation, self._by_number), {}

    def _reset_some(self, mask: Array) -> None:
        if self.simulation.state is None:
            raise ValueError("call reset without a mask first: there are no users yet")
        rows = self.simulation.xp.asarray(mask, device=self.simulation.device)
        if tuple(rows.shape) != (self.num_envs,) or rows.dtype != self.simulation.xp.bool:
            raise ValueError(
                f"reset_mask must be booleans of shape ({self.num_envs},), "
                f"got {rows.dtype} of shape {tuple(rows.shape)}"
            )
        self.simulation.reset_rows(rows)

    def step(self, actions: Array) -> tuple[Observation, Array, Array, Array, dict[str, Any]]:
        """Show a slate to each user.

        Args:
            actions: item numbers, or places among the candidates where there are any and not
                `by_number`, `(users, slate)`, or `(users,)` where the slate is one item.

        Returns:
            Observations, rewards, terminations (churn), truncations (limits), all with the user
            as first axis, and info.

        Raises:
            ValueError, TypeError: if the action is not valid, see `checked_slates`.
        """
        simulation, xp = self.simulation, self.simulation.xp
        items = self.checked(actions)
        was_over = simulation.over if simulation.anyone_over else None
        simulation.step(items)
        reward = self.reward(simulation)
        if was_over is not None:
            reward = xp.where(was_over, xp.zeros_like(reward), reward)
        observation = observe(simulation, self._by_number)
        terminated = duplicate(simulation.trials.churned)
        truncated = duplicate(simulation.trials.truncated)
        info: dict[str, Any] = {}
        if simulation.anyone_over and self._mode is AutoresetMode.SAME_STEP:
            over = simulation.over
            rows = rows_where(over)
            info = self._final(observation, over, rows)
            simulation.reset_rows(over)
            begin_trials(simulation, observation, rows)
        return observation, reward, terminated, truncated, info

    def checked(self, actions: Any) -> Array:
        """The actions as `Simulation.step` takes them.

        Raises:
            ValueError, TypeError: if they are not valid, see `checked_slates`.
        """
        simulation = self.simulation
        if simulation.state is None:
            raise ValueError("call reset before step: there are no users yet")
        chosen = checked_slates(
            actions,
            simulation.users,
            simulation.slate,
            self._choices,
            simulation.xp,
            simulation.device,
        )
        if simulation.offered is None:
            return chosen
        if not self._by_number:
            return simulation.offered[self._rows, chosen]
        check_offered(chosen, simulation.offered)
        return chosen

    def _final(self, observation: Observation, over: Array, rows: Array) -> dict[str, Any]:
        """Last observations of trials that are over, in Gymnasium's layout."""
        final = np.empty(self.num_envs, dtype=object)
        for row, last in zip(to_numpy(rows).tolist(), separate(observation, rows), strict=True):
            final[row] = last
        return {"final_obs": final, "_final_obs": over, "final_info": {}, "_final_info": over}

    def action_masks(self) -> Array:
        """True where an item was not shown to the user yet, `(users, items)`.

        Of candidates, whom a user may have met, all can be shown: `(users, candidates)`.
        """
        if (offered := self.simulation.offered) is not None and not self._by_number:
            return offered >= 0
        return self.simulation.shown == 0

    def close_extras(self, **kwargs: Any) -> None:
        """Release what the simulation holds: foreign environments, and their processes."""
        self.simulation.close()
