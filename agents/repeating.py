"""Policies where an item may be shown again."""

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

    Attributes:
        policy: its state must have a `memory`, as those of `driftrec.agents` have, or be one.
    """

    policy: Policy

    def start(self, users: int) -> Any:
        """As the policy."""
        return self.policy.start(users)

    def act(self, observation: Observation, state: Any) -> tuple[Array, Any]:
        """What the policy would show had it shown nothing yet."""
        memory = getattr(state, "memory", state)
        memory = replace(memory, shown=np.zeros_like(memory.shown))
        state = replace(state, memory=memory) if hasattr(state, "memory") else memory
        return self.policy.act(observation, state)
