"""Actions: the slate to show."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from gymnasium import spaces

from driftrec.envs.arrays import Array


def action_space(items: int, slate: int) -> spaces.Space[Any]:
    """`Discrete(items)` for one item a request, else `MultiDiscrete` with a slot each."""
    return spaces.Discrete(items) if slate == 1 else spaces.MultiDiscrete([items] * slate)


def checked_slates(
    action: Any, users: int, slate: int, items: int, xp: Any = np, device: Any = None
) -> Array:
    """A batch of actions as item numbers, int64 `(users, slate)`, in an array of their own.

    Args:
        action: integers of shape `(users, slate)`, or `(users,)` where the slate is one item.
        users: size of the batch.
        slate: items in a request.
        items: size of the catalogue.
        xp: array namespace.
        device: where torch's arrays live.

    Raises:
        ValueError: if the shape is another, an item does not exist, or a slate shows one twice.
        TypeError: if the action is not made of integers.
    """
    array = np.array(action) if xp is np else xp.asarray(action, device=device, copy=True)
    if array.dtype != xp.int64:
        array = _as_integers(array, xp)
    if slate == 1 and array.ndim == 1:
        array = array[:, None]
    if array.shape != (users, slate):
        raise ValueError(
            f"an action must show {slate} item(s) to each of {users} user(s): expected shape "
            f"{(users, slate)}, got {tuple(array.shape)}"
        )
    if xp.count_nonzero(_outside(array, items)):
        raise ValueError(
            f"items are numbered 0 to {items - 1}, got {int(array.min())} to {int(array.max())}"
        )
    if slate > 1:
        ordered = xp.sort(array, axis=1)
        if xp.count_nonzero(ordered[:, 1:] == ordered[:, :-1]):
            raise ValueError("a slate must not show an item twice: got a slate with duplicates")
    return array


def _outside(array: Array, items: int) -> Array:
    if type(array) is np.ndarray:
        # One comparison will do: read as unsigned, negative numbers are large ones.
        return array.view(np.uint64) >= _as_unsigned(items)
    return (array < 0) | (array >= items)


@cache
def _as_unsigned(items: int) -> np.ndarray:
    return np.array(items, np.uint64)


def _as_integers(array: Array, xp: Any) -> Array:
    if not xp.isdtype(array.dtype, "integral"):
        raise TypeError(f"an action is made of item numbers (integers), got {array.dtype}")
    return xp.astype(array, xp.int64)
