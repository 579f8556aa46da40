"""One number for many runs of many tasks, and how runs are spread (Agarwal et al. 2021).

A run is one score of a method in a task. Scores are `(runs,)`, or `(draws, runs)` where each
bootstrap draw has its own; weights `(draws, runs)` say how often each run counts in a draw.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def run_weights(weights: Sequence[np.ndarray]) -> np.ndarray:
    """Weights of the runs of all tasks, every task counting the same.

    Args:
        weights: of the runs of each task, each `(draws, runs of the task)`.

    Returns:
        `(draws, runs)`, task after task; those of a task sum to 1 over the number of tasks.
    """
    shares = [each / (len(weights) * each.sum(1, keepdims=True)) for each in weights]
    return np.concatenate(shares, axis=1)


def median_of_tasks(means: np.ndarray) -> np.ndarray:
    """Median over tasks of the mean of their runs, `(draws,)`, from `(draws, tasks)`."""
    return np.asarray(np.median(means, axis=1))


def performance_profile(scores: np.ndarray, weights: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Share of runs with a score above each of some thresholds, `(draws, thresholds)`.

    The run-score distribution of Agarwal et al. (2021, section 4.2); it never rises.
    """
    total = weights.sum(1)
    above = [(weights * (scores > threshold)).sum(1) / total for threshold in at]
    return np.stack(above, axis=1)


def mean_ranks(values: np.ndarray) -> np.ndarray:
    """Rank of each method among those that have a value, 1 for the highest, ties sharing the mean.

    Args:
        values: `(methods,)`; NaN where a method has none, and gets no rank.
    """
    higher = (values[None, :] > values[:, None]).sum(1)
    equal = (values[None, :] == values[:, None]).sum(1)
    return np.where(np.isnan(values), np.nan, higher + (equal + 1) / 2)
