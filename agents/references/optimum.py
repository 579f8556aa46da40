"""The exact Bayes-adaptive optimum of small Bernoulli bandits, by dynamic programming."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from driftrec.agents.references.arms import ArmCounts, ArmPolicy
from driftrec.envs.arrays import Array

MOST_STATES = 1_000_000
"""Of one number of pulls; beyond this a bandit is too large to be solved."""


@dataclass(frozen=True)
class Layer:
    """All that can be known after some number of pulls, up to the order of the arms.

    What is known of an arm with s successes in m pulls has the code m (m + 1) / 2 + s.

    Attributes:
        keys: the states, in increasing order, int64 `(states,)`: see `keys_of`.
        value: most that can be expected from the pulls that are left, `(states,)`.
        best: the code of the arm to pull, int64 `(states,)`.
    """

    keys: np.ndarray
    value: np.ndarray
    best: np.ndarray


def bernoulli_optimum(arms: int, pulls: int) -> float:
    """The greatest expected reward of a Bernoulli bandit with p ~ U[0, 1].

    Exact: arms are alike before they are pulled, so that states differ in the multiset of what is
    known of the arms alone, and arms beyond the number of pulls do not matter.

    Args:
        arms: number of arms.
        pulls: in a trial.

    Raises:
        ValueError: if there are too many states, or a size is not positive.
    """
    return float(solve(arms, pulls)[0].value[0])


@cache
def solve(arms: int, pulls: int) -> list[Layer]:
    """The optimal choice in every state, one layer for each number of pulls from 0.

    Raises:
        ValueError: if there are too many states, or a size is not positive.
    """
    if arms < 1 or pulls < 1:
        raise ValueError(f"arms and pulls must be at least 1, got {arms} and {pulls}")
    slots = min(arms, pulls)
    if slots * np.log2(_codes(pulls)) >= 63 or max(state_counts(slots, pulls)) > MOST_STATES:
        raise ValueError(
            f"a bandit of {arms} arms and {pulls} pulls has too many states to be solved exactly: "
            "take fewer pulls, or one of the approximate policies"
        )
    layers, steps, keys = [], [], np.zeros(1, np.int64)
    for _ in range(pulls):
        rows = _rows_of(keys, slots, pulls)
        after, places = np.unique(_successors(rows, pulls), return_inverse=True)
        steps.append((keys, rows, places.reshape(2, *rows.shape)))
        keys = after
    value = np.zeros(len(keys))
    for keys, rows, (lost, won) in reversed(steps):
        played, wins = _counts_of(rows)
        mean = (wins + 1) / (played + 2)
        worth = mean * (1 + value[won]) + (1 - mean) * value[lost]
        best = worth.argmax(1)[:, None]
        value = np.take_along_axis(worth, best, axis=1)[:, 0]
        layers.append(Layer(keys, value, np.take_along_axis(rows, best, axis=1)[:, 0]))
    return layers[::-1]


def state_counts(arms: int, pulls: int) -> list[int]:
    """How many states there are after each number of pulls from 0 to `pulls`.

    Args:
        arms: number of arms.
        pulls: in a trial.
    """
    ways = np.zeros((arms + 1, pulls + 1))
    ways[0, 0] = 1
    for played in range(1, pulls + 1):
        for _ in range(played + 1):
            # Of arms that were pulled so often and paid so much there may be any number.
            for used in range(1, arms + 1):
                ways[used, played:] += ways[used - 1, :-played]
    return [int(count) for count in ways.sum(0)]


class BernoulliOptimal(ArmPolicy):
    """Acts by the exact optimum; after the last pull, by the posterior mean.

    Args:
        arms: number of arms.
        pulls: in a whole trial.

    Raises:
        ValueError: if the bandit is too large to be solved.
    """

    def __init__(self, arms: int, pulls: int) -> None:
        super().__init__(arms, pulls)
        self._layers = solve(arms, pulls)

    def scores(self, state: ArmCounts) -> Array:
        """1 for arms that are optimal to pull now, less for others, `(users, arms)`."""
        scores = (1 + state.total) / (2 + state.pulls)
        codes = _code(state.pulls, state.total.astype(np.int64))
        slots = min(self.arms, self.pulls)
        time = state.pulls.sum(1)
        for now in np.unique(time[time < self.pulls]):
            rows, layer = np.flatnonzero(time == now), self._layers[now]
            known = np.sort(codes[rows], axis=1)[:, self.arms - slots :]
            place = np.searchsorted(layer.keys, keys_of(known, self.pulls))
            scores[rows] = codes[rows] == layer.best[place][:, None]
        return scores


def keys_of(rows: np.ndarray, pulls: int) -> np.ndarray:
    """A number for each multiset of codes, `(states,)`: the sorted codes are its digits.

    Args:
        rows: codes in increasing order, int64 `(states, slots)`.
        pulls: in a whole trial.
    """
    powers: np.ndarray = _codes(pulls) ** np.arange(rows.shape[1], dtype=np.int64)
    keys: np.ndarray = rows @ powers
    return keys


def _rows_of(keys: np.ndarray, slots: int, pulls: int) -> np.ndarray:
    powers = _codes(pulls) ** np.arange(slots, dtype=np.int64)
    rows: np.ndarray = keys[:, None] // powers % _codes(pulls)
    return rows


def _successors(rows: np.ndarray, pulls: int) -> np.ndarray:
    """Keys after a failure and after a success of each arm, `(2, states, slots)`."""
    played, wins = _counts_of(rows)
    found = np.empty((2, *rows.shape), np.int64)
    for won in (0, 1):
        for slot in range(rows.shape[1]):
            after = rows.copy()
            after[:, slot] = _code(played[:, slot] + 1, wins[:, slot] + won)
            after.sort(axis=1)
            found[won, :, slot] = keys_of(after, pulls)
    return found


def _codes(pulls: int) -> int:
    """How many codes there are: of up to so many pulls of an arm."""
    return (pulls + 1) * (pulls + 2) // 2


def _code(played: Array, wins: Array) -> Array:
    return played * (played + 1) // 2 + wins


def _counts_of(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pulls and successes of arms by their codes."""
    played = ((np.sqrt(8 * codes + 1) - 1) // 2).astype(np.int64)
    return played, codes - played * (played + 1) // 2
