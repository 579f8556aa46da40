"""Drifting users: all learners beside the baselines, on users and items they never met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from driftrec.agents.comparison import Comparison
from driftrec.agents.evaluation import Evaluation
from driftrec.agents.plots import plot_adaptation, plot_advantage
from driftrec.agents.statistics import Interval
from driftrec.meta.calibration import plot_reliability
from validation.cells import Cell, Plan, result_of
from validation.figures import plot_costs
from validation.learners import (
    BaselineCell,
    DriftingCell,
    calibration_of,
    drifting_cells,
    splits_of,
)
from validation.text import NOT_RUN, between, large, table, verdict

SECTION = "users"
TITLE = "Drifting users"

POPULATIONS = ("Feed", "KuaiRand", "Movies")

BASELINES = (
    "random", "most-popular", "discounted-linucb", "filter-greedy", "filter-ucb", "clairvoyant",
)  # fmt: skip

DRAWS = 1000

TARGETS = {"amortised": 0.98, "rl2": 0.85}
"""Normalised scores on Feed's test users."""

BEYOND = 1.03
"""A score above this beats the Gaussian filter that knows the true model."""


def populations(plan: Plan) -> tuple[str, ...]:
    """Feed alone for smoke."""
    chosen: tuple[str, ...] = plan.pick(POPULATIONS[:1], POPULATIONS)
    return chosen


def baselines(population: str, plan: Plan) -> list[BaselineCell]:
    """Cells of policies that need no training."""
    return [
        BaselineCell(population, plan.pick(12, None), plan.pick(40, 2000), name)
        for name in BASELINES
    ]


def learners(population: str, plan: Plan) -> list[DriftingCell]:
    """Cells of the learners."""
    return drifting_cells(population, plan)


def cells(plan: Plan) -> list[Cell]:
    """All of the section, Feed first."""
    return [
        cell
        for population in populations(plan)
        for cell in [*baselines(population, plan), *learners(population, plan)]
    ]


@dataclass(frozen=True)
class Outcome:
    """What is known of a population.

    Attributes:
        population: its name.
        comparisons: by split; none where nothing was run.
        results: of the learners' cells that are done, by learner.
    """

    population: str
    comparisons: dict[str, Comparison]
    results: dict[str, list[dict[str, Any]]]


def outcome(population: str, plan: Plan, out: Path, splits: Sequence[str]) -> Outcome:
    """Gather what was kept of a population."""
    done = [cell for cell in learners(population, plan) if result_of(cell, out) is not None]
    results: dict[str, list[dict[str, Any]]] = {}
    for cell in done:
        results.setdefault(cell.learner, []).append(result_of(cell, out) or {})
    known = [cell for cell in baselines(population, plan) if result_of(cell, out) is not None]
    comparisons = {}
    for split in splits:
        met: dict[str, list[Evaluation]] = {
            cell.policy: [cell.evaluations(out, split)] for cell in known
        }
        for cell in done:
            for acting in cell.actings:
                name = called(cell.learner, acting)
                met.setdefault(name, []).append(cell.evaluations(out, split, acting))
        if met:
            comparisons[split] = Comparison(met, draws=DRAWS)
    return Outcome(population, comparisons, results)


def called(learner: str, acting: str) -> str:
    """What a learner's policy is called in tables."""
    return f"{learner} ({acting})"


def page(plan: Plan, out: Path, static: Path) -> str:
    """The section's text."""
    parts = [INTRODUCTION]
    for population in populations(plan):
        found = outcome(population, plan, out, splits_of(population))
        parts += [f"### {population}", _table(found, plan)]
        if population == "Feed":
            parts += [_verdicts(found, plan), *_figures(found, static), _calibration(found, static)]
    return "\n\n".join(parts)


INTRODUCTION = """\
Score: click-through rate on a scale where most popular is 0 and `filter-ucb`, the Gaussian filter
that knows the true model of the split it acts on, is 1. 95% intervals by bootstrap over users and
training seeds. All policies meet the same users with the same luck, none of whom was trained or
tuned on. How a policy acts stands behind its name. CPU-seconds and user-steps are of one training,
on average over seeds; validation counts among the seconds, not among the steps. Trainings on
KuaiRand and Movies are shorter than those on Feed, all but those of trees
(`scripts/validation/learners.py`)."""


def _table(found: Outcome, plan: Plan) -> str:
    splits = splits_of(found.population)
    names = [*BASELINES]
    for cell in learners(found.population, plan):
        names += [called(cell.learner, acting) for acting in cell.actings]
    rows = [_row(name, found, splits) for name in dict.fromkeys(names)]
    headings = ["policy", "seeds", "test CTR", "score", *splits[1:], "CPU-s", "user-steps"]
    return table(headings, rows)


def _row(name: str, found: Outcome, splits: Sequence[str]) -> list[str]:
    comparison = found.comparisons.get("test")
    if comparison is None or name not in comparison.policies:
        return [name, "", NOT_RUN, *[NOT_RUN for _ in splits], "", ""]
    learner = name.partition(" (")[0]
    results = found.results.get(learner, [])
    cost = f"{np.mean([one['cpu_seconds'] for one in results]):.0f}" if results else ""
    return [
        name,
        f"{len(results)}" if results else "",
        between(comparison.estimate(name), 3),
        *(between(score(found, split, name)) for split in splits),
        cost,
        large(results[0]["user_steps"]) if results else "",
    ]


def score(found: Outcome, split: str, name: str) -> Interval | None:
    """Normalised score, or None where it cannot be known yet."""
    comparison = found.comparisons.get(split)
    if comparison is None or name not in comparison.policies:
        return None
    return comparison.score(name)


def _verdicts(found: Outcome, plan: Plan) -> str:
    lines = [_target(found, learner, target) for learner, target in TARGETS.items()]
    lines += [_adapting(found, cell.learner) for cell in _adaptive(plan)]
    scores = {
        name: known
        for name in _policies(found)
        if (known := score(found, "test", name)) is not None and not np.isnan(known.value)
    }
    if scores:
        best = max(scores, key=lambda name: scores[name].value)
        beyond = [name for name, known in scores.items() if known.low > BEYOND]
        lines.append(
            f"The best learner on Feed's test users is {best} at {between(scores[best])}; beyond "
            f"{BEYOND} with the whole interval: {', '.join(beyond) or 'none'}."
        )
    return "\n".join(f"- {line}" for line in lines)


def _policies(found: Outcome) -> list[str]:
    comparison = found.comparisons.get("test")
    names = comparison.policies if comparison else []
    return [name for name in names if name not in BASELINES]


def _target(found: Outcome, learner: str, target: float) -> str:
    name = called(learner, "greedy")
    known = score(found, "test", name)
    if known is None:
        return f"{name}, target {target}: {NOT_RUN}."
    return f"{name}, target {target}: {between(known)}, {verdict(known.value, target)}."


def _adaptive(plan: Plan) -> list[DriftingCell]:
    """One cell of each learner that can be kept from adapting."""
    found = {
        cell.learner: cell for cell in learners("Feed", plan) if "not adapting" in cell.actings
    }
    return list(found.values())


def _adapting(found: Outcome, learner: str) -> str:
    comparison = found.comparisons.get("test")
    name, other = called(learner, "greedy"), called(learner, "not adapting")
    if comparison is None or name not in comparison.policies:
        return f"{learner}, adapting minus not adapting: {NOT_RUN}."
    gap = between(comparison.difference(name, other), 4)
    both = (
        f"scores {between(score(found, 'test', name))} and {between(score(found, 'test', other))}"
    )
    return f"{learner}, adapting minus not adapting: {gap} in CTR ({both})."


def _figures(found: Outcome, static: Path) -> list[str]:
    comparison = found.comparisons.get("test")
    if comparison is None or not {"most-popular", "filter-ucb"} <= set(comparison.policies):
        return [f"Figures: {NOT_RUN}."]
    first = {name.partition(" (")[0]: name for name in reversed(_policies(found))}
    names = ["most-popular", "discounted-linucb", "filter-ucb", *first.values()]
    names = [name for name in names if name in comparison.policies]
    plot_adaptation(comparison, static / "validation-adaptation.png", names, window=15)
    plot_advantage(comparison, static / "validation-advantage.png", names, window=15)
    points = {
        name: (float(np.mean([one["cpu_seconds"] for one in found.results[learner]])), known)
        for learner, name in first.items()
        if (known := score(found, "test", name)) is not None
    }
    plot_costs(points, static / "validation-cost.png")
    return [
        "![Click-through rate by request](_static/validation-adaptation.png)",
        "![Click-through rate above most popular, by request](_static/validation-advantage.png)",
        "![Score against CPU-seconds of training](_static/validation-cost.png)",
    ]


def _calibration(found: Outcome, static: Path) -> str:
    results = found.results.get("amortised", [])
    if not results:
        return f"Calibration of the amortised filter: {NOT_RUN}."
    splits = list(results[0]["calibration"])
    plot_reliability(
        {split: calibration_of(results[0], split) for split in splits},
        static / "validation-reliability.png",
    )
    errors = [
        f"{split} {np.mean([calibration_of(one, split).error for one in results]):.4f}"
        for split in splits
    ]
    return f"""\
Calibration of the amortised filter, greedy: predicted click probability of the item shown, in 20
bins of as many predictions each, against clicks. Expected calibration error, mean over
{len(results)} seed(s): {", ".join(errors)}. The figure is of seed 0.

![Reliability of the amortised filter](_static/validation-reliability.png)"""
