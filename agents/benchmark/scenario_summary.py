"""All numbers of one scenario, as JSON can hold them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from driftrec.agents.benchmark.overall import Scores, scenario_scores
from driftrec.agents.benchmark.plain import NOTHING, plain
from driftrec.agents.benchmark.results import MethodResult, ScenarioResult
from driftrec.agents.benchmark.suite import Scenario
from driftrec.agents.benchmark.trial_view import gains, trials
from driftrec.agents.comparison import Comparison
from driftrec.agents.diversity import catalogue_metrics
from driftrec.agents.evaluation import Evaluation
from driftrec.agents.groups import EVERYONE, group_means, members
from driftrec.agents.metrics import (
    METRICS,
    Metric,
    adaptation_curve,
    survival_curve,
    user_ctr,
)
from driftrec.agents.pairwise import all_pairs
from driftrec.agents.predictions import (
    PREDICTION_SCORES,
    calibration_bins,
    prediction_scores,
    predicts,
)
from driftrec.agents.recovery import recovery_metrics
from driftrec.agents.report import CURVE_DAYS

WINDOW = 5
"""Requests that the adaptation curve is pooled over."""


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made.

    Attributes:
        draws: of CTR, scores and comparisons.
        detail_draws: of everything else.
        level: probability that an interval holds the truth.
        seed: of the draws.
    """

    draws: int = 2000
    detail_draws: int = 500
    level: float = 0.95
    seed: int = 0


def summarise_scenario(
    result: ScenarioResult, bootstrap: Bootstrap
) -> tuple[dict[str, Any], Scores]:
    """What the report says of a scenario, and what the overall tables need of it."""
    scenario = result.scenario
    runs = {name: list(found.evaluations) for name, found in result.methods.items()}
    runs = {name: evaluations for name, evaluations in runs.items() if evaluations}
    if not runs:
        empty = [_unmeasured(found) for found in result.methods.values()]
        return _about(result, None, empty), Scores({}, {})
    comparison = _comparison(scenario, runs, bootstrap, bootstrap.draws)
    detail = _comparison(scenario, runs, bootstrap, min(bootstrap.draws, bootstrap.detail_draws))
    rows = [
        _method(comparison, detail, found) if name in runs else _unmeasured(found)
        for name, found in result.methods.items()
    ]
    content = _about(result, comparison.example, rows) | {
        "comparisons": _pairs(comparison),
        "trials": _trials(result, comparison),
    }
    return content, scenario_scores(comparison, _users_seed(comparison.example, bootstrap.seed))


def _comparison(
    scenario: Scenario, runs: Mapping[str, list[Evaluation]], bootstrap: Bootstrap, draws: int
) -> Comparison:
    # Scenarios with the same users share their draws, and those with the same training users the
    # draws of training seeds: their scores go up and down together.
    example = next(iter(runs.values()))[0]
    return Comparison(
        runs,
        draws=draws,
        seed=_users_seed(example, bootstrap.seed),
        trainings=[bootstrap.seed, _number(scenario.trained_on.name)],
        metrics=_metrics(scenario),
        level=bootstrap.level,
        baseline=scenario.baseline,
        reference=scenario.reference,
    )


def _users_seed(example: Evaluation, seed: int) -> list[int]:
    return [seed, _number(repr(example.who))]


def _number(text: str) -> int:
    return zlib.crc32(text.encode())


def _metrics(scenario: Scenario) -> dict[str, Metric]:
    catalogue = scenario.population.split(scenario.split).catalogue
    metrics = METRICS | catalogue_metrics(catalogue)
    return metrics | recovery_metrics(scenario.jump) if scenario.jump else metrics


def _about(
    result: ScenarioResult, example: Evaluation | None, methods: list[dict[str, Any]]
) -> dict[str, Any]:
    scenario = result.scenario
    return {
        "name": scenario.name,
        "question": scenario.question,
        "population": scenario.population.name,
        "trained_on": scenario.trained_on.name,
        "split": scenario.split,
        "users": scenario.users,
        "requests": example.requests if example else scenario.population.max_requests,
        "slate": scenario.population.slate,
        "baseline": scenario.baseline,
        "reference": scenario.reference,
        "jump": scenario.jump,
        "unsuited": [{"method": name, "reason": why} for name, why in result.unsuited.items()],
        "days": list(CURVE_DAYS),
        "window": WINDOW,
        "methods": methods,
        "comparisons": [],
        "trials": [],
    }


def _head(found: MethodResult) -> dict[str, Any]:
    """What is known of a method whether it was evaluated or not."""
    return {
        "name": found.method.name,
        "family": found.method.family,
        "runs": len(found.evaluations),
        "failed": [{"seed": seed, "error": text} for seed, text in found.failures.items()],
        "cost": {name: mean_cost(found, name) for name in ("cpu_seconds", "user_steps")},
    }


def mean_cost(found: MethodResult, name: str) -> float:
    """What the trainings of a method cost on average; 0 where nothing was counted."""
    return float(np.mean([cost.get(name, 0.0) for cost in found.costs] or [0.0]))


def _unmeasured(found: MethodResult) -> dict[str, Any]:
    return _head(found) | {
        "score": NOTHING,
        "metrics": dict.fromkeys(METRICS, NOTHING),
        "adaptation": NOTHING,
        "survival": NOTHING,
        "predictions": None,
        "groups": [],
    }


def _method(comparison: Comparison, detail: Comparison, found: MethodResult) -> dict[str, Any]:
    name = found.method.name
    survival = partial(survival_curve, days=np.array(CURVE_DAYS))
    ctr = comparison.estimate(name)
    metrics = {metric: detail.estimate(name, metric) for metric in detail.metrics}
    return _head(found) | {
        "score": plain(comparison.score(name)),
        "metrics": plain(metrics | {"ctr": ctr}),
        "adaptation": plain(detail.estimate(name, partial(adaptation_curve, window=WINDOW))),
        "survival": plain(detail.estimate(name, survival)),
        "predictions": _predictions(detail, name),
        "groups": _groups(detail, name),
    }


def _predictions(comparison: Comparison, name: str) -> dict[str, Any] | None:
    runs = comparison.evaluations[name]
    if not all(predicts(run) for run in runs):
        return None
    found = plain(comparison.estimate(name, prediction_scores))
    scores = {
        score: {bound: found[bound][place] for bound in NOTHING}
        for place, score in enumerate(PREDICTION_SCORES)
    }
    return scores | {"bins": plain(calibration_bins(runs))}


def _groups(comparison: Comparison, name: str) -> list[dict[str, Any]]:
    """CTR and score of each group of users, the smallest group first."""
    example = comparison.example
    names = example.group_names or EVERYONE
    belongs = members(example.group, example.users, len(names))

    def group_ctr(evaluation: Evaluation, weights: np.ndarray) -> np.ndarray:
        return group_means(user_ctr(evaluation), belongs, weights)

    ctr = plain(comparison.estimate(name, group_ctr))
    score = plain(comparison.score(name, group_ctr))
    rows = [
        {
            "name": group,
            "users": int(belongs[:, place].sum()),
            "ctr": {bound: ctr[bound][place] for bound in NOTHING},
            "score": {bound: score[bound][place] for bound in NOTHING},
        }
        for place, group in enumerate(names)
    ]
    return sorted((row for row in rows if row["users"]), key=lambda row: int(row["users"]))


def _pairs(comparison: Comparison) -> list[dict[str, Any]]:
    return [
        {
            "a": pair.a,
            "b": pair.b,
            "difference": plain(pair.difference),
            "improvement": plain(pair.improvement),
            "p": plain(pair.p),
            "adjusted": plain(pair.adjusted),
        }
        for pair in all_pairs(comparison)
    ]


def _trials(result: ScenarioResult, comparison: Comparison) -> list[dict[str, Any]]:
    """Trials of a few users under baseline, reference and the best method of each family."""
    scenario = result.scenario
    first = {name: runs[0] for name, runs in comparison.evaluations.items()}
    ranked = sorted(first, key=lambda name: -comparison.estimate(name).value)
    family = {name: result.methods[name].method.family for name in ranked}
    best = {family[name]: name for name in reversed(ranked)}
    ends = [name for name in (scenario.baseline, scenario.reference) if name in first]
    shown = {name: first[name] for name in dict.fromkeys([*ends, *best.values()])}
    gain = gains(first.get(scenario.reference), first.get(scenario.baseline), first[ranked[0]])
    return trials(shown, gain, scenario.population.split(scenario.split).catalogue)
