r"""Measure what a grid costs beside its cells: keys, records, files, handing out, taking back.

Cells are as small as they can be: one user, a request or two, a policy that looks at nothing. The
time a cell takes is that which passes, from when a tenth of the cells are done, so that the start
of workers does not count; its own is what the worker measured in it. A second run of the same grid
finds all done: that is what going on costs.

Examples:
    python scripts/bench_grid.py
    python scripts/bench_grid.py --cells 1000 --executors here process ray
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from common import console, run
from rich.table import Table

from driftrec.agents.benchmark.clock import Clock
from driftrec.agents.benchmark.grid import run_grid
from driftrec.agents.benchmark.progress import Status
from driftrec.agents.benchmark.suite import Scenario
from driftrec.agents.method import Method
from driftrec.agents.policy import Policy, PolicyFactory
from driftrec.envs import (
    DriftingUser,
    Population,
    RecommendationVectorEnv,
    default_personas,
    synthetic_catalogue,
)

METHODS = 50
"""Methods of a scenario."""

COLUMNS = ("passed", "passed in it", "CPU", "CPU in it", "all done before")
"""Of time that passed: a cell, and the part of it that its worker measured in it. Of processors:
of this process and its children, start-up included, over the cells; and the same part."""


@dataclass(frozen=True)
class Bench:
    """What to measure."""

    cells: int = 10_000
    """How many; a multiple of 50."""
    executors: tuple[str, ...] = ("here", "process")
    """Who works: here, process, ray."""
    workers: int = 2
    """Processes."""
    requests: int = 2
    """In the one trial of a cell."""


@dataclass
class Nothing:
    """A state that holds nothing of anyone."""

    users: np.ndarray


@dataclass(frozen=True)
class Same:
    """Shows everybody the same item."""

    item: int

    def start(self, users: int) -> Nothing:
        """The state of new users."""
        return Nothing(np.zeros(users, np.int64))

    def act(self, observation: Any, state: Nothing) -> tuple[np.ndarray, Nothing]:
        """The item, for each user."""
        return np.full((len(state.users), 1), self.item), state


@dataclass(frozen=True)
class Maker:
    """Makes the policy for any environment."""

    item: int

    def __call__(self, env: RecommendationVectorEnv) -> Policy:
        """The policy."""
        return Same(self.item)


@dataclass(frozen=True)
class Showing(Method):
    """The method that shows one item."""

    item: int = 0

    def policy(self, folder: Path) -> PolicyFactory:
        """See `Method`."""
        return Maker(self.item)


def main() -> None:
    """Run the grid with each executor in a folder that is thrown away, and print a table."""
    options = tyro.cli(Bench, description=__doc__)
    if options.cells < METHODS or options.cells % METHODS:
        raise ValueError(f"cells must be a multiple of {METHODS}, got {options.cells}")
    table = Table("executor", *COLUMNS, title=f"{options.cells} cells, ms each")
    for executor in options.executors:
        with tempfile.TemporaryDirectory() as folder:
            table.add_row(executor, *measured(executor, options, Path(folder)))
    console().print(table)


def measured(executor: str, options: Bench, out: Path) -> list[str]:
    """The numbers of one executor."""
    scenarios, methods = grid(options)
    times: list[float] = []

    def progress(status: Status) -> None:
        times.append(time.perf_counter())

    def once() -> Any:
        return run_grid(
            scenarios, methods, out, size="smoke", executor=executor, workers=options.workers,
            progress=progress,
        )  # fmt: skip

    clock = Clock()
    records = once().records.values()
    cpu = clock.spent["cpu_seconds"]
    first = len(times) // 10
    each = (times[-1] - times[first]) / (len(times) - 1 - first)
    own, own_cpu = (
        float(np.mean([record.cost[name] for record in records]))
        for name in ("wall_seconds", "cpu_seconds")
    )
    before = time.perf_counter()
    once()
    again = (time.perf_counter() - before) / options.cells
    # Workers of Ray are no children of this process.
    used = float("nan") if executor == "ray" else cpu / options.cells
    return [f"{1000 * seconds:.2f}" for seconds in (each, own, used, own_cpu, again)]


def grid(options: Bench) -> tuple[list[Scenario], dict[str, Method]]:
    """Scenarios that differ in the seed of their user, and methods that differ in their item."""
    catalogue = synthetic_catalogue(METHODS, np.random.default_rng(0), dimension=4, topics=3)
    users = DriftingUser(personas=default_personas(3, 4), topics=3)
    population = Population("Tiny", users, catalogue, max_requests=options.requests, repeats=True)
    methods: dict[str, Method] = {
        f"item-{item}": Showing(f"item-{item}", "reference", item) for item in range(METHODS)
    }
    scenarios = [
        Scenario(
            f"seed-{seed}", "What does it cost?", population, population, "test", 1,
            tuple(methods), seed=seed,
        )
        for seed in range(options.cells // METHODS)
    ]  # fmt: skip
    return scenarios, methods


if __name__ == "__main__":
    run(main)
