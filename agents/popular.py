"""Policies that know what people like on the whole, and nothing of the user's taste."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftrec.agents.memory import Memory, elapsed_days, new_memory, top_unseen
from driftrec.envs import Catalogue
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation


class MostPopular:
    """Shows the unseen items of highest quality.

    Args:
        catalogue: what can be shown.
        slate: items in a request.
    """

    def __init__(self, catalogue: Catalogue, slate: int = 1) -> None:
        self._quality = np.asarray(catalogue.quality)
        self._slate = slate

    def start(self, users: int) -> Memory:
        """Nothing shown yet."""
        return new_memory(users, len(self._quality), self._slate)

    def act(self, observation: Observation, state: Memory) -> tuple[Array, Memory]:
        """The best unseen items, `(users, slate)`, and the new state."""
        items = top_unseen(self._quality, state.shown, self._slate)
        return items, state.after(items)


@dataclass(slots=True)
class SatiationState:
    """Attributes are arrays with the user as first axis.

    Attributes:
        memory: what was shown.
        recent: exposures to each topic, faded by time, `(users, topics)`.
    """

    memory: Memory
    recent: Array


class SatiationAwarePopular:
    """Shows what is popular among topics that were not shown much lately.

    An item scores quality - penalty * <recent, topic>, where recent exposures fade by
    exp(-elapsed / hours). The defaults are those of the median default user.

    Args:
        catalogue: what can be shown.
        slate: items in a request.
        penalty: logits lost per recent exposure.
        hours: time in which an exposure is forgotten.
    """

    def __init__(
        self, catalogue: Catalogue, slate: int = 1, *, penalty: float = 0.06, hours: float = 12.0
    ) -> None:
        if penalty < 0 or not hours > 0:
            raise ValueError(
                f"penalty must not be negative and hours must be positive, got {penalty}, {hours}"
            )
        self._quality = np.asarray(catalogue.quality)
        self._topics = np.asarray(catalogue.topics)
        self._dimension = catalogue.dimension
        self._slate = slate
        self._penalty = np.float32(penalty)
        self._days = hours / 24

    def start(self, users: int) -> SatiationState:
        """Nothing shown yet."""
        memory = new_memory(users, len(self._quality), self._slate)
        return SatiationState(memory, np.zeros((users, self._topics.shape[1]), np.float32))

    def act(self, observation: Observation, state: SatiationState) -> tuple[Array, SatiationState]:
        """The best unseen items, `(users, slate)`, and the new state."""
        shown = observation["slate"][:, :, self._dimension : -1].sum(1)
        faded = np.exp(-elapsed_days(observation) / self._days)[:, None]
        recent = faded * (state.recent + shown)
        scores = self._quality - self._penalty * (recent @ self._topics.T)
        items = top_unseen(scores, state.memory.shown, self._slate)
        return items, SatiationState(state.memory.after(items), recent)
