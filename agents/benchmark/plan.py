"""What a grid consists of, and what an output folder holds of it already."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from driftrec.agents.benchmark.cells import Cell, Keys, Meeting, Part, Supplies, Training, part_of
from driftrec.agents.benchmark.progress import Estimate
from driftrec.agents.benchmark.record import Failure, Record
from driftrec.agents.benchmark.store import Store
from driftrec.agents.benchmark.suite import Scenario, Suite
from driftrec.agents.method import Method, Size


@dataclass(frozen=True)
class Plan:
    """The cells of a grid.

    Attributes:
        scenarios: what is asked.
        parts: of each scenario, its methods.
        trainings: each once, by key, in the order of the scenarios.
        meetings: likewise.
        supplies: what the cells refer to.
    """

    scenarios: tuple[Scenario, ...]
    parts: tuple[tuple[Part, ...], ...]
    trainings: Mapping[str, Training]
    meetings: Mapping[str, Meeting]
    supplies: Supplies

    @property
    def cells(self) -> list[Cell]:
        """All cells, trainings first."""
        return [*self.trainings.values(), *self.meetings.values()]


def make_plan(
    scenarios: Suite | Sequence[Scenario], methods: Mapping[str, Method], size: Size
) -> Plan:
    """The cells of methods in scenarios; of each scenario's methods, those that are given.

    Raises:
        ValueError: if there is no scenario or no method for one of them, names of scenarios are
            not unique, or a method has another name than it is given by.
    """
    asked = scenarios.make(size) if isinstance(scenarios, Suite) else tuple(scenarios)
    _check(asked, methods)
    keys = Keys()
    parts = tuple(
        tuple(
            part_of(scenario, methods[name], size, keys)
            for name in scenario.methods
            if name in methods
        )
        for scenario in asked
    )
    meetings = [met for part in chain(*parts) for met in part.meetings.values()]
    return Plan(
        asked,
        parts,
        {met.training.key: met.training for met in meetings if met.training},
        {met.key: met for met in meetings},
        keys.supplies,
    )


def _check(scenarios: Sequence[Scenario], methods: Mapping[str, Method]) -> None:
    names = [scenario.name for scenario in scenarios]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"scenarios must be one or more, each with its own name, got {names}")
    for name, method in methods.items():
        if method.name != name:
            raise ValueError(f"the method given as {name!r} must have that name, not {method.name}")
    for scenario in scenarios:
        if not set(scenario.methods) & set(methods):
            raise ValueError(
                f"scenario {scenario.name!r} needs at least one of the methods "
                f"{', '.join(scenario.methods)}; got {', '.join(methods) or 'none'}"
            )


@dataclass(frozen=True)
class Listed:
    """What is known of a cell before a run.

    Attributes:
        cell: what is to be done.
        state: whether it is.
        seconds: that it took, or is estimated to take a worker; NaN if nothing is known.
        failure: what went wrong, if it failed.
    """

    cell: Cell
    state: Literal["done", "failed", "to do"]
    seconds: float
    failure: Failure | None = None

    def __str__(self) -> str:
        cell = self.cell
        told = f"{self.state:6} {cell.kind:8} {cell}"
        if not math.isnan(self.seconds):
            told += f", {'took' if self.state == 'done' else 'about'} {self.seconds:.3g} s"
        return f"{told}, {self.failure}" if self.failure else told


def list_plan(plan: Plan, store: Store) -> list[Listed]:
    """Every cell of a plan with its state in a store, trainings first."""
    records = {cell.key: store.record(cell) for cell in plan.cells}
    estimate = Estimate()
    for cell in plan.cells:
        if (record := records[cell.key]) and record.state == "done":
            estimate.learn(cell, record.cost.get("wall_seconds", 0.0))
    return [_listed(cell, records[cell.key], estimate) for cell in plan.cells]


def _listed(cell: Cell, record: Record | None, estimate: Estimate) -> Listed:
    if record is None:
        return Listed(cell, "to do", estimate.seconds(cell))
    if record.state == "failed":
        return Listed(cell, "failed", estimate.seconds(cell), record.failure)
    return Listed(cell, "done", record.cost.get("wall_seconds", 0.0))
