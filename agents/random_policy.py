"""The policy that knows nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftrec.envs import Catalogue
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation


@dataclass(slots=True)
class RandomState:
    """Attributes are arrays with the user as first axis.

    Attributes:
        order: the order in which the items will be shown, `(users, items)`.
        place: how many of them were shown, `(users,)`.
    """

    order: Array
    place: Array


class RandomPolicy:
    """Shows items that were not shown yet, uniformly at random; anew when all were.

    Each user gets a random order of the catalogue at the start of the trial; where not all items
    are offered, any of those that are may be shown.

    Args:
        catalogue: what can be shown.
        slate: items in a request.
        seed: of the orders.
    """

    def __init__(self, catalogue: Catalogue, slate: int = 1, seed: int = 0) -> None:
        self._items = len(catalogue)
        self._slate = np.arange(slate)
        self._rng = np.random.default_rng([0x52414E44, seed])

    def start(self, users: int) -> RandomState:
        """A random order for each user."""
        order = np.tile(np.arange(self._items, dtype=np.int32), (users, 1))
        return RandomState(self._rng.permuted(order, axis=1), np.zeros(users, np.int64))

    def act(self, observation: Observation, state: RandomState) -> tuple[Array, RandomState]:
        """The next items of the order, `(users, slate)`, and the new state."""
        if "offered" in observation:
            mixed = self._rng.permuted(observation["offered"], axis=1)
            return mixed[:, : len(self._slate)], state
        places = (state.place[:, None] + self._slate) % self._items
        items = np.take_along_axis(state.order, places, axis=1).astype(np.int64)
        return items, RandomState(state.order, state.place + len(self._slate))
