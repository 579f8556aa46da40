"""Spaces of other packages, those of the old Gym among them, which is not imported for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from driftrec.envs.arrays import Array
from driftrec.envs.user_model import UserModelError


@dataclass(frozen=True)
class Actions:
    """How an environment numbers what can be chosen.

    Attributes:
        items: choices in each slot.
        slate: slots.
        first: number of the first choice in each slot, `(slate,)`.
        alone: whether an action is a number, and not an array of one.
    """

    items: int
    slate: int
    first: tuple[int, ...]
    alone: bool

    @classmethod
    def of(cls, space: Any) -> Actions:
        """Those of an action space.

        Raises:
            UserModelError: if it is no choice among items, the same in each slot.
        """
        space = as_gymnasium(space)
        if isinstance(space, spaces.Discrete):
            return cls(int(space.n), 1, (int(space.start),), True)
        if not isinstance(space, spaces.MultiDiscrete) or len(set(space.nvec.flat)) != 1:
            raise UserModelError(
                "an action must be an item or a slate of items: Discrete, or MultiDiscrete with "
                f"as many items in each slot, got {space}; wrap the environment in one that is"
            )
        if space.nvec.ndim != 1:
            raise UserModelError(f"a slate must have one axis, got actions of shape {space.shape}")
        return cls(int(space.nvec[0]), len(space.nvec), tuple(map(int, space.start)), False)

    def action(self, items: np.ndarray) -> Any:
        """The environment's action for item numbers from 0, int64 `(slate,)`."""
        return int(items[0]) + self.first[0] if self.alone else items + np.array(self.first)


def as_gymnasium(space: Any) -> spaces.Space[Any]:
    """A space of Gymnasium that holds what this one does, known by its attributes.

    Bounds of boxes are left out: only the shape is used.

    Raises:
        UserModelError: if it is none of Discrete, MultiDiscrete, MultiBinary, Box, Dict and Tuple.
    """
    if isinstance(space, spaces.Space):
        return space
    inner, shape = getattr(space, "spaces", None), getattr(space, "shape", None) or ()
    if isinstance(inner, Mapping):
        return spaces.Dict({name: as_gymnasium(one) for name, one in inner.items()})
    if inner is not None:
        return spaces.Tuple([as_gymnasium(one) for one in inner])
    if hasattr(space, "nvec"):
        return spaces.MultiDiscrete(np.asarray(space.nvec, np.int64))
    if hasattr(space, "low"):
        return spaces.Box(-np.inf, np.inf, tuple(shape), np.float64)
    if hasattr(space, "n"):
        if shape:
            return spaces.MultiBinary(shape)
        return spaces.Discrete(int(space.n), start=int(getattr(space, "start", 0)))
    raise UserModelError(
        "a space must be Discrete, MultiDiscrete, MultiBinary, Box, Dict or Tuple, of Gymnasium or "
        f"of Gym, got {space!r}"
    )


def read(
    observation: Any, observe: Callable[[Any], Any] | None, space: spaces.Space[Any] | None
) -> Array:
    """An observation as numbers, float32.

    Args:
        observation: of an environment.
        observe: turns it into numbers; None to flatten it, one-hot where it is a choice.
        space: that it lies in, to flatten it by. Of one choice alone nothing is left.
    """
    if observe is not None:
        return np.asarray(observe(observation), np.float32)
    assert space is not None
    if isinstance(space, spaces.Discrete) and space.n == 1:
        return np.zeros(0, np.float32)
    return np.asarray(spaces.flatten(space, observation), np.float32)
