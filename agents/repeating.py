"""Policies where an item may be shown again, and where not all are offered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from driftrec.agents.policy import Policy
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation


@dataclass(frozen=True)
class Repeating:
    """A policy that shows unseen items, in a world where an item may be shown again.

    Where not all items are offered, those that are not count as shown, so that others come first.

    Attributes:
        policy: its state must have a `memory`, as those of `driftrec.agents` have, or be one.
    """

    policy: Policy

    def start(self, users: int) -> Any:
        """As the policy."""
        return self.policy.start(users)

    def act(self, observation: Observation, state: Any) -> tuple[Array, Any]:
        """What the policy would show had it shown nothing yet of what is offered."""
        memory = getattr(state, "memory", state)
        shown = np.zeros_like(memory.shown)
        if "offered" in observation:
            shown[:] = 1
            np.put_along_axis(shown, observation["offered"], 0, axis=1)
        memory = replace(memory, shown=shown)
        state = replace(state, memory=memory) if hasattr(state, "memory") else memory
        return self.policy.act(observation, state)


def without_repeating(policy: Policy) -> Policy:
    """The policy inside `Repeating`, or itself: who knows whether it predicts."""
    while isinstance(policy, Repeating):
        policy = policy.policy
    return policy
