"""Training inside a cell: it resumes, and its cost is counted over all attempts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from driftrec.envs import Population
from driftrec.meta import LearnedPolicy, learner_type
from driftrec.meta.clock import Clock


def train(
    learner: str, config: Any, population: Population, folder: Path
) -> tuple[LearnedPolicy, dict[str, Any]]:
    """Train a learner, or go on where a training in this folder was cut.

    Returns:
        The policy that was best on validation users; and what it cost: `cpu_seconds` (validation
        included), `user_steps` of the training batches (a trial counts whole, also where the user
        is lost before its end), and the `validation` score.
    """
    clock = Clock(folder / "cost.json")
    policy = learner_type(learner)(config).fit(population, folder, resume=True, progress=clock)
    steps = config.iterations * config.users * population.max_requests
    cost = {
        "cpu_seconds": clock.total,
        "user_steps": steps,
        "validation": policy.about["validation"],
    }
    return policy, cost
