"""The batch engine's face on environments that step themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from driftrec.envs.arrays import Array, rows_where
from driftrec.envs.foreign.task import BEST, CHURNED, EARNED, ENDED, TRUNCATED, Records
from driftrec.envs.foreign.tasks import ForeignTasks
from driftrec.envs.foreign.users import ForeignState, ForeignUsers
from driftrec.envs.population import SPLITS, Split
from driftrec.envs.simulation import Simulation, Trials
from driftrec.envs.user_model import UserModelError

SEEDS = 2**31 // len(SPLITS)
"""Tasks of a split: whatever takes a seed of 31 bits can be given it."""


class ForeignSimulation(Simulation):
    """A batch of foreign environments of one split.

    Args:
        split: whose model is a `ForeignUsers`.
        users: size of the batch.
        options: as for `Simulation`; arrays are numpy's.

    Raises:
        ValueError: if another array library is wanted.
    """

    model: ForeignUsers

    def __init__(self, split: Split, users: int, **options: Any) -> None:
        if options.get("array_library", "numpy") != "numpy":
            raise ValueError(
                "foreign environments step on the CPU: array_library must be 'numpy', got "
                f"{options['array_library']!r}"
            )
        super().__init__(split, users, **options)
        self._tasks: ForeignTasks | None = None
        self._records: Records

    def reset(self, *numbers: int) -> None:
        """Begin a trial of each of a new batch of tasks, which follow from the seed `numbers`."""
        super().reset(*numbers)
        self._begin(np.arange(self.users))

    def reset_rows(self, mask: Array) -> None:
        """Replace the tasks of the masked rows, `(users,)` booleans, by new ones."""
        super().reset_rows(mask)
        self._begin(rows_where(mask))

    def step(self, items: Array) -> None:
        """Show one slate to every user whose trial is not over; see `Simulation.step`.

        Raises:
            RuntimeError: if the environments were closed since the last reset.
        """
        if self._tasks is None:
            raise RuntimeError("the environments are closed: call reset to make others")
        super().step(items)
        self.state = replace(self.state, context=self._records.context)

    def close(self) -> None:
        """Close the environments and end their processes."""
        if self._tasks is not None:
            self._tasks.close()
            self._tasks = None

    @property
    def earned(self) -> Array:
        """What the environments paid for the last request, float32 `(users,)`."""
        return self._records.array[:, EARNED].astype(np.float32)

    @property
    def best_items(self) -> Array:
        """Privileged: what `best_action` says now, int64 `(users,)`.

        Raises:
            UserModelError: if the population was made without it.
        """
        if self.model.best_action is None:
            raise UserModelError(
                f"the environments of {self.split.population!r} do not tell which item is best: "
                "give foreign_population a best_action, or choose a learner that goes by feedback, "
                "such as rl2, maml or amortised"
            )
        return self._records.array[:, BEST].astype(np.int64)

    def _new_users(self, users: int) -> ForeignState:
        # Seeds leave another remainder for each split: no two splits share a task.
        numbers = self.streams.users.integers(SEEDS, size=users)
        seeds = numbers * len(SPLITS) + SPLITS.index(self.split.name)
        return ForeignState(seeds, np.zeros((users, self.model.context_size), np.float32))

    def _begin(self, rows: Array) -> None:
        if self._tasks is None:
            self._tasks = ForeignTasks(self.model, self.users)
        seeds = np.full(self.users, -1)
        seeds[rows] = self.state.seed[rows]
        self._records = self._tasks.begin(seeds)
        self.state.context[rows] = self._records.context[rows]

    def _feedback(self, state: Any, slate: Any) -> Array:
        assert self._tasks is not None
        items = slate.items
        if self.anyone_over:
            items = np.where(self.over[:, None], -1, items)
        self._records = self._tasks.step(items)
        return self._records.feedback

    def _visits(self, state: Any) -> tuple[Array, Array, Array]:
        gone = self._records.flag(CHURNED)
        left = gone | self._records.flag(ENDED)
        if not left.any():
            return left, left, self._pause
        # A day later, as in decision processes; after the end nothing.
        elapsed = np.where(left, np.float32(1), self._pause)
        elapsed[gone] = 0
        return left, gone, elapsed

    def _next_trials(
        self, items: Array, feedback: Array, left: Array, gone: Array, elapsed: Array
    ) -> Trials:
        trials = super()._next_trials(items, feedback, left, gone, elapsed)
        trials.truncated = trials.truncated | (self._records.flag(TRUNCATED) & ~gone)
        return trials
