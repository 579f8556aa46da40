"""Proximal policy optimisation over whole trials of a recurrent policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor, nn

from driftrec.meta.belief_loss import filter_lessons, filter_loss, mean_loss
from driftrec.meta.checks import (
    check_counts,
    check_fractions,
    check_names,
    check_not_negative,
    check_positive,
)
from driftrec.meta.gae import generalised_advantages
from driftrec.meta.network import ActorCritic
from driftrec.meta.plackett_luce import slate_log_probability
from driftrec.meta.rl2_trust_region import trust_region_phase
from driftrec.meta.rollout import Trials
from driftrec.meta.workers import Worker

Objective = Literal["ppo", "a2c", "trpo"]


@dataclass(frozen=True)
class PPOConfig:
    """How the policy is updated from a batch of trials (Schulman et al. 2017)."""

    objective: Objective = "ppo"
    """What moves the policy: the clipped ratio; the plain policy gradient of advantage actor-critic
    (a2c, Mnih et al. 2016), which wants `epochs=1` and `minibatches=1`; or one step within a trust
    region (trpo, Schulman et al. 2015) a batch, of which several workers take the mean."""
    epochs: int = 2
    """Passes over each batch of trials."""
    minibatches: int = 8
    """Parts of the users into which a pass is cut; sequences stay whole."""
    clip: float = 0.2
    """The probability ratio is clipped to 1 plus or minus this."""
    gamma: float = 0.9
    """Discount by request."""
    lam: float = 0.5
    """Weight of longer advantage estimates."""
    entropy: float = 0.0
    """Weight of the policy's entropy at the start; it falls to 0 linearly."""
    value_weight: float = 0.5
    """Weight of the value loss, which is in units of the returns' standard deviation."""
    belief_weight: float = 5.0
    """Weight of the belief loss: cross-entropy with the true click probabilities."""
    gradient_clip: float = 0.5
    """Largest norm of a gradient step."""
    max_divergence: float = 0.01
    """Of trpo: mean divergence that a step may reach, in nats."""

    def __post_init__(self) -> None:
        check_names(self, objective=Objective)
        check_counts(self, "epochs", "minibatches")
        check_positive(self, "clip", "gradient_clip", "max_divergence")
        check_fractions(self, "gamma", "lam")
        check_not_negative(self, "entropy", "value_weight", "belief_weight")


@dataclass
class Targets:
    """What a batch of trials asks of the network.

    Attributes:
        advantages: normalised, `(T, users)`.
        returns: in units of the return scale, `(T, users)`.
        known: what the network knew before each request, `(T, users, known)`.
    """

    advantages: Tensor
    returns: Tensor
    known: Tensor


@torch.no_grad()
def targets(
    network: ActorCritic,
    trials: Trials,
    config: PPOConfig,
    *,
    continuing: bool,
    return_scale: float,
    moments: Callable[[Tensor], tuple[float, float]] | None = None,
) -> Targets:
    """Normalised advantages, and returns in units of `return_scale`.

    Args:
        network: gives the values.
        trials: whole trials.
        config: discount and lambda.
        continuing: whether a truncation cuts a longer story, so that the value of the last
            observation follows it; after churn nothing follows.
        return_scale: unit of the values.
        moments: mean and standard deviation of numbers, over all workers where there are several.
    """
    known = network.relive(trials.inputs)
    values = network.value(known, trials.hint) * return_scale
    alive = trials.alive
    last = trials.alive.sum(0)
    after = values.gather(0, last[None])[0] if continuing else torch.zeros_like(values[0])
    bootstrap = torch.where(trials.churned, torch.zeros_like(after), after)
    advantages = generalised_advantages(
        trials.rewards,
        values[:-1],
        alive,
        bootstrap,
        config.gamma * trials.survival,
        config.lam,
    )
    returns = (advantages + values[:-1]) / return_scale
    centre, spread = (moments or Worker().mean_and_spread)(advantages[alive])
    return Targets((advantages - centre) / (spread + 1e-8) * alive, returns, known[:-1])


@dataclass
class UpdateReport:
    """Means over an update: losses, divergence from the policy that acted, gradient norm."""

    policy_loss: float = 0.0
    value_loss: float = 0.0
    belief_loss: float = 0.0
    entropy: float = 0.0
    kl: float = 0.0
    clipped: float = 0.0
    gradient_norm: float = 0.0


@dataclass
class Update:
    """Improves a network by several passes over a batch of trials that it collected.

    With a belief there are two phases, as in phasic policy gradient (Cobbe et al. 2021): first
    the policy's own head learns from the advantages, on memories as they were; then memory,
    belief and value learn from what happened. A policy that is built on a belief would otherwise
    be moved by the belief's learning much further than the clipped ratio bears. Without a belief
    all is learnt at once.

    Attributes:
        network: is changed.
        optimiser: of its parameters.
        trials: whole trials collected by the network as it was.
        wanted: see `targets`.
        table: features of the catalogue, `(items, width)`.
        config: see `PPOConfig`.
        iteration: updates before this one.
        entropy_weight: weight of the entropy now.
        rng: shuffles users.
        synchronise: called after each backward pass, to average gradients over workers.
    """

    network: ActorCritic
    optimiser: torch.optim.Optimizer
    trials: Trials
    wanted: Targets
    table: Tensor
    config: PPOConfig
    iteration: int
    entropy_weight: float
    rng: torch.Generator
    synchronise: Callable[[nn.Module], None]

    def run(self) -> UpdateReport:
        """Run all passes and report their means."""
        for users in filter_lessons(self.network, self.trials, self.iteration, self.rng):
            self._step(users, self._filter_loss)
        if self.config.objective == "trpo":
            policy = [self._trust_region()]
        elif not self.network.builds_on_belief:
            return _mean([self._step(users, self._all_losses) for users in self._minibatches()])
        else:
            known = self.wanted.known
            policy = [
                self._step(users, lambda users: self._policy_loss(known[:, users], users))
                for users in self._minibatches()
            ]
        rest = [self._step(users, self._prediction_loss) for users in self._minibatches()]
        report, predictions = _mean(policy), _mean(rest)
        report.value_loss, report.belief_loss = predictions.value_loss, predictions.belief_loss
        report.gradient_norm = predictions.gradient_norm
        return report

    def _trust_region(self) -> UpdateReport:
        wanted, weights = self.wanted, list(self.network.parameters())
        before = [weight.detach().clone() for weight in weights]
        found = trust_region_phase(
            self.network, self.trials, wanted.advantages, wanted.known, self.table,
            self.config.max_divergence, self.rng,
        )  # fmt: skip
        # Each worker found a step on users of its own: all take the mean.
        for weight, was in zip(weights, before, strict=True):
            weight.grad = weight.detach() - was
        self.synchronise(self.network)
        with torch.no_grad():
            for weight, was in zip(weights, before, strict=True):
                assert weight.grad is not None
                weight.copy_(was + weight.grad)
        return UpdateReport(policy_loss=found["after"], kl=found["divergence"])

    def _minibatches(self) -> Iterator[Tensor]:
        users = self.trials.alive.shape[1]
        for _ in range(self.config.epochs):
            order = torch.randperm(users, generator=self.rng).to(self.trials.alive.device)
            yield from order.chunk(min(self.config.minibatches, users))

    def _step(
        self, users: Tensor, losses: Callable[[Tensor], tuple[Tensor, UpdateReport]]
    ) -> UpdateReport:
        loss, report = losses(users)
        self.optimiser.zero_grad()
        loss.backward()
        self.synchronise(self.network)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_clip)
        self.optimiser.step()
        report.gradient_norm = norm.item()
        return report

    def _known(self, users: Tensor) -> Tensor:
        return self.network.relive(self.trials.inputs[:-1, users])

    def _all_losses(self, users: Tensor) -> tuple[Tensor, UpdateReport]:
        known = self._known(users)
        loss, report = self._policy_loss(known, users)
        value_loss = self._value_loss(known, users)
        report.value_loss = value_loss.item()
        return loss + self.config.value_weight * value_loss, report

    def _policy_loss(self, known: Tensor, users: Tensor) -> tuple[Tensor, UpdateReport]:
        """The clipped surrogate of Schulman et al. 2017, equation 7, less the entropy's weight."""
        trials, clip = self.trials, self.config.clip
        banned = trials.banned(users)
        log_probability, entropy = slate_log_probability(
            self.network.queries(known).flatten(0, 1),
            self.table,
            trials.slates[:, users].flatten(0, 1),
            None if banned is None else banned.flatten(0, 1),
            with_entropy=self.entropy_weight > 0,
        )
        weights = self.trials.weights(users)
        log_ratio = log_probability.view_as(weights) - trials.log_probability[:, users]
        log_ratio = torch.where(weights > 0, log_ratio, torch.zeros_like(log_ratio))
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1 - clip, 1 + clip)
        advantages = self.wanted.advantages[:, users]
        if self.config.objective == "a2c":
            gain = (weights * advantages * log_ratio).sum()
        else:
            gain = (weights * torch.minimum(ratio * advantages, clipped * advantages)).sum()
        mean_entropy = (weights * entropy.view_as(weights)).sum()
        with torch.no_grad():
            kl = (weights * (ratio - 1 - log_ratio)).sum()
            share = (weights * (ratio != clipped)).sum()
        report = UpdateReport(
            policy_loss=-gain.item(),
            entropy=mean_entropy.item(),
            kl=kl.item(),
            clipped=share.item(),
        )
        return -gain - self.entropy_weight * mean_entropy, report

    def _value_loss(self, known: Tensor, users: Tensor) -> Tensor:
        values = self.network.value(known, self.trials.hint[:-1, users])
        errors = (values - self.wanted.returns[:, users]).square()
        loss: Tensor = (self.trials.weights(users) * errors).sum()
        return loss

    def _prediction_loss(self, users: Tensor) -> tuple[Tensor, UpdateReport]:
        if not self.network.builds_on_belief:
            # What moves memory here would move the policy out of its trust region.
            value_loss = self._value_loss(self.wanted.known[:, users], users)
            return self.config.value_weight * value_loss, UpdateReport(value_loss=value_loss.item())
        known = self._known(users)
        value_loss = self._value_loss(known, users)
        belief_loss = mean_loss(self.network, known, self.table, self.trials, users)
        loss = self.config.value_weight * value_loss + self.config.belief_weight * belief_loss
        return loss, UpdateReport(value_loss=value_loss.item(), belief_loss=belief_loss.item())

    def _filter_loss(self, users: Tensor) -> tuple[Tensor, UpdateReport]:
        return filter_loss(self.network, self.table, self.trials, users), UpdateReport()


def _mean(reports: list[UpdateReport]) -> UpdateReport:
    names = [field.name for field in fields(UpdateReport)]
    means = {name: sum(getattr(one, name) for one in reports) / len(reports) for name in names}
    return UpdateReport(**means)
