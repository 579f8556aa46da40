"""Methods over all scenarios of a suite: mean, interquartile mean, median, ranks and profiles.

A **run** is what rliable calls one: here a block of a scenario's users, met by one training of a
method. Its score is what the block's users got more than from the baseline, over what the
reference got more from all users of the scenario: the mean over a scenario's runs is its
normalised score. Blocks are users next to each other in the order in which they were drawn, ten in
a scenario, so that a run says what an evaluation on a tenth of the users would have said. Single
users would be too noisy to be runs, and groups of users are not as many everywhere.

Only scenarios count in which the reference is better than the baseline beyond doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from driftrec.agents.aggregates import (
    mean_ranks,
    median_of_tasks,
    performance_profile,
    run_weights,
)
from driftrec.agents.benchmark.plain import plain
from driftrec.agents.comparison import Comparison
from driftrec.agents.metrics import user_ctr
from driftrec.agents.statistics import Interval, interquartile_mean, user_weights

BLOCKS = 10
"""Runs that the users of a scenario are cut into."""

THRESHOLDS = np.round(np.linspace(-0.5, 2.0, 51), 2)
"""Scores at which profiles are given."""


@dataclass(frozen=True, eq=False)
class Runs:
    """The runs of one method in one scenario.

    Attributes:
        score: normalised, over all users.
        draws: of it, `(draws,)`.
        scores: of the runs, `(1, runs)`.
        drawn: the same with the room of each draw, `(draws, runs)`.
        equal: how much each run counts, `(1, runs)`.
        weights: the same in each draw, `(draws, runs)`.
    """

    score: float
    draws: np.ndarray
    scores: np.ndarray
    drawn: np.ndarray
    equal: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class Scores:
    """What the overall tables need of one scenario.

    Attributes:
        ctr: of each method that was evaluated.
        runs: of each such method; empty where the reference is not better than the baseline.
    """

    ctr: dict[str, float]
    runs: dict[str, Runs]


def scenario_scores(comparison: Comparison, seed: Sequence[int]) -> Scores:
    """The scores of a scenario's methods; `seed` draws its blocks of users."""
    ctr = {name: comparison.estimate(name).value for name in comparison.policies}
    low, high = comparison.baseline, comparison.reference
    if not {low, high} <= set(ctr) or not comparison.difference(high, low).low > 0:
        return Scores(ctr, {})
    users = np.arange(comparison.example.users)
    parts = np.array_split(users, min(BLOCKS, len(users)))
    size = np.array([len(part) for part in parts], float)
    block = {
        name: np.stack([_block_means(user_ctr(run), parts) for run in evaluations])
        for name, evaluations in comparison.evaluations.items()
    }
    draws = len(comparison.user_weights)
    strata = np.zeros(len(parts), int)
    weights = size * user_weights(strata, draws, np.random.default_rng([*seed, 1]))
    base = block[low].mean(0)
    room = block[high].mean(0) - base
    scale = weights.sum(1) / (weights @ room)
    return Scores(
        ctr,
        {
            name: _runs(comparison, name, block[name] - base, size, weights, room, scale)
            for name in ctr
        },
    )


def _runs(
    comparison: Comparison,
    name: str,
    gain: np.ndarray,
    size: np.ndarray,
    weights: np.ndarray,
    room: np.ndarray,
    scale: np.ndarray,
) -> Runs:
    score, draws = comparison.score_draws(name)
    shares = comparison.seed_shares[name]
    flat = gain.reshape(1, -1)
    return Runs(
        score=float(score),
        draws=draws,
        scores=flat * size.sum() / (size @ room),
        drawn=flat * scale[:, None],
        equal=np.tile(size, len(gain))[None],
        weights=(shares[:, :, None] * weights[:, None, :]).reshape(len(weights), -1),
    )


def _block_means(values: np.ndarray, parts: list[np.ndarray]) -> np.ndarray:
    return np.array([values[part].mean() for part in parts])


def overall(
    methods: Sequence[tuple[str, str, float]], scenarios: Sequence[Scores], level: float
) -> list[dict[str, Any]]:
    """A row for each method, best first.

    Args:
        methods: name, family and mean training cost in CPU-seconds.
        scenarios: what each gave.
        level: of intervals.

    Returns:
        Rows with `scenarios`, in how many a score could be given, the mean, the interquartile mean
        and the median of the score, and the mean rank by CTR in all scenarios that it took part in.
    """
    ranks = _mean_rank([name for name, _, _ in methods], scenarios)
    rows = []
    for (name, family, cost), rank in zip(methods, ranks, strict=True):
        found = [scores.runs[name] for scores in scenarios if name in scores.runs]
        row = {"method": name, "family": family, "scenarios": len(found)}
        rows.append(row | _numbers(found, level) | {"rank": rank, "cpu_seconds": cost})
    rows.sort(key=_place)
    return [plain(row) for row in rows]


def profiles(methods: Sequence[str], scenarios: Sequence[Scores], level: float) -> dict[str, Any]:
    """Performance profiles: the share of each method's runs that score above each threshold."""
    curves = {}
    for name in methods:
        if found := [scores.runs[name] for scores in scenarios if name in scores.runs]:
            parts = (_joined(found, drawn) for drawn in (False, True))
            value, draws = (performance_profile(*part, THRESHOLDS) for part in parts)
            curves[name] = Interval.of(value[0], draws, level)
    return {"at": plain(THRESHOLDS), "methods": plain(curves)}


def _numbers(found: list[Runs], level: float) -> dict[str, Any]:
    if not found:
        nothing = Interval(float("nan"), float("nan"), float("nan"))
        return {"score": nothing, "iqm": nothing, "median": nothing}
    score = np.array([[runs.score for runs in found]])
    draws = np.stack([runs.draws for runs in found], axis=1)
    middle, middle_draws = (interquartile_mean(*_joined(found, drawn)) for drawn in (False, True))
    return {
        "score": Interval.of(score.mean(), draws.mean(1), level),
        "iqm": Interval.of(middle[0], middle_draws, level),
        "median": Interval.of(median_of_tasks(score)[0], median_of_tasks(draws), level),
    }


def _joined(found: list[Runs], drawn: bool) -> tuple[np.ndarray, np.ndarray]:
    """Scores and weights of the runs of all scenarios: the estimate, or the draws."""
    scores = [runs.drawn if drawn else runs.scores for runs in found]
    weights = [runs.weights if drawn else runs.equal for runs in found]
    return np.concatenate(scores, axis=1), run_weights(weights)


def _mean_rank(names: Sequence[str], scenarios: Sequence[Scores]) -> list[float]:
    ranks = [
        mean_ranks(np.array([scores.ctr.get(name, np.nan) for name in names]))
        for scores in scenarios
    ]
    return [
        float(np.mean([rank[place] for rank in ranks if np.isfinite(rank[place])] or [np.nan]))
        for place in range(len(names))
    ]


def _place(row: dict[str, Any]) -> tuple[float, float]:
    """Best score first, then best rank; who has none comes last."""
    keys = (-row["score"].value, row["rank"])
    first, second = (float("inf") if np.isnan(key) else key for key in keys)
    return first, second
