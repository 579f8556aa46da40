"""LinUCB on the last clicks alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from driftrec.agents.linucb import LinUCB
from driftrec.agents.memory import Memory, known, new_memory
from driftrec.envs import Catalogue
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation


@dataclass(slots=True)
class WindowState:
    """Attributes are arrays with the user as first axis; D as in `LinUCB`.

    Attributes:
        memory: what was shown.
        gram: sum of x x' over the window plus the ridge, `(users, D, D)`.
        response: sum of x times (click - prior prediction) over the window, `(users, D)`.
        items: slates of the window, in a ring, int32 `(users, window, slate)`.
        news: click - prior prediction of each, `(users, window, slate)`.
        learned: slates learned from so far, `(users,)`.
    """

    memory: Memory
    gram: Array
    response: Array
    items: Array
    news: Array
    learned: Array


class WindowLinUCB(LinUCB):
    """LinUCB that forgets all but the last slates (Cheung, Simchi-Levi and Zhu 2019, algorithm 1).

    The window is exact: what leaves the ring is taken from the sums that it was added to. Until
    the ring is full it is `LinUCB`.

    Args:
        catalogue: what can be shown.
        slate: items in a request.
        window: slates that are remembered.
        alpha: width of the interval.
        ridge: weight of the prior, in observations.
        quality_weight: click probability per logit of quality, before the first click.

    Raises:
        ValueError: if an option is out of range.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        slate: int = 1,
        *,
        window: int = 100,
        alpha: float = 0.2,
        ridge: float = 20.0,
        quality_weight: float = 0.25,
    ) -> None:
        if window < 1:
            raise ValueError(f"window must be at least 1, got {window}")
        super().__init__(catalogue, slate, alpha=alpha, ridge=ridge, quality_weight=quality_weight)
        self._window = window

    def start(self, users: int) -> Any:
        """The prior, and nothing shown yet."""
        ring = (users, self._window, self._slate)
        return WindowState(
            memory=new_memory(users, len(self._inputs), self._slate),
            gram=np.tile(self._ridge, (users, 1, 1)),
            response=np.zeros((users, len(self._prior)), np.float32),
            items=np.zeros(ring, np.int32),
            news=np.zeros(ring, np.float32),
            learned=np.zeros(users, np.int64),
        )

    def _learn(self, observation: Observation, state: Any) -> Any:
        """Put the last slate in the place of the oldest; a new user has none."""
        weight = known(observation)
        rows, place = np.arange(len(weight)), state.learned % self._window
        full = weight * (state.learned >= self._window)
        old = self._inputs[state.items[rows, place]] * full[:, None, None]
        new = self._inputs[state.memory.last] * weight[:, None, None]
        news = observation["feedback"] - new @ self._prior
        items, ring = state.items.copy(), state.news.copy()
        known_rows = rows[weight > 0]
        items[known_rows, place[known_rows]] = state.memory.last[known_rows]
        ring[known_rows, place[known_rows]] = news[known_rows]
        lost = np.vecdot(old.mT, state.news[rows, place][:, None, :])
        return WindowState(
            memory=state.memory,
            gram=state.gram + new.mT @ new - old.mT @ old,
            response=state.response + np.vecdot(new.mT, news[:, None, :]) - lost,
            items=items,
            news=ring,
            learned=state.learned + (weight > 0),
        )
