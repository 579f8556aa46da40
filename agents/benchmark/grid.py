"""Runs a grid of methods, populations, splits and seeds: what is done stays done."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

from driftrec.agents.benchmark.cells import Cell, Training
from driftrec.agents.benchmark.executors import Executor, make_executor
from driftrec.agents.benchmark.gathered import Results
from driftrec.agents.benchmark.plan import Listed, Plan, list_plan, make_plan
from driftrec.agents.benchmark.progress import Estimate, Progress, Status, grid_bar
from driftrec.agents.benchmark.record import DiskFullError, Failure, Record, is_full
from driftrec.agents.benchmark.store import Store
from driftrec.agents.benchmark.suite import Scenario, Suite
from driftrec.agents.method import Method, Size


def run_grid(
    scenarios: Suite | Sequence[Scenario],
    methods: Mapping[str, Method],
    out: str | Path,
    *,
    size: Size,
    executor: str | Executor = "process",
    workers: int = 2,
    progress: Progress | Literal["bar"] | None = "bar",
    retry: bool = True,
) -> Results:
    """Train what is to be trained, let every method meet the users of every scenario.

    Results lie in `out` under keys made of all that they depend on but the code. A run that was
    killed goes on where it was when the same call is made again; runs with other scenarios or
    methods share what they have in common, and two runs may share a folder at the same time.
    What fails is recorded, with what depends on it, and all else goes on.

    Args:
        scenarios: a suite, or scenarios of one's own.
        methods: by name; of each scenario's methods, those that are here take part.
        out: folder of the results.
        size: how much is trained and, of a suite, measured.
        executor: "here", "process", "ray", or one of your own.
        workers: processes; of a cluster all processors are used.
        progress: told where the run stands; or a bar, which is silent without a terminal; or None.
        retry: whether what failed before is tried again.

    Returns:
        The result of each scenario, in order; read from the folder when asked for.

    Raises:
        DiskFullError: if there is no room for a result. Nothing that was written is lost.
        ValueError: if scenarios and methods do not go together, or an option is unknown.
    """
    plan, store = make_plan(scenarios, methods, size), Store(Path(out))
    chosen = make_executor(executor, workers)
    try:
        store.root.mkdir(parents=True, exist_ok=True)
        store.sweep()
        with grid_bar() if progress == "bar" else nullcontext(progress) as told:
            records = _Run(plan, store, told, retry).run(chosen)
    except OSError as error:
        if isinstance(error, DiskFullError) or not is_full(error):
            raise
        raise _disk_full(store, str(error)) from error
    return Results(plan, store, records)


def list_cells(
    scenarios: Suite | Sequence[Scenario],
    methods: Mapping[str, Method],
    out: str | Path,
    *,
    size: Size,
) -> list[Listed]:
    """What `run_grid` would do: every cell, whether it is done, and what it is likely to take.

    Raises:
        ValueError: if scenarios and methods do not go together.
    """
    return list_plan(make_plan(scenarios, methods, size), Store(Path(out)))


class _Run:
    """One call of `run_grid`.

    Attributes:
        records: what became of each cell, by key.
    """

    def __init__(self, plan: Plan, store: Store, progress: Progress | None, retry: bool) -> None:
        self.plan, self.store, self.progress = plan, store, progress
        self.records: dict[str, Record] = {}
        self._estimate = Estimate()
        self._waiting: dict[str, list[Cell]] = {}
        self._ready: deque[Cell] = deque()
        self._done = self._failed = 0
        for cell in plan.cells:
            self._look_up(cell, retry)

    def run(self, executor: Executor) -> dict[str, Record]:
        """Do what is left to do."""
        if not self._ready:
            self._report(1)
            return self.records
        with executor:
            slots = executor.start(self.plan.supplies, self.store)
            self._report(executor.workers)
            under_way = 0
            while self._ready or under_way:
                while self._ready and under_way < slots:
                    executor.submit(self._ready.popleft())
                    under_way += 1
                cell, record = executor.finished()
                under_way -= 1
                self._take(cell, record)
                self._report(min(executor.workers, len(self._ready) + under_way), cell)
        return self.records

    def _look_up(self, cell: Cell, retry: bool) -> None:
        record = self.store.record(cell)
        if record is not None and (record.state == "done" or not retry):
            self._settle(cell, record)
            return
        self._estimate.expect([cell])
        training = None if isinstance(cell, Training) else cell.training
        if training is None:
            self._ready.append(cell)
        elif training.key in self.records:
            self._free(training, [cell])
        else:
            self._waiting.setdefault(training.key, []).append(cell)

    def _take(self, cell: Cell, record: Record) -> None:
        if record.state == "full":
            raise _disk_full(self.store, str(record.failure))
        self._estimate.expect([cell], -1)
        if record.state == "failed":
            self.store.write(cell, record)
        self._settle(cell, record)
        if isinstance(cell, Training):
            self._free(cell, self._waiting.pop(cell.key, []))

    def _free(self, training: Training, cells: list[Cell]) -> None:
        """What waited for a training is ready, or has failed with it."""
        record = self.records[training.key]
        if record.state == "done":
            self._ready.extend(cells)
            return
        told = Failure("TrainingFailed", f"its training failed: {record.failure}")
        self._estimate.expect(cells, -1)
        for cell in cells:
            self._settle(cell, Record("failed", failure=told))

    def _settle(self, cell: Cell, record: Record) -> None:
        self.records[cell.key] = record
        if record.state == "done":
            self._estimate.learn(cell, record.cost.get("wall_seconds", 0.0))
        self._done += record.state == "done"
        self._failed += record.state == "failed"

    def _report(self, workers: int, cell: Cell | None = None) -> None:
        if self.progress is not None:
            left = self._estimate.seconds_left / max(workers, 1)
            total = len(self.plan.trainings) + len(self.plan.meetings)
            last = f"{cell.kind} of {cell.name}" if cell else ""
            self.progress(Status(self._done, self._failed, total, left, last))


def _disk_full(store: Store, told: str) -> DiskFullError:
    return DiskFullError(
        f"there is no room left for results in {store.root} ({told}): make room and run the same "
        "again; what is done is kept"
    )
