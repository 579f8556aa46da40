"""The summary of a suite: every number that its report, tables and comparisons show."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import driftrec
from driftrec.agents.benchmark.overall import Scores, overall, profiles
from driftrec.agents.benchmark.plain import plain
from driftrec.agents.benchmark.results import MethodResult, ScenarioResult
from driftrec.agents.benchmark.scenario_summary import Bootstrap, mean_cost, summarise_scenario
from driftrec.agents.method import Method, Size

FORMAT = "driftrec-summary-1"
"""What a summary is made like; another one could not be read."""


def summarise(
    suite_name: str,
    title: str,
    question: str,
    size: Size,
    results: Iterable[ScenarioResult],
    *,
    draws: int = 2000,
    detail_draws: int = 500,
    level: float = 0.95,
    seed: int = 0,
    machine: str = "",
    command: str = "",
    seconds: float | None = None,
) -> dict[str, Any]:
    """All numbers of a suite, ready for `driftrec.envs.files.write_json`.

    Intervals come from a bootstrap over users and training seeds (`Comparison`), those over
    several scenarios from one within each scenario, as strata. Scenarios are looked at one after
    the other: a generator need not hold the trials of more than one.

    Args:
        suite_name: with its version.
        title: of the suite.
        question: that it asks.
        size: how much was trained and measured.
        results: what was measured in each scenario.
        draws: of the bootstrap, for CTR, scores and comparisons.
        detail_draws: for everything else, which is not ranked by; at most `draws`.
        level: probability that an interval holds the truth.
        seed: of the bootstrap.
        machine: on which it was measured, in words.
        command: that measured it.
        seconds: of CPU time of the whole; those of all trainings if left out.

    Raises:
        ValueError: if draws or level are out of range, or a scenario's methods met other users.
    """
    bootstrap = Bootstrap(draws, detail_draws, level, seed)
    methods: dict[str, Method] = {}
    costs: dict[str, list[float]] = {}
    scenarios: list[dict[str, Any]] = []
    scores: list[Scores] = []
    trained = 0.0
    for result in results:
        content, found = summarise_scenario(result, bootstrap)
        scenarios.append(content)
        scores.append(found)
        for name, each in result.methods.items():
            methods.setdefault(name, each.method)
            costs.setdefault(name, []).append(mean_cost(each, "cpu_seconds"))
        trained += _trained(result.methods)
    rows = [(name, each.family, float(np.mean(costs[name]))) for name, each in methods.items()]
    return {
        "format": FORMAT,
        "driftrec": driftrec.__version__,
        "machine": machine,
        "command": command,
        "seconds": plain(float(trained if seconds is None else seconds)),
        "suite": suite_name,
        "title": title,
        "question": question,
        "size": size,
        "level": level,
        "draws": draws,
        "detail_draws": min(draws, detail_draws),
        "methods": [_about(method) for method in methods.values()],
        "overall": overall(rows, scores, level),
        "profiles": profiles(list(methods), scores, level),
        "scenarios": scenarios,
    }


def trimmed(summary: Mapping[str, Any]) -> dict[str, Any]:
    """A summary without curves, groups and trials: what rankings and comparisons are made of."""
    dropped = {"adaptation", "survival", "groups", "predictions"}
    scenarios = [
        {
            **{name: value for name, value in scenario.items() if name != "trials"},
            "methods": [
                {name: value for name, value in row.items() if name not in dropped}
                for row in scenario["methods"]
            ],
        }
        for scenario in summary["scenarios"]
    ]
    kept = {name: value for name, value in summary.items() if name != "profiles"}
    return kept | {"scenarios": scenarios}


def read_summary(path: str | Path) -> dict[str, Any]:
    """Read a summary that was written as JSON.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is something else, or of another format.
    """
    text = Path(path).read_text(encoding="utf-8")
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} must be a summary of format {FORMAT}, got {error}") from error
    found = content.get("format") if isinstance(content, dict) else type(content).__name__
    if found != FORMAT:
        raise ValueError(f"{path} must be a summary of format {FORMAT}, got {found}")
    summary: dict[str, Any] = content
    return summary


def _trained(methods: Mapping[str, MethodResult]) -> float:
    return sum(cost.get("cpu_seconds", 0.0) for each in methods.values() for cost in each.costs)


def _about(method: Method) -> dict[str, Any]:
    return {
        "name": method.name,
        "family": method.family,
        "trains": method.trains,
        "settings": plain(method.settings),
    }
