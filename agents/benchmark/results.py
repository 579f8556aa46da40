"""What a grid hands to the statistics: all that every method got in every scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from driftrec.agents.benchmark.suite import Scenario
from driftrec.agents.evaluation import Evaluation
from driftrec.agents.method import Method


@dataclass(frozen=True, eq=False)
class MethodResult:
    """What one method got in one scenario.

    Attributes:
        method: as it took part.
        evaluations: one for each training seed that went well, in the order of the seeds.
        seeds: those training seeds; (0,) for a method that does not train.
        costs: of each of those trainings: "cpu_seconds", "user_steps" and what else was counted;
            empty where nothing was trained.
        failures: what went wrong with the other training seeds, in words.

    Raises:
        ValueError: if there are not as many evaluations as seeds and costs.
    """

    method: Method
    evaluations: tuple[Evaluation, ...] = ()
    seeds: tuple[int, ...] = ()
    costs: tuple[Mapping[str, float], ...] = ()
    failures: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not len(self.evaluations) == len(self.seeds) == len(self.costs):
            raise ValueError(
                "evaluations, seeds and costs must be as many, got "
                f"{len(self.evaluations)}, {len(self.seeds)} and {len(self.costs)}"
            )


@dataclass(frozen=True, eq=False)
class ScenarioResult:
    """What every method got in one scenario.

    Attributes:
        scenario: what was asked.
        methods: by name, in the order of tables; those that failed altogether included.
        unsuited: why other methods of the scenario cannot take part, in words, by name.
    """

    scenario: Scenario
    methods: Mapping[str, MethodResult]
    unsuited: Mapping[str, str] = field(default_factory=dict)
