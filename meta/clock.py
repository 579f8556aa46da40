"""What a training costs, attempts that were cut off included."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

from driftrec.envs.files import write_json


class Clock:
    """CPU-seconds of a training over all its attempts.

    They are written down whenever the training's checkpoint is, so that work done twice counts
    once. It is a learner's `Progress`.

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
        return float(self.before + time.process_time() - self.began)

    def __call__(self, iteration: int, iterations: int, metrics: Mapping[str, float]) -> None:
        """Told of an iteration; those that end with a validation are in the checkpoint."""
        if "validation" in metrics:
            write_json(self.path, {"iteration": iteration, "cpu_seconds": self.total})
