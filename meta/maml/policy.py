"""The policy that MAML learns: it adapts to a user by gradient steps while it serves."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from driftrec.meta.learner import config_from
from driftrec.meta.maml.network import GradientNetwork
from driftrec.meta.maml.rule import RuleConfig
from driftrec.meta.predicting import PredictsClicks
from driftrec.meta.track import NetworkShape, Track
from driftrec.meta.trial_policy import TrialPolicy, load_trial_policy


@dataclass(frozen=True, eq=False)
class MAMLPolicy(PredictsClicks, TrialPolicy):
    """A policy whose weights are each user's own, changed by a gradient step a round.

    Its state holds, of each user, `network.trunk.size` numbers beside what was shown.

    Attributes:
        adapt: whether steps are taken; if not, it acts as it does before it knows anyone.
    """

    network: GradientNetwork
    adapt: bool = True
    kind = "maml-policy"

    def __post_init__(self) -> None:
        super().__post_init__()
        trunk = self.network.trunk
        items = self.table * trunk.scale
        if trunk.adapts != self.adapt or not torch.equal(trunk.taste.items, items):
            network = copy.deepcopy(self.network)
            network.trunk.adapts, network.trunk.taste.items = self.adapt, items
            object.__setattr__(self, "network", network)

    def scores(self, known: Tensor, track: Track) -> Tensor:
        """Logits of the first draw, `(users, items)`."""
        return self.network.queries(known) @ self.table.T


def load(path: str | Path, **options: Any) -> MAMLPolicy:
    """Read a `MAMLPolicy`; see `load_trial_policy`. The option `adapt` switches adaptation off."""

    def build(shape: NetworkShape, scale: Tensor, own: dict[str, Any]) -> GradientNetwork:
        rule = config_from(RuleConfig, own["rule"])
        # The policy brings the items of its table.
        nothing = torch.zeros(0, shape.width)
        return GradientNetwork(shape, nothing, scale, rule, belief=own["belief"])

    return load_trial_policy(MAMLPolicy, path, build, **options)
