"""A summary of invented results, for whatever reads summaries: seeded, and with all that is odd."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from driftrec.agents.metrics import METRICS

LONG = "sequential-self-attention-updated-online-after-every-click"
METHODS = {
    "random": "reference", "most-popular": "reference", "filter-ucb": "reference",
    "clairvoyant": "reference", "discounted-linucb": "bandit", "hierarchical-bayes": "bandit",
    "neural-linear": "bandit", "als": "recommender", LONG: "recommender",
    "recurrent-ppo": "deep-rl", "rl2": "meta", "maml": "meta",
}  # fmt: skip
SKILL = [-2.4, 0, 1, 2.3, 0.72, 0.86, 0.78, 0.31, 0.55, 0.6, 0.97, 0.69]
TRAINS = ("neural-linear", "als", LONG, "recurrent-ppo", "rl2", "maml")
SCENARIOS = {"no-drift": 0, "slow-drift": 0, "fast-drift": 0, "jump": 60}
REQUESTS, DAYS = 120, [0.0, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 14.0, 21.0, 30.0]
GROUPS = {"persona-1": 210, "persona-2": 150, "minority": 40}
HOSTILE = '</script><script>alert("1")</script><!-- & {{data}} \u2028'


def interval(value: float, width: float = 0.01) -> dict[str, float]:
    return {"value": value, "low": value - width, "high": value + 1.2 * width}


def nothing() -> dict[str, None]:
    return {"value": None, "low": None, "high": None}


def curve(values: np.ndarray, width: float = 0.02) -> dict[str, list[float]]:
    parts = {"value": values, "low": values - width, "high": values + width}
    return {name: np.clip(part, 0, 1).tolist() for name, part in parts.items()}


def made(suite: str = "dynamic-v1", seed: int = 0) -> dict[str, Any]:
    """A whole summary."""
    rng = np.random.default_rng(seed)
    scenarios = [scenario(name, jump, rng) for name, jump in SCENARIOS.items()]
    return {
        "format": "driftrec-summary-1", "driftrec": "0.1.0", "machine": "two cores",
        "command": f"python scripts/benchmark.py --suite {suite} --size standard --out runs/a",
        "seconds": 8123.4, "suite": suite, "title": "Users who change",
        "question": "Who keeps up with tastes that drift, slowly, fast or all at once?",
        "size": "standard", "level": 0.95, "draws": 2000,
        "methods": [
            {"name": name, "family": family, "trains": name in TRAINS, "settings": {"name": name}}
            for name, family in METHODS.items()
        ],
        "overall": overall(scenarios),
        "profiles": profiles(),
        "scenarios": scenarios,
    }  # fmt: skip


def overall(scenarios: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for name, family in METHODS.items():
        found = [row for one in scenarios for row in one["methods"] if row["name"] == name]
        score = float(np.mean([row["score"]["value"] for row in found if row["runs"]]))
        rows.append({
            "method": name, "family": family, "scenarios": len(found),
            "score": interval(score, 0.03), "iqm": interval(score + 0.01, 0.03),
            "median": interval(score - 0.01, 0.04), "rank": 1.0 + len(METHODS) - len(rows),
            "cpu_seconds": found[0]["cost"]["cpu_seconds"],
        })  # fmt: skip
    return sorted(rows, key=lambda row: -row["score"]["value"])


def profiles() -> dict[str, Any]:
    at = np.linspace(-0.5, 1.5, 41)
    return {
        "at": at.tolist(),
        "methods": {
            name: curve(1 / (1 + np.exp((at - skill) * 6)), 0.04)
            for name, skill in zip(METHODS, SKILL, strict=True)
        },
    }


def scenario(name: str, jump: int, rng: np.random.Generator) -> dict[str, Any]:
    there = [method for method in METHODS if not (name == "jump" and method == "recurrent-ppo")]
    rows = [method_row(method, name, jump, rng) for method in there]
    if name == "fast-drift":
        rows[-1] = unmeasured(rows[-1])
    return {
        "name": name, "question": f"Who serves users of {name} best?", "population": "Feed",
        "trained_on": "Feed", "split": "test", "users": 400, "requests": REQUESTS, "slate": 1,
        "baseline": "most-popular", "reference": "filter-ucb", "jump": jump, "days": DAYS,
        "methods": rows, "window": 5, "comparisons": comparisons(rows, rng),
        "trials": [trial(user, jump, rng) for user in (3, 17)],
    }  # fmt: skip


def method_row(name: str, where: str, jump: int, rng: np.random.Generator) -> dict[str, Any]:
    skill = dict(zip(METHODS, SKILL, strict=True))[name] + rng.normal(0, 0.05)
    score = {"most-popular": 0.0, "filter-ucb": 1.0}.get(name, skill)
    level = 0.45 + 0.08 * score
    request = np.arange(REQUESTS)
    since = request - np.where(request >= jump, jump, 0)
    learned = 1 - np.exp(-since / 15)
    noise = rng.normal(0, 0.006, REQUESTS)
    trained = name in TRAINS
    failed = [{"seed": 1, "error": f"MemoryError: {HOSTILE}"}]
    kept = 0.5 + 0.08 * score * (0.4 if name == "recurrent-ppo" else 1)
    metrics = {metric: interval(level) for metric in METRICS} | {
        "retention-1": interval(kept + 0.3), "retention-7": interval(kept + 0.15),
        "retention-30": interval(kept), "sessions": interval(5 + score, 0.2), "regret": nothing(),
        "requests": interval(60 + 5 * score, 1), "requests-to-plateau": interval(20 - score, 2),
    }  # fmt: skip
    return {
        "name": name, "family": METHODS[name], "runs": 3 if trained else 1,
        "failed": failed if (name, where) == ("recurrent-ppo", "slow-drift") else [],
        "cost": {
            "cpu_seconds": 40.0 * 3 ** TRAINS.index(name) if trained else 0,
            "user_steps": 250_000 * trained,
        },
        "score": interval(score, 0.05) if name != "random" else interval(score, 0.4),
        "metrics": metrics,
        "adaptation": curve(0.4 + 0.08 * score * learned + noise),
        "survival": curve(np.exp(-np.array(DAYS) * (0.03 - 0.006 * score)), 0.03),
        "predictions": predictions(skill) if METHODS[name] in ("bandit", "meta") else None,
        "groups": [
            {
                "name": group, "users": users, "ctr": interval(level - 8 / users, 0.6 / users**0.5),
                "score": interval(score - 4 / users, 3 / users**0.5),
            }
            for group, users in GROUPS.items()
        ],
    }  # fmt: skip


def predictions(skill: float) -> dict[str, Any]:
    middle = np.arange(0.05, 1, 0.1)
    bins = [
        {"predicted": p, "clicked": p + 0.1 * (skill - 1) * (p - 0.5), "count": 900}
        for p in middle.tolist()
    ]
    bins[-1] = {"predicted": None, "clicked": None, "count": 0}
    names = ("auc", "log_loss", "accuracy", "precision", "recall", "f1", "calibration_error")
    values = {name: interval(0.6 + 0.05 * skill + 0.01 * place) for place, name in enumerate(names)}
    return values | {"bins": bins}


def unmeasured(row: dict[str, Any]) -> dict[str, Any]:
    """The same method, had every training failed."""
    return row | {
        "runs": 0, "failed": [{"seed": seed, "error": "diverged"} for seed in range(3)],
        "score": nothing(), "metrics": dict.fromkeys(METRICS, nothing()), "adaptation": nothing(),
        "survival": nothing(), "predictions": None, "groups": [],
    }  # fmt: skip


def comparisons(rows: list[dict[str, Any]], rng: np.random.Generator) -> list[dict[str, Any]]:
    found = []
    for one, other in combinations([row for row in rows if row["runs"]], 2):
        value = one["metrics"]["ctr"]["value"] - other["metrics"]["ctr"]["value"]
        p = float(np.exp(-((value / 0.004) ** 2) / 2))
        found.append({
            "a": one["name"], "b": other["name"], "difference": interval(value, 0.007),
            "improvement": interval(0.5 + np.tanh(value * 8) / 2), "p": p,
            "adjusted": min(1.0, p * 20),
        })  # fmt: skip
    return found


def trial(user: int, jump: int, rng: np.random.Generator) -> dict[str, Any]:
    return {
        "user": user, "group": "minority" if user == 3 else "persona-1",
        "methods": {name: steps(name, rng) for name in ("most-popular", "filter-ucb", "rl2")},
    }  # fmt: skip


def steps(name: str, rng: np.random.Generator) -> list[dict[str, Any]]:
    found, day, session = [], 0.0, 1
    for request in range(1, 61):
        if rng.random() < 0.1:
            day, session = day + float(rng.exponential(1.5)), session + 1
        expected = float(rng.uniform(0.2, 0.7))
        found.append({
            "request": request, "session": session, "day": day, "items": [int(request * 7 % 50)],
            "titles": [f"Film {request}" if request > 1 else HOSTILE],
            "topics": [["drama", "comedy", "news"][request % 3]],
            "clicks": float(rng.random() < expected),
            "predicted": None if name == "most-popular" else expected + float(rng.normal(0, 0.08)),
            "expected": expected, "best": min(1.0, expected + 0.2),
        })  # fmt: skip
    return found


@pytest.fixture(scope="session")
def summary() -> dict[str, Any]:
    return made()


@pytest.fixture(scope="session")
def other_summary() -> dict[str, Any]:
    return made("retention-v1", seed=1) | {"title": "Users who leave"}
