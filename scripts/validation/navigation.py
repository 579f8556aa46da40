"""2D navigation: what gradient steps bring."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from driftrec.meta.maml.navigation import (
    NavigationConfig,
    measure_navigation,
    train_navigation,
)
from validation.cells import Cell, Plan, result_of
from validation.text import NOT_RUN, plus_minus, table, verdict

SECTION = "navigation"
TITLE = "2D navigation"

PUBLISHED = (-40.41, -11.68, -3.33, -3.23)
"""Returns after 0, 1, 2, 3 gradient steps."""


@dataclass(frozen=True)
class NavigationCell(Cell):
    """A training with one seed.

    Attributes:
        config: how it is trained, its seed included.
        goals: fresh ones, on which it is measured.
        goal_seed: draws them; no setting was chosen by looking at these.
    """

    config: NavigationConfig
    goals: int
    goal_seed: int = 2_000_003
    section = SECTION

    @property
    def name(self) -> str:
        """The kind of step, and the seed."""
        training = self.config.training
        kind = "plain steps" if training.best_return is None else "Polyak steps"
        return f"navigation maml {kind} seed {training.seed}"

    def measure(self, folder: Path) -> dict[str, Any]:
        """Train from the start, then measure with actions drawn."""
        began = time.process_time()
        training = train_navigation(self.config)
        spent = time.process_time() - began
        returns = measure_navigation(training, self.goals, self.goal_seed)
        return {
            "returns": [mean for mean, _ in returns],
            "errors": [error for _, error in returns],
            "training_seconds": spent,
        }


def cells(plan: Plan) -> list[Cell]:
    """A cell for each kind of step and each seed."""
    return [*_cells(plan, known_best=True), *_cells(plan, known_best=False)]


def _cells(plan: Plan, known_best: bool) -> list[NavigationCell]:
    config = NavigationConfig()
    standard = config.training.iterations
    small = {"tasks": 4, "episodes": 4} if plan.size == "smoke" else {}
    training = replace(
        config.training,
        iterations=plan.pick(2, standard, 3 * standard),
        best_return=config.training.best_return if known_best else None,
        **small,
    )
    return [
        NavigationCell(
            replace(config, training=replace(training, seed=seed)), goals=plan.pick(10, 500)
        )
        for seed in range(plan.seeds)
    ]


def page(plan: Plan, out: Path, static: Path) -> str:
    """The section's text."""
    polyak, plain = (
        [result for cell in _cells(plan, known) if (result := result_of(cell, out)) is not None]
        for known in (True, False)
    )
    rows = [
        [*_row(step, published, polyak), _measured(step, plain)]
        for step, published in enumerate(PUBLISHED)
    ]
    cost = f"{np.mean([one['training_seconds'] for one in polyak]):.0f}" if polyak else NOT_RUN
    headings = ["gradient steps", "published", "measured", "verdict", "plain steps"]
    return f"""\
Return of an episode of 100 moves after so many gradient steps on 20 episodes each, with actions
drawn: mean ± standard error over fresh goals and {len(polyak)} training seeds. Standing still earns
-38.1, the straight way -.5. The policy is linear. A task's inner step is in proportion to how far
its return falls short of 0, the best there is (Polyak's step size), because the gradient of a
distance tells the way and not how far; "plain steps" are without that. CPU-seconds of one
training: {cost}.

{table(headings, rows)}"""


def _measured(step: int, done: list[dict[str, Any]]) -> str:
    if not done:
        return NOT_RUN
    values = np.array([one["returns"][step] for one in done])
    errors = np.array([one["errors"][step] for one in done])
    spread = values.var(ddof=1) / len(values) if len(values) > 1 else 0.0
    return plus_minus(values.mean(), float(np.sqrt(spread + np.mean(errors**2))))


def _row(step: int, published: float, done: list[dict[str, Any]]) -> list[str]:
    if not done:
        return [f"{step}", f"{published}", NOT_RUN, NOT_RUN]
    value = float(np.mean([one["returns"][step] for one in done]))
    judged = verdict(value, published, decimals=2)
    return [f"{step}", f"{published}", _measured(step, done), judged]
