"""The finite-horizon Gittins index of Bernoulli arms: the best of the feasible policies."""

from __future__ import annotations

from functools import cache

import numpy as np

from driftrec.agents.references.arms import ArmCounts, ArmPolicy
from driftrec.envs.arrays import Array

LEVELS = 512
"""Prices of a pull that are tried: indices are known to within 1 / 1024."""

MOST_PULLS = 250
"""Beyond this the table would take minutes and gigabytes."""


class BernoulliIndex(ArmPolicy):
    r"""Pulls the arm of greatest finite-horizon Gittins index, p ~ U[0, 1].

    The index of an arm with r pulls left is the greatest E(rewards) / E(pulls) over rules to stop
    pulling it, after r pulls at the latest (Kaufmann 2018, "On Bayesian index policies for
    sequential resource allocation"; Lattimore 2016 bounds its regret). It is optimal
    for one unknown arm beside a known one, and within noise of the optimum for two.

    Args:
        arms: number of arms.
        pulls: in a whole trial, at most `MOST_PULLS`.

    Raises:
        ValueError: if there are more pulls.
    """

    def __init__(self, arms: int, pulls: int) -> None:
        super().__init__(arms, pulls)
        self._table = index_table(pulls)

    def scores(self, state: ArmCounts) -> Array:
        """Indices, `(users, arms)`; equals are told apart by the mean."""
        last = self.pulls - 1
        wins = state.total.astype(np.int64)
        place = np.minimum(state.pulls, last), np.minimum(wins, last)
        index = self._table[self.remaining(state) - 1, *place] / LEVELS
        mean = (1 + state.total) / (2 + state.pulls)
        return index + mean / (10 * LEVELS)


@cache
def index_table(pulls: int) -> np.ndarray:
    """Indices times `LEVELS`, uint16 `(pulls left - 1, pulls of the arm, its successes)`.

    For each price of a pull, backward induction says in which states an arm is worth a pull. The
    index is the price up to which it is.

    Raises:
        ValueError: if there are more than `MOST_PULLS` pulls.
    """
    if not 1 <= pulls <= MOST_PULLS:
        raise ValueError(f"pulls must lie in [1, {MOST_PULLS}] for exact indices, got {pulls}")
    table = np.zeros((pulls, pulls, pulls), np.uint16)
    played, wins = np.arange(pulls)[:, None], np.arange(pulls)
    # More successes than pulls cannot be; any number does for them.
    mean = np.minimum((1 + wins) / (2 + played), 1).astype(np.float32)
    for price in (np.arange(LEVELS, dtype=np.float32) + np.float32(0.5)) / np.float32(LEVELS):
        value = np.zeros((pulls + 1, pulls + 1), np.float32)
        for left in range(1, pulls + 1):
            size = pulls - left + 1
            chance = mean[:size, :size]
            won, lost = value[1 : size + 1, 1 : size + 1], value[1 : size + 1, :size]
            value = np.maximum(chance * (1 + won) + (1 - chance) * lost - price, 0)
            table[left - 1, :size, :size] += value > 0
    return table
