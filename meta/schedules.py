"""Learning-rate schedules."""

from __future__ import annotations

import math
from typing import Literal, get_args

ScheduleName = Literal["constant", "linear", "inverse-time", "cosine", "adaptive"]

INVERSE_TIME_DECAY = 9.0
"""The inverse-time schedule ends at 1 / (1 + 9): a tenth of its start."""


class LearningRate:
    """The learning rate of each iteration.

    Args:
        schedule: "constant"; "linear" to 0; "inverse-time", 1 / (1 + 9 p); "cosine",
            (1 + cos(pi p)) / 2 (Loshchilov and Hutter 2017), where p is the share of the run done;
            or "adaptive", which divides the rate by 1.5 after an update that moved the policy by
            more than twice the target KL and multiplies it after one below half (as in Schulman
            et al. 2017, section 4).
        start: rate at the beginning.
        iterations: length of the run.
        target_kl: for the adaptive schedule.

    Raises:
        ValueError: if the schedule is unknown or the rate is not positive.
    """

    def __init__(
        self, schedule: ScheduleName, start: float, iterations: int, target_kl: float = 0.01
    ) -> None:
        if schedule not in get_args(ScheduleName):
            raise ValueError(f"unknown learning-rate schedule {schedule!r}")
        if not start > 0:
            raise ValueError(f"the learning rate must be positive, got {start}")
        self.schedule = schedule
        self.start = start
        self.iterations = iterations
        self.target_kl = target_kl
        self.factor = 1.0

    def at(self, iteration: int) -> float:
        """The rate of iteration `iteration`, counted from 0."""
        done = iteration / self.iterations
        shares = {
            "constant": 1.0,
            "linear": 1.0 - done,
            "inverse-time": 1.0 / (1.0 + INVERSE_TIME_DECAY * done),
            "cosine": 0.5 * (1.0 + math.cos(math.pi * done)),
            "adaptive": self.factor,
        }
        return self.start * shares[self.schedule]

    def observe(self, kl: float) -> None:
        """Tell the adaptive schedule how far the last update moved the policy."""
        if kl > 2 * self.target_kl:
            self.factor = max(self.factor / 1.5, 1e-3)
        elif kl < 0.5 * self.target_kl:
            self.factor = min(self.factor * 1.5, 1e1)


def refuse_adaptive(schedule: str) -> None:
    """For learners whose updates return no `kl`: the rate would stay what it is.

    Raises:
        ValueError: if the schedule is adaptive.
    """
    if schedule == "adaptive":
        known = [name for name in get_args(ScheduleName) if name != "adaptive"]
        raise ValueError(
            "this learner measures no divergence for the adaptive schedule: schedule must be one "
            f"of {', '.join(known)}"
        )
