"""The heuristic of SARDINE's table that shows what is liked, and never enough of it to bore."""

from __future__ import annotations

from typing import Any

import numpy as np

from driftrec.agents.memory import Memory, new_memory
from driftrec.envs import RecommendationVectorEnv
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation
from driftrec.envs.published.sardine import TOPICS, clicks_that_count


class Wary:
    """Shows the items most likely to be clicked, but too few of any topic to bore the user now.

    Of a topic there are at most `patience` - 1 items, less its clicks that will count after this
    request. It knows the hidden state. The original is not published; that this is meant was
    found by its returns.
    """

    def __init__(self, env: RecommendationVectorEnv) -> None:
        self._simulation = env.simulation
        self._topic = env.simulation.catalogue.topic

    def start(self, users: int) -> Memory:
        """Nothing shown yet."""
        return new_memory(users, len(self._simulation.catalogue), self._simulation.slate)

    def act(self, observation: Observation, state: Memory) -> tuple[Array, Memory]:
        """The slate, `(users, slate)`, and the new state."""
        model: Any = self._simulation.model
        room = model.patience - 1 - clicks_that_count(self._simulation.state)
        order = np.argsort(-self._simulation.click_probability(), axis=1)
        topic = self._topic[order]
        too_many = np.zeros(order.shape, bool)
        for one in range(TOPICS):
            of_it = topic == one
            too_many |= of_it & (of_it.cumsum(1) > room[:, one, None])
        best = np.argsort(too_many, axis=1, kind="stable")[:, : self._simulation.slate]
        items = np.take_along_axis(order, best, axis=1)
        return items, state.after(items)
