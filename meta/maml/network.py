"""The network of MAML: a user's own belief, and a policy that acts by it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from torch import Tensor, nn

from driftrec.meta.heads import QueryHead, ValueHead
from driftrec.meta.maml.gradient_trunk import GradientTrunk
from driftrec.meta.maml.rule import RuleConfig
from driftrec.meta.network import SHARPNESS_RATE, TrialNetwork
from driftrec.meta.track import NetworkShape

MEMORY_RATE = 10.0
"""How much faster than lengths of steps the logarithms of forgetting are learnt."""


class GradientNetwork(TrialNetwork):
    """A trunk that adapts by gradient steps, the query of its policy, and a value.

    Args:
        shape: sizes.
        table: unscaled features of the catalogue trained on, `(items, width)`.
        scale: multiplies each item feature, `(width,)`.
        rule: how the weights follow the user.
        sharpness: of the policy at the start: it draws by softmax(sharpness * quality).
        belief: whether the belief is taught by labels; else it learns from the policy's rewards.

    Attributes:
        builds_on_belief: see `belief`.
    """

    trunk: GradientTrunk

    def __init__(
        self,
        shape: NetworkShape,
        table: Tensor,
        scale: Tensor,
        rule: RuleConfig,
        *,
        sharpness: float = 4.0,
        belief: bool = True,
    ) -> None:
        # As the base class, with another trunk.
        nn.Module.__init__(self)
        self.shape = shape
        self.trunk = GradientTrunk(shape, table, scale, rule, sharpness)
        self.options = {"rule": asdict(rule), "belief": belief}
        self.builds_on_belief = belief
        self.query = QueryHead(self.trunk)
        self.value = ValueHead(self.trunk)

    def relive(self, inputs: Tensor) -> Tensor:
        """What was known before each request of whole trials, `(requests, users, known)`."""
        return self.trunk.relive(inputs)

    def queries(self, known: Tensor) -> Tensor:
        """The policy's query over unscaled item features, `(..., width)`."""
        belief = known[..., : self.shape.width]
        if self.builds_on_belief:
            belief = belief.detach()
        query: Tensor = self.query(known) + self.trunk.taste.sharpness * belief
        return query * self.trunk.scale

    def policy_parameters(self) -> list[nn.Parameter]:
        """What moves the policy: its own part where it builds on a belief, else the steps too."""
        own = list(self.query.parameters())
        if self.builds_on_belief:
            return [*own, self.trunk.taste.sharpness]
        return own + [weight for weight in self.trunk.parameters() if weight.requires_grad]

    def means(self, known: Tensor, table: Tensor) -> Tensor:
        """Believed logits of items of unscaled features: `(..., items)` of `(items, width)`."""
        belief = known[..., : self.shape.width + 1]
        return (belief[..., :-1] * self.trunk.scale) @ table.mT + belief[..., -1:]

    def groups(self, own_rate: float, rule_rate: float) -> list[dict[str, Any]]:
        """Parameters for an optimiser, with the share of the learning rate that each group takes.

        Args:
            own_rate: share for what the policy adds to a belief.
            rule_rate: share for the lengths of steps and of memory.
        """
        sharpness = [self.trunk.taste.sharpness]
        rule = self.trunk.rule
        memory = [one for one in (rule.forget, rule.forget_per_day) if one.requires_grad]
        steps = [one for one in (rule.rate, rule.early, rule.curvature) if one.requires_grad]
        own = list(self.query.parameters())
        parts = [
            (sharpness, SHARPNESS_RATE),
            (steps, rule_rate),
            (memory, MEMORY_RATE * rule_rate),
            (own, own_rate),
        ]
        taken = {id(one) for part, _ in parts for one in part}
        rest = [one for one in self.parameters() if id(one) not in taken and one.requires_grad]
        groups: list[tuple[list[nn.Parameter], float]] = [(rest, 1.0), *parts]
        return [{"params": part, "share": share} for part, share in groups if part]
