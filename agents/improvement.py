"""How probable it is that one policy does better than another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from driftrec.agents.statistics import weighted_mean


def wins(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """1 where `one` is higher, 1/2 where they are equal, 0 elsewhere, float32 of their shape."""
    won: np.ndarray = (np.sign(one - other) * np.float32(0.5) + np.float32(0.5)).astype(np.float32)
    return won


def improvement(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Probability that a user gets more from one policy than from the other, ties counting half.

    Users are paired: each is met by both policies under common random numbers.

    Args:
        one: what each user got from the one, `(users,)`.
        other: what the same users got from the other.
        weights: how often each user counts, `(draws, users)`.

    Returns:
        `(draws,)`. That of the other over the one is 1 minus it.
    """
    return weighted_mean(wins(one, other), weights)


def improvement_of_runs(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> float:
    """Probability that a run of one method scores higher than a run of another, ties half.

    Runs are not paired: in each task all runs of the one meet all of the other, which is the
    statistic of Mann and Whitney (1947) over the number of meetings; then the mean over tasks
    (Agarwal et al. 2021, section 4.3).

    Args:
        one: scores of the runs of each task, each `(runs,)`.
        other: likewise, of the same tasks.

    Raises:
        ValueError: if there are no tasks, or not as many.
    """
    if not one or len(one) != len(other):
        raise ValueError(
            f"both methods must have run on the same tasks, got {len(one)} and {len(other)} tasks"
        )
    meetings = [wins(a[:, None], b[None, :]).mean() for a, b in zip(one, other, strict=True)]
    return float(np.mean(meetings))
