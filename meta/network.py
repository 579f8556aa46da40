"""The networks of learners that adapt by memory: a trunk that reads a trial, and heads."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from driftrec.envs.observation import Observation
from driftrec.meta.heads import BeliefHead, QueryHead, ValueHead
from driftrec.meta.track import NetworkShape, Track
from driftrec.meta.trunk import Trunk

SHARPNESS_RATE = 10.0
"""Share of the learning rate for the sharpness, whose size is of that order."""

FILTER_RATE = 15.0
"""Share of the learning rate for the filter's parameters: logarithms, that have far to go."""


def feature_scale(table: Tensor) -> Tensor:
    """What brings each column of a catalogue's table to unit variance; 1 for a constant one."""
    spread = table.std(0, correction=0)
    return torch.where(spread > 1e-6, 1 / spread, torch.ones_like(spread))


class TrialNetwork(nn.Module):
    """A trunk, and heads that subclasses add.

    Args:
        shape: sizes.
        scale: see `Trunk`.

    Attributes:
        options: beside its sizes, what a subclass was made with, as JSON; kept with its weights.
    """

    options: dict[str, Any]

    def __init__(self, shape: NetworkShape, scale: Tensor) -> None:
        super().__init__()
        self.shape = shape
        self.trunk = Trunk(shape, scale)
        self.options = {}

    def start(self, users: int) -> Track:
        """What is remembered of users of whom nothing is known."""
        return self.trunk.start(users)

    def know(self, observation: Observation, track: Track) -> tuple[Tensor, Tensor, Track]:
        """Read a batch of observations.

        Returns:
            The inputs, `(users, inputs)`, what is known now, `(users, known)`, and the new track.
        """
        inputs, track = self.trunk.read(observation, track)
        known, track.memory = self.trunk.remember(inputs[None], track.memory)
        return inputs, known[0], track

    def relive(self, inputs: Tensor) -> Tensor:
        """What was known before each request of whole trials, `(requests, users, known)`."""
        return self.trunk.remember(inputs, None)[0]

    def parameter_groups(self, **shares: float) -> list[dict[str, Any]]:
        """Parameters for an optimiser, with the share of the learning rate that each group takes.

        Args:
            shares: of some parts of this network, by name; the filter has its own, the rest 1.
        """
        groups: list[dict[str, Any]] = []
        parts: dict[str, Any] = {name: getattr(self, name) for name in shares}
        if self.trunk.filter is not None:
            parts["filter"], shares = self.trunk.filter, shares | {"filter": FILTER_RATE}
        for name, part in parts.items():
            own = [part] if isinstance(part, nn.Parameter) else list(part.parameters())
            groups.append({"params": own, "share": shares[name]})
        taken = {id(parameter) for group in groups for parameter in group["params"]}
        rest = [parameter for parameter in self.parameters() if id(parameter) not in taken]
        return [{"params": rest, "share": 1.0}, *groups]


class BeliefNetwork(TrialNetwork):
    """A trunk and a belief about every item: the amortised filter.

    Args:
        shape: sizes.
        scale: see `Trunk`.
    """

    def __init__(self, shape: NetworkShape, scale: Tensor) -> None:
        super().__init__(shape, scale)
        self.belief = BeliefHead(self.trunk)

    def means(self, known: Tensor, table: Tensor) -> Tensor:
        """Believed logits of items of unscaled features: `(..., items)` of `(items, width)`."""
        weights = self.belief.means(self.trunk, known)
        return (weights[..., :-1] * self.trunk.scale) @ table.mT + weights[..., -1:]

    def sds(self, known: Tensor, track: Track, table: Tensor) -> Tensor:
        """Standard deviations of the belief about items now, `(users, items)`."""
        items = self.trunk.with_one(table)
        filtered = known[:, :0]
        if self.trunk.filter is not None:
            filtered = self.trunk.filter_variance(track, items)
        return self.belief.variances(known, items, filtered).sqrt()


class ActorCritic(BeliefNetwork):
    """Trunk, belief, query and value: the network of RL².

    The policy's query is the belief, each feature at a learned sharpness, plus a part of its own;
    without a belief it is the latter alone. No gradient flows from the policy to the belief's
    head: it would bend the belief to the noise of rewards.

    Args:
        shape: sizes.
        scale: see `Trunk`.
        sharpness: of the policy at the start: it draws by softmax(sharpness * quality).
        belief: whether the policy builds on a belief about the user, which is trained on users'
            true click probabilities, known in training alone (task inference by privileged labels:
            Humplik et al. 2019).
        head: of the query, see `QueryHead`.
        privileged_critic: see `ValueHead`.
        optimism: standard deviations by which the policy overrates each weight of its belief.

    Raises:
        ValueError: if it is to be optimistic about a belief that no filter makes.
    """

    def __init__(
        self,
        shape: NetworkShape,
        scale: Tensor,
        sharpness: float = 4.0,
        *,
        belief: bool = True,
        head: str = "linear",
        privileged_critic: bool = True,
        optimism: float = 0.0,
    ) -> None:
        super().__init__(shape, scale)
        if optimism and not (belief and shape.filter):
            raise ValueError("optimism needs a policy that builds on the belief of a filter")
        self.options = {
            "belief": belief,
            "head": head,
            "privileged_critic": privileged_critic,
            "optimism": optimism,
        }
        self.optimism = optimism
        self.builds_on_belief = belief
        self.query = QueryHead(self.trunk, head)
        self.value = ValueHead(self.trunk, privileged_critic)
        self.sharpness = nn.Parameter(torch.full((shape.width,), sharpness))
        if not belief:
            with torch.no_grad():
                self.query.own.bias[-1] = sharpness / scale[-1]

    def queries(self, known: Tensor) -> Tensor:
        """The policy's query over unscaled item features, `(..., width)`."""
        query: Tensor = self.query(known)
        if self.builds_on_belief:
            belief = self.belief.means(self.trunk, known)
            if self.optimism:
                belief = belief + self.optimism * self.trunk.filter_sd(known)
            query = query + self.sharpness * belief[..., :-1].detach()
        return query * self.trunk.scale

    def policy_parameters(self) -> list[nn.Parameter]:
        """What moves the policy: its own part where it builds on a belief, else memory too."""
        own = list(self.query.parameters())
        if self.builds_on_belief:
            return [*own, self.sharpness]
        # No gradient flows into the filter from what it feeds.
        reading = self.trunk.named_parameters()
        return own + [weight for name, weight in reading if not name.startswith("filter.")]
