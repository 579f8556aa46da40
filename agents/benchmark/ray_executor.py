"""Works on a grid as tasks of Ray, on one machine or a cluster.

A worker of Ray writes into a folder of its own and hands the files back; this process writes them
into the store, so that nothing needs to be shared by the machines but driftrec itself. As many
results are under way as there are tasks handed out. What a training leaves goes to the tasks that
need it in the same manner. A training that is cut off begins anew.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from driftrec.agents.benchmark.cells import Cell, Meeting, Supplies, Training
from driftrec.agents.benchmark.record import Failure, Record
from driftrec.agents.benchmark.store import Store
from driftrec.agents.benchmark.work import perform

TRIES = 3
"""How often a cell may be lost before it counts as failed: a machine that leaves the cluster takes
cells with it that are not to blame."""

AHEAD = 2
"""Cells handed out for each processor, so that none waits for the next."""

Contents = Mapping[str, bytes]


class RayTasks:
    """Cells as tasks of Ray.

    A session of Ray that is under way is used and left as it is. Else one is begun: on the cluster
    at `address` or at the environment variable RAY_ADDRESS, or on this machine.

    Args:
        workers: processors to begin with on this machine; of a cluster all are used.
        address: of a cluster, such as "auto" on one of its machines.

    Raises:
        ImportError: if Ray is not installed.
    """

    def __init__(self, workers: int, address: str | None = None) -> None:
        self._ray = _import_ray()
        self.workers = workers
        self._address = address or os.environ.get("RAY_ADDRESS")
        self._ours = False
        self._running: dict[Any, tuple[Cell, int]] = {}
        self._trainings: dict[str, Any] = {}

    def start(self, supplies: Supplies, store: Store) -> int:
        """See `Executor`."""
        ray = self._ray
        if not ray.is_initialized():
            self._ours = True
            if self._address:
                ray.init(address=self._address, log_to_driver=False)
            else:
                ray.init(
                    address="local", num_cpus=self.workers, include_dashboard=False,
                    log_to_driver=False,
                )  # fmt: skip
        self._store = store
        # What lies in a list is not fetched before the task asks for it.
        self._given = sys.path.copy(), [ray.put(supplies)]
        # Lost tasks are handed out again here, where tries are counted.
        self._task = ray.remote(num_cpus=1, max_retries=0)(_perform)
        self.workers = max(int(ray.cluster_resources().get("CPU", 1)), 1)
        return AHEAD * self.workers

    def submit(self, cell: Cell) -> None:
        """See `Executor`."""
        self._hand_out(cell, 1)

    def finished(self) -> tuple[Cell, Record]:
        """See `Executor`."""
        ray = self._ray
        while True:
            (task, *_), _ = ray.wait(list(self._running), num_returns=1)
            cell, tries = self._running.pop(task)
            try:
                record, contents = ray.get(task)
            except ray.exceptions.RayTaskError as error:
                return cell, Record.of_error(error.cause)
            except ray.exceptions.RayError as error:
                if tries < TRIES:
                    self._hand_out(cell, tries + 1)
                    continue
                return cell, Record("failed", failure=_failure(error))
            if record.state == "done":
                self._store.adopt(cell, contents, record)
            return cell, record

    def _hand_out(self, cell: Cell, tries: int) -> None:
        learnt = self._learnt(cell.training) if isinstance(cell, Meeting) else None
        task = self._task.remote(cell, *self._given, learnt)
        self._running[task] = cell, tries

    def _learnt(self, training: Training | None) -> Any:
        if training is None:
            return None
        if training.key not in self._trainings:
            self._trainings[training.key] = self._ray.put(self._store.contents(training))
        return self._trainings[training.key]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Stop what is under way, and Ray if it was begun here."""
        ray = self._ray
        if ray.is_initialized():
            for task in self._running:
                ray.cancel(task, force=True)
            if self._ours:
                ray.shutdown()
        self._running, self._trainings = {}, {}


def _import_ray() -> Any:
    # An extra, which takes seconds to import.
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            "executor='ray' needs the extra 'ray': pip install driftrec[ray]"
        ) from error
    return ray


def _failure(error: Exception) -> Failure:
    # Ray says much; what matters is in the first line.
    lines = str(error).strip().splitlines() or [""]
    return Failure("WorkerDied", f"Ray lost it {TRIES} times, {type(error).__name__}: {lines[0]}")


_held: dict[Any, Supplies] = {}
"""The supplies that this process was given last."""


def _perform(
    cell: Cell, path: list[str], supplies: list[Any], learnt: Contents | None
) -> tuple[Record, dict[str, bytes]]:
    """What a task does: work in a folder of its own, and give back what is in it.

    Args:
        cell: what is asked for.
        path: where the one who asks finds modules.
        supplies: a reference to them.
        learnt: the files that a training left, if it is one whose policy is met.
    """
    given = _fetched(supplies[0], path)
    with tempfile.TemporaryDirectory(prefix="driftrec-") as folder:
        store = Store(Path(folder))
        if isinstance(cell, Meeting) and cell.training and learnt is not None:
            store.adopt(cell.training, learnt, Record("done"))
        record = perform(cell, given, store)
        return record, store.contents(cell) if record.state == "done" else {}


def _fetched(reference: Any, path: list[str]) -> Supplies:
    if reference not in _held:
        # On one machine, methods that lie beside a script are found as spawned processes find them.
        sys.path.extend(entry for entry in path if entry not in sys.path)
        _held.clear()
        _held[reference] = _import_ray().get(reference)
    return _held[reference]
