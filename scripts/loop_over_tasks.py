"""MAML as a loop over tasks, to hold the vectorised one against: one user at a time, no `vmap`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from driftrec.meta.maml.estimators import differentiates
from driftrec.meta.maml.gradient_trunk import GradientTrunk
from driftrec.meta.maml.network import GradientNetwork
from driftrec.meta.maml.rule import InnerRule
from driftrec.meta.maml.run import MAMLRun
from driftrec.meta.maml.taste import TasteNetwork


class LoopRule(InnerRule):
    """The inner step of one user, by `torch.autograd.grad`."""

    def slope(
        self, taste: TasteNetwork, change: Tensor, inputs: Tensor, shown: Tensor, feedback: Tensor
    ) -> Tensor:
        """As `InnerRule.slope`, of a single user."""
        outer = torch.is_grad_enabled() and differentiates(self.config.estimator)
        of_round = self._click_loss if self.config.inner == "clicks" else self._policy_loss
        with torch.enable_grad():
            own = {name: one[0] for name, one in self.weights(taste, change).items()}
            answer: Any = functional_call(taste, own, (inputs[0],))
            loss = of_round(taste, *answer, shown[0], feedback[0])
            slopes = torch.autograd.grad(loss, list(own.values()), create_graph=outer)
        turned = [
            self._turned(name, slope[None]).flatten(1)
            for name, slope in zip(own, slopes, strict=True)
        ]
        slope = torch.cat(turned, 1)
        return slope if outer else slope.detach()


class LoopTrunk(GradientTrunk):
    """A trunk that reads the trial of one user."""

    def _belief(self, inputs: Tensor, change: Tensor) -> Tensor:
        own = {name: one[0] for name, one in self.rule.weights(self.taste, change).items()}
        answer: Any = functional_call(self.taste, own, (self._scaled(inputs)[0],))
        return torch.cat(answer, -1)[None]


class LoopRun(MAMLRun):
    """MAML's run on one user an iteration: a loop over tasks is as many iterations."""

    kind = "maml-loop-training"

    def build(self) -> nn.Module:  # type: ignore[override]  # as the base class
        """The same network, with a trunk and a rule for one user."""
        network = super().build()
        assert isinstance(network, GradientNetwork)
        config, taste = self.config, network.trunk.taste
        trunk = LoopTrunk(
            network.shape, self.table, network.trunk.scale, config.rule, config.sharpness
        )
        trunk.rule = LoopRule(trunk.taste, config.rule)
        trunk.taste.load_state_dict(taste.state_dict())
        network.trunk = trunk
        return network
