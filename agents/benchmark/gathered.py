"""Results of a grid, read from its folder one scenario at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import overload

from driftrec.agents.benchmark.cells import Part
from driftrec.agents.benchmark.plan import Plan
from driftrec.agents.benchmark.record import Record
from driftrec.agents.benchmark.results import MethodResult, ScenarioResult
from driftrec.agents.benchmark.store import Store
from driftrec.agents.evaluation import Evaluation


class Results(Sequence[ScenarioResult]):
    """The result of each scenario, in order; evaluations are read whenever one is asked for.

    Attributes:
        records: what became of each cell, by key.
        unsuited: of each scenario, why methods could not take part, by their names.
        failures: of each scenario, what went wrong, by method and training seed.
    """

    def __init__(self, plan: Plan, store: Store, records: Mapping[str, Record]) -> None:
        self._plan, self._store, self.records = plan, store, records
        pairs = list(zip(plan.scenarios, plan.parts, strict=True))
        self.unsuited = {
            scenario.name: {part.method.name: part.unsuited for part in parts if part.unsuited}
            for scenario, parts in pairs
        }
        self.failures = {
            scenario.name: {
                part.method.name: found for part in parts if (found := self._failures(part))
            }
            for scenario, parts in pairs
        }

    def __len__(self) -> int:
        return len(self._plan.scenarios)

    @overload
    def __getitem__(self, index: int) -> ScenarioResult: ...
    @overload
    def __getitem__(self, index: slice) -> list[ScenarioResult]: ...
    def __getitem__(self, index: int | slice) -> ScenarioResult | list[ScenarioResult]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        taking_part = [part for part in self._plan.parts[index] if not part.unsuited]
        return ScenarioResult(
            self._plan.scenarios[index],
            {part.method.name: self._result(part) for part in taking_part},
            self.unsuited[self._plan.scenarios[index].name],
        )

    def __iter__(self) -> Iterator[ScenarioResult]:
        return (self[index] for index in range(len(self)))

    def _result(self, part: Part) -> MethodResult:
        done = {
            seed: met
            for seed, met in part.meetings.items()
            if self.records[met.key].state == "done"
        }
        trainings = [met.training for met in done.values()]
        return MethodResult(
            part.method,
            tuple(Evaluation.load(self._store.path(met)) for met in done.values()),
            tuple(done),
            tuple(self.records[one.key].cost if one else {} for one in trainings),
            self._failures(part),
        )

    def _failures(self, part: Part) -> dict[int, str]:
        if part.failure:
            return {0: part.failure}
        found = {seed: self.records[met.key] for seed, met in part.meetings.items()}
        return {seed: str(one.failure) for seed, one in found.items() if one.state == "failed"}
