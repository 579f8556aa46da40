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
    """

    config: NavigationConfig
    goals: int
    section = SECTION

    @property
    def name(self) -> str:
        """The seed."""
        return f"navigation maml seed {self.config.training.seed}"

    def measure(self, folder: Path) -> dict[str, Any]:
        """Train from the start, then measure with actions drawn."""
        began = time.process_time()
        training = train_navigation(self.config)
        spent = time.process_time() - began
        returns = measure_navigation(training, self.goals)
        return {
            "returns": [mean for mean, _ in returns],
            "errors": [error for _, error in returns],
            "training_seconds": spent,
        }


def cells(plan: Plan) -> list[Cell]:
    """A cell for each seed."""
    config = NavigationConfig()
    standard = config.training.iterations
    small = {"tasks": 4, "episodes": 4} if plan.size == "smoke" else {}
    iterations = plan.pick(2, standard, 3 * standard)
    return [
        NavigationCell(
            replace(
                config,
                training=replace(config.training, iterations=iterations, seed=seed, **small),
            ),
            goals=plan.pick(10, 500),
        )
        for seed in range(plan.seeds)
    ]


def page(plan: Plan, out: Path, static: Path) -> str:
    """The section's text."""
    done = [result for cell in cells(plan) if (result := result_of(cell, out)) is not None]
    rows = [_row(step, published, done) for step, published in enumerate(PUBLISHED)]
    cost = f"{np.mean([one['training_seconds'] for one in done]):.0f}" if done else NOT_RUN
    return f"""\
Return of an episode of 100 moves after so many gradient steps on 20 episodes each, with actions
drawn: mean ± standard error over fresh goals and {len(done)} training seeds. Standing still earns
-38.1, the straight way -.5. CPU-seconds of one training: {cost}.

{table(["gradient steps", "published", "measured", "verdict"], rows)}"""


def _row(step: int, published: float, done: list[dict[str, Any]]) -> list[str]:
    if not done:
        return [f"{step}", f"{published}", NOT_RUN, NOT_RUN]
    values = np.array([one["returns"][step] for one in done])
    errors = np.array([one["errors"][step] for one in done])
    spread = values.var(ddof=1) / len(values) if len(values) > 1 else 0.0
    error = float(np.sqrt(spread + np.mean(errors**2)))
    judged = verdict(values.mean(), published, decimals=2)
    return [f"{step}", f"{published}", plus_minus(values.mean(), error), judged]
