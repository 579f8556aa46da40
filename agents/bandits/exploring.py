"""Random items in some slots of a slate."""

from __future__ import annotations

import numpy as np

from driftrec.agents.memory import top_unseen
from driftrec.envs.arrays import Array

_TAKEN = np.float32(-4e3)
"""Score of an item that has a slot already: below any expected click, and
within what `top_unseen` takes."""


def mixed_slates(scores: Array, shown: Array, random: Array, explored: Array) -> Array:
    """Slates of random unseen items in the slots explored and of the best others in the rest.

    Args:
        scores: of every item, `(users, items)`.
        shown: 1 where shown before, `(users, items)`.
        random: uniform draws, `(users, items)`; the highest are the random items.
        explored: true where the slot gets a random item, `(users, slate)`.

    Returns:
        Item numbers, `(users, slate)`, none of them twice.
    """
    slate = explored.shape[1]
    drawn = top_unseen(random, shown, slate)
    barred, left = shown.copy(), scores.copy()
    for array, value in ((barred, 1), (left, _TAKEN)):
        now = np.take_along_axis(array, drawn, axis=1)
        np.put_along_axis(array, drawn, np.where(explored, value, now).astype(array.dtype), axis=1)
    best = top_unseen(left, barred, slate)
    place = np.maximum(np.cumsum(~explored, axis=1) - 1, 0)
    return np.where(explored, drawn, np.take_along_axis(best, place, axis=1))
