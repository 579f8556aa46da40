"""Learners that average what users' weights came to, instead of differentiating through steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from driftrec.meta.checks import check_names, check_positive
from driftrec.meta.gathering import gather
from driftrec.meta.learner import Learner, LearnerConfig
from driftrec.meta.maml.rule import RuleConfig
from driftrec.meta.maml.run import MAMLRun
from driftrec.meta.rl2_run import plackett_luce
from driftrec.meta.rollout import Trials, collect
from driftrec.meta.schedules import refuse_adaptive

Aggregate = Literal["weights", "gradients"]
Weighting = Literal["uniform", "hard"]


def plain_rule() -> RuleConfig:
    """Steps of all weights, of a fixed length: nothing here learns lengths or forgetting."""
    return RuleConfig(
        adapted="all", learn_rates=False, learn_forgetting=False, curvature=False, rate=0.08
    )


@dataclass(frozen=True)
class ReptileConfig(LearnerConfig):
    """How Reptile is trained (Nichol et al. 2018)."""

    iterations: int = 30
    """Batches of trials to learn from."""
    users: int = 256
    """Users in a batch, over all workers; each plays one whole trial."""
    learning_rate: float = 1.0
    """Share of the way from the start to the mean of the users' weights, at first."""
    hidden: int = 32
    """Units of the layer between inputs and belief."""
    rule: RuleConfig = field(default_factory=plain_rule)
    """How a user's own weights follow the user; the click loss, or it learns no belief."""
    weighting: Weighting = "uniform"
    """Weights of the users in the mean: the same, or "hard": softmax(loss / temperature), so that
    those who are predicted worst count more."""
    temperature: float = 0.1
    """Of hard weights."""
    expected_rewards: bool = True
    """Train on users who are never lost (see `driftrec.meta.never_lost`)."""
    sharpness: float = 4.0
    """The policy of training draws items by softmax(sharpness * belief)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_adaptive(self.schedule)
        check_names(self, weighting=Weighting)
        check_positive(self, "temperature")


@dataclass(frozen=True)
class GradientAggregationConfig(ReptileConfig):
    """How gradient aggregation is trained."""

    learning_rate: float = 0.01
    """Adam's step size at the start."""
    aggregate: Aggregate = "gradients"
    """What is averaged over users: their gradients, each on data its weights have not met, or how
    far their weights went; Adam takes the mean for the gradient of the start."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_names(self, aggregate=Aggregate)


class ReptileRun(MAMLRun):
    """Moves the start towards the mean of the weights that users' trials led to."""

    kind = "reptile-training"
    config: ReptileConfig  # type: ignore[assignment]  # it has what MAML's run reads here

    def build_optimiser(self) -> torch.optim.Optimizer:
        """Plain steps: the learning rate is a share of the way."""
        return torch.optim.SGD(self.start_weights(), lr=self.config.learning_rate)

    def start_weights(self) -> list[torch.nn.Parameter]:
        """The weights that adapt."""
        weights = dict(self.network.trunk.taste.named_parameters())
        return [weights[name] for name in self.network.trunk.rule.names]

    def update(self, seed: int, rate: float) -> dict[str, float]:
        """Collect a batch of trials, and move the start by what they taught."""
        trials = self._collect(seed)
        change, slopes, losses = self.network.trunk.follow(trials.inputs, trials.alive)
        mean = (self._weights_of(losses)[:, None] * self.descent(change, slopes)).sum(0)
        rule = self.network.trunk.rule
        self.network.zero_grad()
        parts = zip(self.start_weights(), mean.split(rule.sizes), rule.shapes, strict=True)
        for weight, part, shape in parts:
            weight.grad = part.view(shape)
        self.worker.average_gradients(self.network)
        self.set_rate(rate)
        self.optimiser.step()
        norm = torch.stack(
            [weight.grad.norm() for weight in self.start_weights() if weight.grad is not None]
        )
        reward = float(trials.rewards[trials.alive].mean())
        values = self.worker.average(reward, float(losses.mean()), float(norm.norm()))
        return dict(zip(("reward", "click_loss", "gradient_norm"), values, strict=True))

    def descent(self, change: Tensor, slopes: Tensor) -> Tensor:
        """What an optimiser is told of each user, `(users, adapted)`: away from their weights."""
        return -change

    def _collect(self, seed: int) -> Trials:
        network: Any = self.network
        choose = plackett_luce(network, self.table, seed)
        return collect(self.env, self.network, choose, seed=seed, unseen_only=self.unseen_only)

    def _weights_of(self, losses: Tensor) -> Tensor:
        """Of this worker's users, such that the mean over workers is that over all users."""
        if self.config.weighting == "uniform":
            return torch.full_like(losses, 1 / len(losses))
        everyones = losses.new_tensor(gather(self.worker, losses.cpu().numpy()))
        weights = torch.softmax(everyones / self.config.temperature, 0)
        return self.worker.count * weights.chunk(self.worker.count)[self.worker.rank]


class GradientAggregationRun(ReptileRun):
    """Gives Adam the mean of users' gradients, or of what their weights did."""

    kind = "gradient-aggregation-training"
    config: GradientAggregationConfig

    def build_optimiser(self) -> torch.optim.Optimizer:
        """Adam on the weights that adapt."""
        return torch.optim.Adam(self.start_weights(), lr=self.config.learning_rate, eps=1e-5)

    def descent(self, change: Tensor, slopes: Tensor) -> Tensor:
        """What an optimiser is told of each user, `(users, adapted)`."""
        return slopes if self.config.aggregate == "gradients" else -change


class Reptile(Learner[ReptileConfig]):
    """Meta-trains a start by averaging models.

    Args:
        config: see `ReptileConfig`.
    """

    config_type = ReptileConfig
    run_type = ReptileRun


class GradientAggregation(Learner[GradientAggregationConfig]):
    """Meta-trains a start by averaging users' gradients.

    Args:
        config: see `GradientAggregationConfig`.
    """

    config_type = GradientAggregationConfig
    run_type = GradientAggregationRun
