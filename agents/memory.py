"""What every policy remembers of a trial: what it has shown, so as not to show it again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation

SECONDS_PER_DAY = 86400.0

_SHOWN = np.float32(1e4)
"""What an item shown before loses: more than any score, so that it comes after all unseen ones."""


@dataclass(slots=True)
class Memory:
    """The public history of slates; the first axis of every array is the user.

    Attributes:
        shown: 1 where the item was shown in this trial, uint8 `(users, items)`.
        last: item numbers of the last slate, `(users, slate)`; meaningless before the first.
        repeats: 1 where those had been shown before, uint8 `(users, slate)`.
    """

    shown: Array
    last: Array
    repeats: Array

    def after(self, items: Array) -> Memory:
        """The memory once a slate is shown, `(users, slate)`; this one is not changed."""
        shown = self.shown.copy()
        np.put_along_axis(shown, items, 1, axis=1)
        return Memory(shown, items, np.take_along_axis(self.shown, items, axis=1))


def new_memory(users: int, items: int, slate: int) -> Memory:
    """The memory of users to whom nothing was shown yet."""
    return Memory(
        shown=np.zeros((users, items), np.uint8),
        last=np.zeros((users, slate), np.int64),
        repeats=np.zeros((users, slate), np.uint8),
    )


def top_unseen(scores: Array, shown: Array, count: int) -> Array:
    """The best items not shown yet, best first; shown ones, best first, where too few are left.

    Args:
        scores: of every item, `(users, items)` or `(items,)` where they are the same for everyone;
            smaller than 5000 in absolute value.
        shown: 1 where shown before, `(users, items)`.
        count: items wanted.

    Returns:
        Item numbers, int64 `(users, count)`.
    """
    fresh = np.where(shown, scores - _SHOWN, scores)
    if count == 1:
        return fresh.argmax(1)[:, None]
    best = np.argpartition(-fresh, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(fresh, best, axis=1), axis=1, kind="stable")
    return np.take_along_axis(best, order, axis=1)


def elapsed_days(observation: Observation) -> Array:
    """Days since the last request, `(users,)`; 0 for a new user."""
    return np.expm1(observation["log_elapsed"][:, 0]) / np.float32(SECONDS_PER_DAY)


def known(observation: Observation) -> Array:
    """1 where something was shown before, 0 for a new user, float32 `(users,)`."""
    return 1 - observation["new_user"][:, 0]
