"""A training run of MAML on recommender users."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from driftrec.meta.learner import LearnedPolicy
from driftrec.meta.maml.config import MAMLConfig
from driftrec.meta.maml.network import GradientNetwork
from driftrec.meta.maml.policy import MAMLPolicy
from driftrec.meta.network import feature_scale
from driftrec.meta.rl2_run import RL2Run
from driftrec.meta.track import NetworkShape


class MAMLRun(RL2Run):
    """RL²'s run with another memory: weights that take gradient steps."""

    kind = "maml-training"
    config: MAMLConfig  # type: ignore[assignment]  # what RL²'s run reads of a config, it has
    network: GradientNetwork  # type: ignore[assignment]  # likewise

    def build(self) -> nn.Module:  # type: ignore[override]  # likewise
        """Start, inner rule and critic."""
        shape = NetworkShape.of(self.population, hidden=self.config.hidden)
        return GradientNetwork(
            shape,
            self.table,
            feature_scale(self.table),
            self.config.rule,
            sharpness=self.config.sharpness,
            belief=getattr(self.config, "probes", 1) > 0,
        )

    def start_from(self, policy: LearnedPolicy) -> None:
        """As `TrainingRun.start_from`: features keep the scale of those weights."""
        super().start_from(policy)
        trunk = self.network.trunk
        trunk.taste.items = self.table * trunk.scale

    def build_optimiser(self) -> torch.optim.Optimizer:
        """Adam, with the share of the step that each part takes."""
        config = self.config
        own = config.own_rate if config.probes else 1.0
        groups = self.network.groups(own, config.rule_rate)
        return torch.optim.Adam(groups, lr=config.learning_rate, eps=1e-5)

    def policy(self, network: Any) -> MAMLPolicy:  # type: ignore[override]  # likewise
        """The greedy policy of a network, adapting."""
        about = self.about
        return MAMLPolicy(network, self.table, unseen_only=self.unseen_only, about=about)
