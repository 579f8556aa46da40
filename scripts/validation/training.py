"""Training inside a cell: it resumes, and its cost is counted over all attempts."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from driftrec.envs import Population
from driftrec.envs.files import write_json
from driftrec.meta import LearnedPolicy, learner_type


class Clock:
    """CPU-seconds of a training, those of attempts that were cut included.

    It is written down whenever the training is, so that work done twice counts once.

    Args:
        path: where the count lies between attempts.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before = json.loads(path.read_text())["cpu_seconds"] if path.exists() else 0.0
        self.began = time.process_time()

    @property
    def total(self) -> float:
        """CPU-seconds so far."""
        return self.before + time.process_time() - self.began

    def __call__(self, iteration: int, iterations: int, metrics: Mapping[str, float]) -> None:
        """Told of an iteration; those that end with a validation are in the checkpoint."""
        if "validation" in metrics:
            write_json(self.path, {"iteration": iteration, "cpu_seconds": self.total})


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
