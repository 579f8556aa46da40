"""Sample efficiency: what a learner makes of few training users."""

from __future__ import annotations

from pathlib import Path

from driftrec.agents.comparison import Comparison
from driftrec.agents.statistics import Interval
from validation.cells import Cell, Plan, result_of
from validation.figures import plot_efficiency
from validation.learners import DriftingCell, efficiency_cells
from validation.text import NOT_RUN, between, table
from validation.users import DRAWS, baselines, called

SECTION = "efficiency"
TITLE = "Sample efficiency"

POPULATION = "Feed"
LEARNERS = ("rl2", "maml", "amortised")
COUNTS: tuple[int | None, ...] = (100, 1000, 10_000, None)
"""Distinct training users; None draws a new one for every trial."""

UNLIMITED = 100_000.0
"""Where that stands on the figure's axis."""


def counts(plan: Plan) -> tuple[int | None, ...]:
    """Numbers of training users."""
    chosen: tuple[int | None, ...] = plan.pick((100, None), COUNTS)
    return chosen


def learners(count: int | None, plan: Plan) -> list[DriftingCell]:
    """Cells with so many training users, trained as shortly as on KuaiRand and Movies."""
    return efficiency_cells(POPULATION, LEARNERS, count, plan)


def cells(plan: Plan) -> list[Cell]:
    """All of the section, the baselines that scores need included."""
    trained = [cell for count in counts(plan) for cell in learners(count, plan)]
    return [*_scale(plan), *trained]


def _scale(plan: Plan) -> list[Cell]:
    """Cells of the policies whose scores are 0 and 1."""
    return [
        cell
        for cell in baselines(POPULATION, plan)
        if cell.policy in ("most-popular", "filter-ucb")
    ]


def page(plan: Plan, out: Path, static: Path) -> str:
    """The section's text."""
    scores = {count: _scores(count, plan, out) for count in counts(plan)}
    rows = [
        [name, *(between(scores[count].get(name)) for count in counts(plan))] for name in LEARNERS
    ]
    headings = ["learner", *("unlimited" if one is None else f"{one:,}" for one in counts(plan))]
    curves = {
        name: [
            (UNLIMITED if count is None else float(count), scores[count][name])
            for count in counts(plan)
            if name in scores[count]
        ]
        for name in LEARNERS
    }
    figure = f"Figure: {NOT_RUN}."
    if known := {name: points for name, points in curves.items() if points}:
        plot_efficiency(known, static / "validation-efficiency.png", UNLIMITED)
        figure = "![Score by number of training users](_static/validation-efficiency.png)"
    return f"""\
Score on {POPULATION}'s test users of learners that met only so many distinct users in training,
each as often as the same number of trials asks (`driftrec.envs.finite_users`); settings as on
KuaiRand and Movies, acting greedily, with 95% intervals over users and training seeds
({_done(plan, out)}). Each seed also stands for a finite set of its own.

{table(headings, rows)}

{figure}"""


def _done(plan: Plan, out: Path) -> str:
    """How many trainings are done."""
    everything = [cell for count in counts(plan) for cell in learners(count, plan)]
    done = sum(result_of(cell, out) is not None for cell in everything)
    return f"{done} of {len(everything)} trainings are done"


def _scores(count: int | None, plan: Plan, out: Path) -> dict[str, Interval]:
    """Scores by learner, of those that can be known."""
    scale = _scale(plan)
    if not all(result_of(cell, out) for cell in scale):
        return {}
    met = {cell.policy: [cell.evaluations(out, "test")] for cell in scale}  # type: ignore[attr-defined]  # baselines
    for cell in learners(count, plan):
        if result_of(cell, out) is not None:
            one = cell.evaluations(out, "test", "greedy")
            met.setdefault(called(cell.learner, "greedy"), []).append(one)
    comparison = Comparison(met, draws=DRAWS)
    return {
        name: comparison.score(called(name, "greedy"))
        for name in LEARNERS
        if called(name, "greedy") in comparison.policies
    }
