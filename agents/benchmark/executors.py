"""Who does the work of a grid: the contract, and the one that works in this process."""

from __future__ import annotations

from typing import Protocol, Self

from driftrec.agents.benchmark.cells import Cell, Supplies
from driftrec.agents.benchmark.record import Record
from driftrec.agents.benchmark.store import Store
from driftrec.agents.benchmark.work import perform


class Executor(Protocol):
    """Works on cells, several at once, and survives what happens to its workers.

    It is a context manager: on leaving, workers are ended, at once after an exception.

    Attributes:
        workers: cells that are worked on at once, known from `start` on.
    """

    workers: int

    def start(self, supplies: Supplies, store: Store) -> int:
        """Begin: workers are given the supplies once.

        Returns:
            The most cells that it is worth to hand out at once.
        """
        ...

    def submit(self, cell: Cell) -> None:
        """Hand out a cell; what it depends on is in the store."""
        ...

    def finished(self) -> tuple[Cell, Record]:
        """Wait for one of the cells handed out; its result is in the store if it is done."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: object, error: object, trace: object) -> None: ...


class Here:
    """Works in this process, on one cell after the other: what a debugger can follow."""

    workers = 1

    def start(self, supplies: Supplies, store: Store) -> int:
        """See `Executor`."""
        self._supplies, self._store = supplies, store
        self._waiting: list[Cell] = []
        return 1

    def submit(self, cell: Cell) -> None:
        """See `Executor`."""
        self._waiting.append(cell)

    def finished(self) -> tuple[Cell, Record]:
        """Do what was handed out first."""
        cell = self._waiting.pop(0)
        return cell, perform(cell, self._supplies, self._store)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """There is nothing to end."""


def make_executor(executor: str | Executor, workers: int) -> Executor:
    """An executor by its name: "here", "process" or "ray".

    Raises:
        ValueError: if there is none of that name, or `workers` is below 1.
        ImportError: if it is "ray" and that is not installed.
    """
    if not isinstance(executor, str):
        return executor
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    # Imported late: each needs modules that the others do not.
    if executor == "here":
        return Here()
    if executor == "process":
        from driftrec.agents.benchmark.process_executor import Processes

        return Processes(workers)
    if executor == "ray":
        from driftrec.agents.benchmark.ray_executor import RayTasks

        return RayTasks(workers)
    raise ValueError(f"executor must be 'here', 'process' or 'ray'; got {executor!r}")
