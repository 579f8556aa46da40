"""The contract of a policy: all that the harness, the scripts and a server know of an agent."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from driftrec.envs import RecommendationVectorEnv
from driftrec.envs.arrays import Array, namespace
from driftrec.envs.observation import Observation


class Policy(Protocol):
    """Chooses slates for a batch of users, from observations alone.

    What it remembers of each user is in a state that it is handed back at the next request: a
    dataclass of arrays whose first axis is the user (see `driftrec.envs.arrays`).
    """

    def start(self, users: int) -> Any:
        """The state for users of whom nothing is known yet."""
        ...

    def act(self, observation: Observation, state: Any) -> tuple[Array, Any]:
        """Choose what to show.

        Args:
            observation: a batch of observations, first axis the user.
            state: of the same users, in the same order; it is not changed.

        Returns:
            Item numbers `(users, slate)`, and the new state.
        """
        ...


PolicyFactory = Callable[[RecommendationVectorEnv], Policy]
"""Makes a policy for an environment: from its public parts (catalogue, slate), or, for an oracle,
through `env.simulation`, which is the privileged door."""


def own_seed(env: RecommendationVectorEnv) -> int:
    """Seed of a policy's own draws: other for each batch of users, and nothing of the users' luck.

    Args:
        env: after its reset; before the first one all environments give the same seed.
    """
    sequence = np.random.SeedSequence([0x4F574E, *env.simulation.seed])
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


def renew(state: Any, fresh: Any, new_user: Array) -> Any:
    """Replace the states of new users.

    Args:
        state: a dataclass of arrays, first axis the user.
        fresh: what `Policy.start` gives for as many users.
        new_user: the observation's mask, `(users, 1)` of 0 and 1.
    """
    if dataclasses.is_dataclass(state):
        names = [field.name for field in dataclasses.fields(state)]
        kind: Any = type(state)
        return kind(
            *(renew(getattr(state, name), getattr(fresh, name), new_user) for name in names)
        )
    xp = namespace(state)
    mask = xp.reshape(new_user > 0, (-1,) + (1,) * (state.ndim - 1))
    return xp.where(mask, fresh, state)
