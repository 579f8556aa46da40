"""Tune methods on validation users, each within the same budget.

A trial is one setting of a method, trained once and met by validation users; the first is the
method as it is. Test users cannot be met. Trials lie in OUT/<population>/<method>/trials.json, and
a tuning that was cut goes on there. What comes of it is printed; all trials in OUT/<population>,
those of earlier calls included, are gathered in its tuned.json. Methods that do not suit the
population are left out.

Examples:
    python scripts/tune.py --methods discounted-linucb kalman-ts hierarchical-bayes
    python scripts/tune.py --population KuaiRand --methods als rl2 --trials 30 --cpu-seconds 3600
    python scripts/tune.py --population Retention --methods rl2-retention --metric retention-7
    python scripts/tune.py --methods lin-ts --size smoke --trials 3 --users 50 --out runs/t
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from common import console, progress_bar, run
from rich.table import Table
from validation.cells import machine

from driftrec.agents.benchmark.proposing import Trial
from driftrec.agents.benchmark.spaces import SPACES
from driftrec.agents.benchmark.tuning import Budget, Tuning, choose, tune
from driftrec.agents.method import Method, Size
from driftrec.agents.methods import make_method
from driftrec.envs import Population, make_population
from driftrec.envs.files import write_json


@dataclass(frozen=True)
class Tune:
    """What to tune, on whom, and what it may cost."""

    methods: tuple[str, ...] = tuple(SPACES)
    """Names of the methods."""
    population: str = "Feed"
    """Whose train users are learnt from, and whose validation users are met."""
    trials: int = 20
    """Settings of each method, as it is included."""
    users: int = 500
    """Validation users that each trial meets."""
    cpu_seconds: float = math.inf
    """Of each method; when they are spent, no further trial is begun."""
    metric: str = "ctr"
    """What to choose by: ctr, retention-7, reward and others."""
    margin: float = 0.004
    """A method stays as it is unless a trial is better by more than this, since less may be luck:
    two standard errors of a difference in ctr between two methods that met the same 500 users."""
    size: Size = "standard"
    """Of the trainings."""
    seed: int = 0
    """Of trainings and proposals."""
    out: Path = Path("runs/tuning")
    """Folder of the trials."""


def main() -> None:
    """Tune method by method, and say what it changed."""
    options = tyro.cli(Tune, description=__doc__)
    budget = Budget(options.trials, options.users, options.cpu_seconds)
    population = make_population(options.population)
    methods = suited([make_method(name) for name in options.methods], population)
    found: dict[str, Tuning] = {}
    with progress_bar(budget.trials * len(methods)) as report:
        for method in methods:

            def tell(trial: Trial, name: str = method.name) -> None:
                report(f"{name} {_shown(trial.value)}", 1)

            found[method.name] = tune(
                method,
                population,
                options.out / options.population / method.name,
                budget=budget,
                size=options.size,
                metric=options.metric,
                margin=options.margin,
                seed=options.seed,
                report=tell,
            )
    done = {name: tuning for name, tuning in found.items() if any_done(tuning)}
    console().print(table_of(done, options.metric))
    folder = options.out / options.population
    write_json(folder / "tuned.json", gathered(folder, options.margin))
    for tuning in found.values():
        _ = tuning.best  # Raises for those that are not done, now that the others are written.


def suited(methods: Sequence[Method], population: Population) -> list[Method]:
    """The methods that suit these users; of the others it is said why they do not.

    Raises:
        ValueError: if there are none.
    """
    reasons = {method.name: method.unsuited(population) for method in methods}
    told = [f"{name} is left out: {reason}" for name, reason in reasons.items() if reason]
    if len(told) == len(reasons):
        raise ValueError("; ".join(told) or "there must be at least one method to tune, got none")
    for line in told:
        console().print(line, markup=False, highlight=False)
    return [method for method in methods if not reasons[method.name]]


def any_done(tuning: Tuning) -> bool:
    """Whether a trial went well."""
    return any(trial.value is not None for trial in tuning.trials)


def table_of(found: Mapping[str, Tuning], metric: str) -> Table:
    """A line for each method: what it got as it was, at best, and how."""
    table = Table(title=f"{metric} on validation users")
    for column in ("method", "as it was", "tuned", "options", "trials", "CPU-seconds"):
        table.add_column(column)
    for name, tuning in found.items():
        best = tuning.best
        options = ", ".join(f"{key}={_shown(value)}" for key, value in best.options.items())
        spent = sum(trial.cpu_seconds for trial in tuning.trials)
        first = _shown(tuning.trials[0].value)
        row = (name, first, _shown(best.value), options or "as it was")
        table.add_row(*row, str(len(tuning.trials)), f"{spent:.0f}")
    return table


def gathered(folder: Path, margin: float) -> dict[str, Any]:
    """All trials in a folder, by method, and what is chosen of them."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*/trials.json"))]
    tuned = {one["method"]: one for one in found}
    chosen = {
        name: choose([Trial(**trial) for trial in one["trials"]], margin)
        for name, one in tuned.items()
    }
    return {
        "margin": margin,
        "machine": machine(),
        "chosen": {name: best and best.options for name, best in chosen.items()},
        "methods": tuned,
    }


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    run(main)
