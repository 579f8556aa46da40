"""Actions: the slate to show."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space

from driftrec.envs.arrays import Array

LARGEST = 2**31 - 1
"""Largest number that can be sorted as an int32, which is quicker."""


def action_space(items: int, slate: int) -> spaces.Space[Any]:
    """`Discrete(items)` for one item a request, else a `SlateSpace`."""
    return spaces.Discrete(items) if slate == 1 else SlateSpace(items, slate)


class SlateSpace(spaces.MultiDiscrete[np.int64]):
    """Slates without an item twice, int64 `(slate,)`: `MultiDiscrete([items] * slate)` for agents.

    Args:
        items: size of the catalogue.
        slate: items in a request.
        seed: of what `sample` draws.
    """

    def __init__(
        self, items: int, slate: int, seed: int | np.random.Generator | None = None
    ) -> None:
        super().__init__([items] * slate, np.int64, seed)

    def sample(self, mask: Any = None, probability: Any = None) -> np.ndarray:
        """A slate, each as likely as the others.

        Args:
            mask: true (or 1) where an item may be shown, `(items,)`, such as `action_masks()`.
            probability: must be left out.

        Raises:
            ValueError: if the mask has another shape or leaves too few items, or a probability is
                given.
        """
        items, (slate,) = int(self.nvec[0]), self.shape
        masks = None if mask is None else _checked_masks(mask, (items,))[None]
        _refuse(probability)
        slates = _slates(self.np_random, 1, slate, items, masks)
        return slates.reshape(slate)

    def contains(self, x: Any) -> bool:
        """Whether this is a slate of items that exist, none of them twice."""
        return super().contains(x) and _distinct(np.asarray(x))

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, SlateSpace) and super().__eq__(other)

    def __repr__(self) -> str:
        return f"SlateSpace({self.nvec[0]}, {self.shape[0]})"


class SlateBatchSpace(spaces.Box):
    """A slate for each of some users, none with an item twice, int64 `(users, slate)`.

    Args:
        items: size of the catalogue.
        slate: items in a request.
        users: size of the batch.
        seed: of what `sample` draws.
    """

    def __init__(
        self, items: int, slate: int, users: int, seed: int | np.random.Generator | None = None
    ) -> None:
        # A box for Gymnasium, as `batch_space` makes of any MultiDiscrete.
        super().__init__(0, items - 1, (users, slate), np.int64, seed)

    def sample(self, mask: Any = None, probability: Any = None) -> np.ndarray:
        """Slates drawn as those of `SlateSpace`; the mask is `(users, items)`."""
        (users, slate), items = self.shape, int(self.high.flat[0]) + 1
        masks = None if mask is None else _checked_masks(mask, (users, items))
        _refuse(probability)
        return _slates(self.np_random, users, slate, items, masks)

    def contains(self, x: Any) -> bool:
        """Whether these are slates of items that exist, none of them twice in a slate."""
        return super().contains(x) and _distinct(np.asarray(x))

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, SlateBatchSpace) and super().__eq__(other)

    def __repr__(self) -> str:
        return f"SlateBatchSpace({self.high.flat[0] + 1}, {self.shape[1]}, {self.shape[0]})"


@batch_space.register(SlateSpace)
def _batch_of_slates(space: SlateSpace, n: int = 1) -> SlateBatchSpace:
    return SlateBatchSpace(int(space.nvec[0]), space.shape[0], n, deepcopy(space.np_random))


def _slates(
    rng: np.random.Generator, users: int, slate: int, items: int, masks: np.ndarray | None
) -> np.ndarray:
    """Uniform draws without replacement, int64 `(users, slate)`."""
    if masks is not None:
        if (masks.sum(1) < slate).any():
            raise ValueError(
                f"a mask must leave at least {slate} items for a slate, got {masks.sum(1).min()}"
            )
        ranks: np.ndarray = np.where(masks, rng.random(masks.shape), 2.0).argsort(1)
        return ranks[:, :slate]
    drawn = np.empty((users, slate), np.int64)
    for slot in range(slate):
        # The number of one of the items that are left, counted past those that are taken.
        item = rng.integers(items - slot, size=users)
        for taken in np.sort(drawn[:, :slot], axis=1).T:
            item += item >= taken
        drawn[:, slot] = item
    return drawn


def _checked_masks(mask: Any, shape: tuple[int, ...]) -> np.ndarray:
    if isinstance(mask, Sequence) or np.shape(mask) != shape:
        got = f"a {type(mask).__name__}" if isinstance(mask, Sequence) else str(np.shape(mask))
        raise ValueError(
            f"a mask must be one array of shape {shape}, true where an item may be shown in any "
            f"slot, got {got}"
        )
    masks: np.ndarray = np.asarray(mask) != 0
    return masks


def _refuse(probability: Any) -> None:
    if probability is not None:
        raise ValueError("slates are drawn uniformly: give a mask, or draw them yourself")


def _distinct(slates: np.ndarray) -> bool:
    """Whether no row, along the last axis, has a number twice."""
    ordered = np.sort(slates, axis=-1)
    return bool((ordered[..., 1:] != ordered[..., :-1]).all())


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
    if users == 1 and xp is np and _is_slate(action, slate, items):
        return np.array(action).reshape(1, slate)
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
        ordered = xp.sort(array if items > LARGEST else xp.astype(array, xp.int32), axis=1)
        numbers = xp.reshape(ordered, (-1,))
        # Quicker, though it compares the end of a row with the start of the next, too.
        suspect = xp.count_nonzero(numbers[1:] == numbers[:-1])
        if suspect and xp.count_nonzero(ordered[:, 1:] == ordered[:, :-1]):
            raise ValueError("a slate must not show an item twice: got a slate with duplicates")
    return array


def _is_slate(action: Any, slate: int, items: int) -> bool:
    """Whether this is a list of one valid action, as the single environment gives it."""
    if type(action) is not list or len(action) != 1:
        return False
    alone = action[0]
    if slate == 1:
        return type(alone) in (int, np.int64) and 0 <= alone < items
    if type(alone) is not np.ndarray or alone.dtype != np.int64 or alone.shape != (slate,):
        return False
    numbers = alone.tolist()
    return min(numbers) >= 0 and max(numbers) < items and len(set(numbers)) == slate


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
