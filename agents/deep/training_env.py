"""The vector environments that agents of Stable-Baselines3 are trained in."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnvWrapper

from driftrec.agents.deep.bridge import RecommendationVecEnv
from driftrec.agents.deep.reading import Reader
from driftrec.agents.memory import top_unseen
from driftrec.envs.arrays import Array, take
from driftrec.envs.observation import Observation


class ReadVecEnv(VecEnvWrapper):
    """A batch of users as a network reads them.

    Observations are a dictionary of `inputs`, `(users, inputs)`, see `Reader`, and of `banned`,
    `(users, items)`, 1 for items that may not be shown: those shown before, unless the population
    lets them be repeated or no others are left for a slate, and those that are not offered.

    Args:
        venv: its slates are item numbers.
        reader: makes the inputs.
    """

    def __init__(self, venv: RecommendationVecEnv, reader: Reader) -> None:
        simulation = venv.env.simulation
        self._items = len(simulation.catalogue)
        self._repeats = venv.env.population.repeats
        box = spaces.Box(-np.inf, np.inf, (reader.size,), np.float32)
        mask = spaces.Box(0, 1, (self._items,), np.uint8)
        super().__init__(venv, spaces.Dict({"inputs": box, "banned": mask}))
        self.reader = reader
        self._summary = reader.start(venv.num_envs)
        self._shown = np.zeros((venv.num_envs, self._items), np.uint8)
        self._actions = np.zeros((venv.num_envs, 1), np.int64)

    def reset(self) -> dict[str, Array]:
        """Begin trials with new users."""
        self._shown[:] = 0
        observation: Any = self.venv.reset()
        return self._seen(observation)

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the slates to show, `(users, slate)`, or `(users,)` where the slate is one item."""
        self._actions = np.asarray(actions).reshape(self.num_envs, -1)
        self.venv.step_async(actions)

    def step_wait(self) -> Any:
        """Show them, and read what comes of it; the last observations of trials are read, too."""
        told: Any = self.venv.step_wait()
        observation, reward, dones, infos = told
        if not self._repeats:
            np.put_along_axis(self._shown, self._actions, 1, axis=1)
        rows = dones.nonzero()[0]
        if len(rows):
            last = self._last(infos, rows)
            for place, row in enumerate(rows.tolist()):
                alone = {key: values[place] for key, values in last.items()}
                infos[row] = infos[row] | {"terminal_observation": alone}
            self._shown[rows] = 0
        return self._seen(observation), reward, dones, infos

    def _seen(self, observation: Observation) -> dict[str, Array]:
        inputs, self._summary = self.reader.read(observation, self._summary)
        return {"inputs": inputs, "banned": self._banned(observation, self._shown)}

    def _last(self, infos: list[dict[str, Any]], rows: Array) -> dict[str, Array]:
        """The last observations of some rows, as the network reads them."""
        apart = [infos[row]["terminal_observation"] for row in rows]
        last = {key: np.stack([one[key] for one in apart]) for key in apart[0]}
        inputs, _ = self.reader.read(last, take(self._summary, rows))
        return {"inputs": inputs, "banned": self._banned(last, self._shown[rows])}

    def _banned(self, observation: Observation, shown: Array) -> Array:
        """An array of its own, for agents keep the last observation while users go on."""
        if "offered" not in observation:
            left = self._items - shown.sum(1, keepdims=True, dtype=np.int64)
            return np.where(left < self.reader.slate, np.uint8(0), shown)
        banned = np.ones_like(shown)
        np.put_along_axis(banned, observation["offered"], 0, axis=1)
        return banned


class QueryVecEnv(VecEnvWrapper):
    """Actions are vectors over item features: shown are the nearest items that may be shown.

    Nearest by inner product with the items' scaled features (Dulac-Arnold et al. 2015, "Deep
    reinforcement learning in large discrete action spaces", with one neighbour, so that nothing is
    left for a critic to choose among).

    Args:
        venv: of inputs and masks.
        table: scaled features, `(items, width)`.
        slate: items in a request.
    """

    def __init__(self, venv: ReadVecEnv, table: Array, slate: int) -> None:
        assert isinstance(venv.observation_space, spaces.Dict)
        query = spaces.Box(-1, 1, (table.shape[1],), np.float32)
        super().__init__(venv, venv.observation_space["inputs"], query)
        self._table = table
        self._slate = slate
        self._banned = np.zeros(0, np.uint8)

    def reset(self) -> np.ndarray:
        """Begin trials with new users."""
        observation: Any = self.venv.reset()
        return self._seen(observation)

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the queries, `(users, width)`."""
        items = top_unseen(actions @ self._table.T, self._banned, self._slate)
        self.venv.step_async(items)

    def step_wait(self) -> Any:
        """Show what they ask for."""
        told: Any = self.venv.step_wait()
        observation, reward, dones, infos = told
        for row in dones.nonzero()[0].tolist():
            last = infos[row]["terminal_observation"]["inputs"]
            infos[row] = infos[row] | {"terminal_observation": last}
        return self._seen(observation), reward, dones, infos

    def _seen(self, observation: dict[str, Array]) -> np.ndarray:
        self._banned = observation["banned"]
        inputs: np.ndarray = observation["inputs"]
        return inputs
