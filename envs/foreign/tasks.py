"""Foreign environments by the batch, in this process or divided among others."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from driftrec.envs.arrays import Array
from driftrec.envs.foreign.task import Records, Task, record_size
from driftrec.envs.foreign.users import ForeignUsers


class Share(gymnasium.Env[np.ndarray, np.ndarray]):
    """A share of the users, side by side in one process.

    Gymnasium gives each environment a process of its own: thousands of users need one for many.

    Args:
        users: how environments are made and read.
        rows: of the records.
        mine: which users of the batch; no more than there are rows.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}  # type: ignore[misc]  # as Gymnasium

    def __init__(self, users: ForeignUsers, rows: int, mine: range) -> None:
        self._mine = slice(mine.start, mine.stop)
        self._count = len(mine)
        self._tasks = SyncVectorEnv(
            [partial(Task, users)] * len(mine), copy=False, autoreset_mode=AutoresetMode.DISABLED
        )
        self._records = np.zeros((rows, record_size(users)))
        actions = users.actions
        self.observation_space = spaces.Box(-np.inf, np.inf, self._records.shape, np.float64)
        self.action_space = spaces.Box(-1, actions.items - 1, (rows, actions.slate), np.int64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin the tasks of `options["seeds"]`, int64 `(users,)`; -1 leaves a user alone."""
        assert options is not None
        seeds = options["seeds"][self._mine]
        if (seeds >= 0).any():
            found, _ = self._tasks.reset(
                seed=seeds.tolist(), options={"reset_mask": np.array(seeds >= 0)}
            )
            self._records[: self._count] = found
        return self._records, {}

    def step(self, items: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Show slates, int64 `(rows, slate)`."""
        self._records[: self._count] = self._tasks.step(items[: self._count])[0]
        return self._records, 0.0, False, False, {}

    def close(self) -> None:
        """Close the environments."""
        self._tasks.close()


class ForeignTasks:
    """The environments of a batch of users.

    Args:
        model: how environments are made and read.
        users: size of the batch.
    """

    def __init__(self, model: ForeignUsers, users: int) -> None:
        self._slate, self._users = model.actions.slate, users
        self._rows = -(-users // max(min(model.processes, users), 1))
        shares = [
            partial(Share, model, self._rows, range(first, min(first + self._rows, users)))
            for first in range(0, users, self._rows)
        ]
        off = AutoresetMode.DISABLED
        self._envs: Any
        if model.processes:
            # Spawned, since a process with torch's threads in it must not be forked.
            self._envs = AsyncVectorEnv(
                shares, shared_memory=True, copy=False, context="spawn", autoreset_mode=off
            )
        else:
            self._envs = SyncVectorEnv(shares, copy=False, autoreset_mode=off)

    def begin(self, seeds: Array) -> Records:
        """Begin the tasks of seeds, int64 `(users,)`, where they are not -1."""
        return self._read(self._envs.reset(options={"seeds": seeds})[0])

    def step(self, items: Array) -> Records:
        """Show slates, int64 `(users, slate)`, where they are not -1."""
        slates = np.full((self._envs.num_envs * self._rows, self._slate), -1)
        slates[: self._users] = items
        shares = slates.reshape(self._envs.num_envs, self._rows, self._slate)
        return self._read(self._envs.step(shares)[0])

    def close(self) -> None:
        """Close the environments and end the processes."""
        self._envs.close()

    def _read(self, records: Array) -> Records:
        rows = records.reshape(-1, records.shape[-1])
        return Records(np.array(rows[: self._users]), self._slate)
