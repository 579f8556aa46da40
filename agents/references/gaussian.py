"""Policies for Gaussian bandits, as those that Lee et al. (2023) compare with."""

from __future__ import annotations

import numpy as np

from driftrec.agents.references.arms import ArmCounts, ArmPolicy
from driftrec.envs.arrays import Array


class EmpiricalMean(ArmPolicy):
    """Pulls every arm once, then that of the greatest mean so far.

    Args:
        arms: number of arms.
        pulls: in a whole trial.
    """

    def scores(self, state: ArmCounts) -> Array:
        """Means so far, infinity for arms that were not pulled yet, `(users, arms)`."""
        mean = state.total / np.maximum(state.pulls, 1)
        return np.where(state.pulls > 0, mean, np.inf)


class GaussianUCB(EmpiricalMean):
    """Pulls every arm once, then that of the greatest mean so far + bonus / sqrt(its pulls).

    Args:
        arms: number of arms.
        pulls: in a whole trial.
        bonus: width of the interval; 1 is that of Lee et al. (2023), .6 is better on their task.
    """

    def __init__(self, arms: int, pulls: int, bonus: float = 1.0) -> None:
        super().__init__(arms, pulls)
        self._bonus = bonus

    def scores(self, state: ArmCounts) -> Array:
        """Upper bounds, `(users, arms)`."""
        return super().scores(state) + self._bonus / np.sqrt(np.maximum(state.pulls, 1))


class GaussianThompson(ArmPolicy):
    """Thompson sampling with a normal prior and known noise.

    Args:
        arms: number of arms.
        pulls: in a whole trial.
        sd: of what an arm pays.
        prior_mean: of an arm's mean; that of U[0, 1].
        prior_variance: likewise.
        seed: of the draws.
    """

    def __init__(
        self,
        arms: int,
        pulls: int,
        *,
        sd: float = 0.3,
        prior_mean: float = 1 / 2,
        prior_variance: float = 1 / 12,
        seed: int = 0,
    ) -> None:
        super().__init__(arms, pulls)
        self._precision = 1 / sd**2
        self._prior = prior_mean, 1 / prior_variance
        self._rng = np.random.default_rng([0x5453, seed])

    def scores(self, state: ArmCounts) -> Array:
        """A draw of each arm's mean, `(users, arms)`."""
        prior_mean, prior_precision = self._prior
        precision = prior_precision + self._precision * state.pulls
        mean = (prior_mean * prior_precision + self._precision * state.total) / precision
        return mean + self._rng.standard_normal(mean.shape) / np.sqrt(precision)
