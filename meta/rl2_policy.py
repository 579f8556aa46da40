"""The policy that RL² learns: it adapts to a user by its memory alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from driftrec.meta.network import ActorCritic
from driftrec.meta.predicting import PredictsClicks
from driftrec.meta.track import NetworkShape, Track
from driftrec.meta.trial_policy import TrialPolicy, load_trial_policy


@dataclass(frozen=True, eq=False)
class RL2Policy(PredictsClicks, TrialPolicy):
    """A policy of items' scores; "greedy" shows the most probable slate, "sample" draws it."""

    network: ActorCritic
    kind = "rl2-policy"

    def scores(self, known: Tensor, track: Track) -> Tensor:
        """Logits of the first draw, `(users, items)`."""
        return self.network.queries(known) @ self.table.T


def load(path: str | Path, **options: Any) -> RL2Policy:
    """Read an `RL2Policy`; see `load_trial_policy`."""

    def build(shape: NetworkShape, scale: Tensor, own: dict[str, Any]) -> ActorCritic:
        return ActorCritic(shape, scale, **own)

    return load_trial_policy(RL2Policy, path, build, **options)
