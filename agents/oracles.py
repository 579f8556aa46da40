"""Policies that see what no agent can see: bounds on what there is to gain."""

from __future__ import annotations

import numpy as np

from driftrec.agents.memory import Memory, new_memory, top_unseen
from driftrec.envs import DriftingUser, Simulation
from driftrec.envs.arrays import Array, to_numpy
from driftrec.envs.observation import Observation


class Clairvoyant:
    """Shows the unseen items that the user is most likely to click now, whims and mood known.

    It looks one request ahead: what today's slate does to satiation and return is not weighed.

    Args:
        simulation: the users that it acts on, row by row (privileged).
    """

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def start(self, users: int) -> Memory:
        """Nothing shown yet."""
        return new_memory(users, len(self._simulation.catalogue), self._simulation.slate)

    def act(self, observation: Observation, state: Memory) -> tuple[Array, Memory]:
        """The best unseen items, `(users, slate)`, and the new state."""
        items = top_unseen(self._scores(), state.shown, self._simulation.slate)
        return items, state.after(items)

    def _scores(self) -> Array:
        return to_numpy(self._simulation.click_probability())


class CoreOracle(Clairvoyant):
    """Knows each user's lasting taste and satiation, but not the mood and the whims of the moment.

    What adapting to a user can reach at most, short of reading whims from the last clicks.

    Args:
        simulation: the users that it acts on, row by row (privileged).

    Raises:
        ValueError: if they are not a `DriftingUser`.
    """

    def __init__(self, simulation: Simulation) -> None:
        if not isinstance(simulation.model, DriftingUser):
            raise ValueError(
                "the core oracle reads the core of a DriftingUser, got "
                f"{type(simulation.model).__name__}: use the clairvoyant"
            )
        super().__init__(simulation)
        self._model = simulation.model
        catalogue = simulation.catalogue
        self._features, self._topics, self._quality = (
            to_numpy(array) for array in (catalogue.features, catalogue.topics, catalogue.quality)
        )

    def _scores(self) -> Array:
        state = self._simulation.state
        taste = np.float32(self._model.taste_sd) * (to_numpy(state.core) @ self._features.T)
        sated = to_numpy(state.traits.satiation_weight[:, None] * state.satiation) @ self._topics.T
        return taste + self._quality - sated
