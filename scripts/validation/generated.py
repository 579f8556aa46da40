"""Generated users: whether training on them beside fitted ones helps."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from driftrec.agents.comparison import Comparison
from driftrec.agents.statistics import Interval
from driftrec.envs import make_population
from driftrec.meta.generation import (
    CurriculumConfig,
    GANConfig,
    compare_training_users,
    training_users,
)
from driftrec.meta.generation.comparison import REFERENCES
from driftrec.meta.ppo import PPOConfig
from validation.cells import Cell, Plan, result_of
from validation.text import NOT_RUN, between, table

SECTION = "generated"
TITLE = "Generated users"

POPULATION = "Feed"
FITTED = 30
"""Users who were fitted, as from a short log: with 100, more bring little ("Sample efficiency")."""

SPLITS = ("test", "ood-drift", "ood-taste", "ood-items")
FIRST = "fitted"
"""The choice of training users that the others are held against."""


@dataclass(frozen=True)
class GeneratedCell(Cell):
    """RL² trained on few fitted users, beside generated ones, and more.

    Attributes:
        config: how it is trained.
        seeds: trainings of each choice of users.
        users: met in each split.
    """

    config: CurriculumConfig
    seeds: int
    users: int
    section = SECTION

    @property
    def name(self) -> str:
        """The number of fitted users."""
        return f"{POPULATION} {self.config.fitted_users} fitted users, {self.seeds} seed(s)"

    def measure(self, folder: Path) -> dict[str, Any]:
        """Scores, and differences in click-through from training on fitted users, by split."""
        began = time.process_time()
        splits = compare_training_users(
            make_population(POPULATION), self.config, seeds=range(self.seeds), users=self.users,
            splits=SPLITS,
        )  # fmt: skip
        # Beside those, on all users.
        trained = (len(training_users(self.config)) + 1) * self.seeds
        return {
            "splits": {split: _numbers(found) for split, found in splits.items()},
            "cpu_seconds": (time.process_time() - began) / trained,
        }


def _numbers(found: Comparison) -> dict[str, Any]:
    return {
        policy: {"score": _of(found.score(policy)), "gain": _of(found.difference(policy, FIRST))}
        for policy in found.policies
    }


def _of(interval: Interval) -> list[float]:
    return [interval.value, interval.low, interval.high]


def _interval(numbers: list[float | None]) -> Interval:
    """What was kept as JSON, which has no NaN."""
    return Interval(*(float("nan") if number is None else number for number in numbers))


def cells(plan: Plan) -> list[Cell]:
    """All of the section: one cell."""
    return [_cell(plan)]


def _cell(plan: Plan) -> GeneratedCell:
    """Settings are those of `curriculum` in "Drifting users"."""
    config = CurriculumConfig(
        iterations=plan.pick(2, 30, 60),
        users=plan.pick(16, 512),
        hidden=plan.pick(8, 96),
        ppo=PPOConfig(minibatches=plan.pick(1, 16)),
        fitted_users=FITTED,
        gan=GANConfig(iterations=plan.pick(10, GANConfig.iterations)),
        regret_users=plan.pick(16, 512),
        validation_users=plan.pick(16, 300),
    )
    return GeneratedCell(config, plan.seeds, plan.pick(20, 1000))


def page(plan: Plan, out: Path, static: Path) -> str:
    """The section's text."""
    result = result_of(_cell(plan), out)
    return f"""\
RL² trained on {FITTED} fitted users of {POPULATION}, beside users drawn by a generator that was
trained on these, beside those and users on whom an adversary expects regret, and on a new user in
every trial ("all users"); as many trials each ({{doc}}`learners/generation`). Scores on the same
other users, on the scale of "Drifting users", and differences in click-through rate from training
on fitted users alone, with 95% intervals over users and training seeds ({plan.seeds}), each with
fitted users of its own.

{NOT_RUN if result is None else _tables(result)}"""


def _tables(result: dict[str, Any]) -> str:
    found = result["splits"]
    names = [name for name in found["test"] if name not in REFERENCES]
    rows = [
        [name, *(between(_interval(found[split][name]["score"])) for split in SPLITS)]
        for name in names
    ]
    gains = [
        [name, *(between(_interval(found[split][name]["gain"]), 4) for split in SPLITS)]
        for name in names
        if name != FIRST
    ]
    return f"""\
{table(["score, trained on", *SPLITS], rows)}

{table([f"click-through beyond {FIRST}", *SPLITS], gains)}

CPU-seconds of a training, evaluation included: {result["cpu_seconds"]:.0f}."""
