"""Works on a grid in processes of this machine, one thread each."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
from multiprocessing.connection import Connection, wait
from typing import Any, Self

from driftrec.agents.benchmark.cells import Cell, Supplies
from driftrec.agents.benchmark.record import Failure, Record
from driftrec.agents.benchmark.store import Store
from driftrec.agents.benchmark.work import perform
from driftrec.agents.workers import depend_on_parent, one_thread

TRIES = 2
"""How often a cell may end the process that works on it before it counts as failed."""

PATIENCE = 1.0
"""Seconds between two looks at whether a worker that says nothing is alive."""

GRACE = 5.0
"""Seconds that a worker has to end of itself."""

STARTS = 3
"""Workers in a row that may end before they are ready: then something is wrong with all."""


class WorkerStartError(RuntimeError):
    """Workers cannot be started."""


class Processes:
    """A process for each worker, known by the cell that it is at.

    Where a pool of `concurrent.futures` breaks as a whole if one of its processes dies, here that
    one is replaced: its cell is tried once more, and is then failed; the others go on.

    Args:
        workers: number of processes.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._crew: list[_Worker] = []
        self._lost = 0

    def start(self, supplies: Supplies, store: Store) -> int:
        """See `Executor`.

        Raises:
            ValueError: if a method or a population cannot be pickled.
        """
        self._given = pickled(supplies), store
        return self.workers

    def submit(self, cell: Cell) -> None:
        """See `Executor`."""
        idle = next((worker for worker in self._crew if worker.cell is None), None)
        if idle is None:
            idle = _Worker(*self._given)
            self._crew.append(idle)
        idle.give(cell, 1)

    def finished(self) -> tuple[Cell, Record]:
        """See `Executor`.

        Raises:
            WorkerStartError: if several workers in a row ended before they were ready.
        """
        while True:
            busy = [worker for worker in self._crew if worker.cell is not None]
            wait([worker.connection for worker in busy], PATIENCE)
            for worker in busy:
                answer = worker.answer()
                if answer is not None:
                    self._lost = 0
                    return answer
                if not worker.alive():
                    failed = self._replace(worker)
                    if failed is not None:
                        return failed

    def _replace(self, worker: _Worker) -> tuple[Cell, Record] | None:
        """Another in the place of a worker that died; the cell that it was at, if that failed."""
        cell, tries, code = worker.cell, worker.tries, worker.end()
        place = self._crew.index(worker)
        self._crew.pop(place)
        assert cell is not None  # Only those that are at work are looked at.
        self._lost += not worker.ready
        if self._lost >= STARTS:
            raise WorkerStartError(
                f"{STARTS} workers ended before they were ready ({_how(code)}): what they said is "
                "above; a script must call run_grid under `if __name__ == '__main__':`"
            )
        other = _Worker(*self._given)
        self._crew.insert(place, other)
        if not worker.ready or tries < TRIES:
            other.give(cell, tries + worker.ready)
            return None
        message = f"the process that worked on it {_how(code)}, {TRIES} times"
        return cell, Record("failed", failure=Failure("WorkerDied", message))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """End the workers: what they are at after an exception is of no more use."""
        for worker in self._crew:
            worker.dismiss(at_once=kind is not None)
        for worker in self._crew:
            worker.end()
        self._crew = []


class _Worker:
    """One process.

    Attributes:
        connection: to it.
        cell: what it is at, None if at nothing.
        tries: how often that cell was begun, this time included.
        ready: whether it has said that it is.
    """

    def __init__(self, supplies: bytes, store: Store) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, supplies, store))
        with one_thread():
            self._process.start()
        # Its end is open in that process alone, so that it closes with it.
        theirs.close()
        self.cell: Cell | None = None
        self.tries, self.ready = 0, False

    def give(self, cell: Cell, tries: int) -> None:
        self.cell, self.tries = cell, tries
        try:
            self.connection.send(cell)
        except OSError:
            return  # It died idle, which is noticed where answers are waited for.

    def answer(self) -> tuple[Cell, Record] | None:
        """What it has to say of its cell, None if nothing yet or ever."""
        try:
            while self.connection.poll():
                said = self.connection.recv()
                if isinstance(said, Record) and self.cell is not None:
                    cell, self.cell = self.cell, None
                    return cell, said
                self.ready = True
        except (EOFError, OSError, pickle.UnpicklingError):
            self._process.kill()
            self._process.join()
        return None

    def alive(self) -> bool:
        return self._process.is_alive()

    def dismiss(self, *, at_once: bool) -> None:
        if at_once:
            self._process.kill()
            return
        try:
            self.connection.send(None)
        except OSError:
            return  # It is gone already.

    def end(self) -> int | None:
        """Wait for its end, and tell how it ended."""
        self._process.join(GRACE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        code = self._process.exitcode
        self.connection.close()
        self._process.close()
        return code


def _serve(connection: Connection, supplies: bytes, store: Store) -> None:
    depend_on_parent()
    given: Supplies = pickle.loads(supplies)
    connection.send("ready")
    while (cell := connection.recv()) is not None:
        connection.send(perform(cell, given, store))


def pickled(supplies: Supplies) -> bytes:
    """Supplies as they go to a worker.

    Raises:
        ValueError: if a method or a population cannot be pickled.
    """
    for method in supplies.methods.values():
        _check_pickles(method, f"method {method.name!r}")
    for population in supplies.populations.values():
        _check_pickles(population, f"population {population.name!r}")
    return pickle.dumps(supplies)


def _check_pickles(value: Any, what: str) -> None:
    try:
        pickle.dumps(value)
    except Exception as error:
        raise ValueError(
            f"{what} must pickle, to go to other processes, and {error}; "
            "executor='here' does without"
        ) from error


def _how(code: int | None) -> str:
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name
    memory = ": perhaps there was too little memory" if name == "SIGKILL" else ""
    return f"was ended by {name}{memory}"
