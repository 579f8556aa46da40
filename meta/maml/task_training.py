"""Meta-training on tasks that can be played again: bandits, navigation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from driftrec.meta.checks import (
    check_counts,
    check_fractions,
    check_names,
    check_not_negative,
    check_positive,
)
from driftrec.meta.maml.episodes import Baseline, Episodes, Tasks, advantages
from driftrec.meta.maml.estimators import ESTIMATORS, Estimator
from driftrec.meta.maml.families import Family
from driftrec.meta.maml.meta_policy import MetaPolicy
from driftrec.meta.maml.objective import Round, meta_objective
from driftrec.meta.maml.policies import Adapted, Weights
from driftrec.meta.schedules import LearningRate, ScheduleName, refuse_adaptive
from driftrec.meta.trust_region import TRPOConfig, trpo_step

Outer = Literal["ppo", "trpo"]

Report = Callable[[int, dict[str, float]], None]
"""Told of each iteration: its number from 1, and the mean return after each inner step."""


@dataclass(frozen=True)
class TaskConfig:
    """How a start is learnt from which inner steps reach the policy of a task."""

    iterations: int = 100
    """Batches of tasks to learn from."""
    tasks: int = 40
    """Tasks in a batch."""
    episodes: int = 20
    """Episodes of each task before each inner step, and after the last."""
    inner_steps: int = 1
    """Inner steps, 1 to 3."""
    inner_rate: float = 0.1
    """Length of an inner step at first."""
    learn_rates: bool = True
    """Learn a rate for each adapted number and inner step (Meta-SGD)."""
    estimator: Estimator = "promp"
    """Of the meta-gradient: fomaml, naive, dice, e-maml or promp."""
    adapted: Adapted = "all"
    """What adapts: all weights, the head, or a context vector."""
    round_weights: tuple[float, ...] = ()
    """Weight of the return after 0, 1, ... inner steps; empty for the last alone."""
    outer: Outer = "ppo"
    """What improves the start."""
    epochs: int = 5
    """Passes of PPO over a batch."""
    clip: float = 0.2
    """PPO clips the probability ratio to 1 plus or minus this."""
    learning_rate: float = 1e-3
    """Adam's step size at the start, under PPO."""
    schedule: ScheduleName = "linear"
    """How the learning rate goes on: constant, linear, inverse-time or cosine."""
    rates_share: float = 1.0
    """Share of the learning rate for the inner rates."""
    trpo: TRPOConfig = field(default_factory=TRPOConfig)
    """The trust region, under TRPO."""
    gamma: float = 0.99
    """Discount."""
    lam: float = 1.0
    """Weight of longer advantage estimates."""
    baseline: Baseline = "linear"
    """Fitted to each task and subtracted from its returns."""
    best_return: float | None = None
    """Mean return of an episode at best, where it is known: each task's inner steps are then in
    proportion to how far it falls short, as in Polyak's step size, since the gradient of a
    distance tells the way and not how far."""
    seed: int = 0
    """Reproduces the run."""

    def __post_init__(self) -> None:
        if not 1 <= self.inner_steps <= 3:
            raise ValueError(f"inner_steps must lie in [1, 3], got {self.inner_steps}")
        if self.estimator not in ESTIMATORS:
            raise ValueError(f"estimator must be one of {ESTIMATORS}, got {self.estimator!r}")
        if len(self.round_weights) not in (0, self.inner_steps + 1):
            raise ValueError(
                f"round_weights must be {self.inner_steps + 1} numbers for {self.inner_steps} "
                f"inner step(s), or none, got {self.round_weights}"
            )
        if not sum(self.weights) > 0:
            raise ValueError(f"round_weights must sum to more than 0, got {self.round_weights}")
        check_names(self, adapted=Adapted, outer=Outer, baseline=Baseline)
        LearningRate(self.schedule, self.learning_rate, self.iterations)
        refuse_adaptive(self.schedule)
        check_counts(self, "iterations", "tasks", "episodes", "epochs")
        check_positive(self, "clip")
        check_not_negative(self, "inner_rate", "rates_share")
        check_fractions(self, "gamma", "lam")

    @property
    def weights(self) -> tuple[float, ...]:
        """Weight of each round in the outer objective."""
        return self.round_weights or (*[0.0] * self.inner_steps, 1.0)


class TaskTraining:
    """A run of meta-training between two iterations.

    Args:
        network: of the policy; is trained in place.
        family: of the actions.
        tasks: to learn from.
        config: see `TaskConfig`.
    """

    def __init__(
        self, network: nn.Module, family: Family, tasks: Tasks, config: TaskConfig
    ) -> None:
        self.config, self.tasks = config, tasks
        self.meta = MetaPolicy(
            network,
            family,
            adapted=config.adapted,
            inner_rate=config.inner_rate,
            learn_rates=config.learn_rates,
            steps=config.inner_steps,
        )
        self.generator = torch.Generator().manual_seed(config.seed)
        self.rng = np.random.default_rng(config.seed)
        rates = list(self.meta.rates.parameters()) if config.learn_rates else []
        self.parameters = [*network.parameters(), *rates]
        groups = [{"params": list(network.parameters()), "share": 1.0}]
        if rates:
            groups.append({"params": rates, "share": config.rates_share})
        self.optimiser = torch.optim.Adam(groups, lr=config.learning_rate, eps=1e-5)
        self.rate = LearningRate(config.schedule, config.learning_rate, config.iterations)
        self.scale, self.shortfall = 0.0, 1.0

    def run(self, report: Report | None = None) -> MetaPolicy:
        """Train for all iterations."""
        for iteration in range(self.config.iterations):
            metrics = self.iterate(iteration)
            if report is not None:
                report(iteration + 1, metrics)
        return self.meta

    def iterate(self, iteration: int) -> dict[str, float]:
        """Play a batch of tasks, adapting, and improve the start."""
        config = self.config
        played = self.play(self.tasks.sample(config.tasks, self.rng), learn=True)
        values = [self._advantages(episodes) for episodes in played]
        rounds = [
            self._round(number, episodes, value)
            for number, (episodes, value) in enumerate(zip(played, values, strict=True))
        ]
        self._improve(rounds, iteration)
        return {f"after_{n}": float(one.returns().mean()) for n, one in enumerate(played)}

    def play(self, tasks: Any, *, learn: bool = False, steps: int | None = None) -> list[Episodes]:
        """Episodes before and after each inner step.

        Args:
            tasks: descriptions.
            learn: take the unit of advantages from these tasks; else it stays as it was in
                training, so that a task is adapted to in the same way alone and among others.
            steps: inner steps; those of the config by default.
        """
        steps = self.config.inner_steps if steps is None else steps
        count = len(tasks)
        fast: Weights = {name: one.detach() for name, one in self.meta.start(count).items()}
        played: list[Episodes] = []
        for number in range(steps + 1):
            played.append(self.tasks.play(tasks, self.config.episodes, self._actor(fast)))
            value = self._advantages(played[-1])
            if learn and number == 0:
                self._measure(value, played[-1])
            if number < steps:
                inner, how = self._inner(value, played[-1]), self.config.estimator
                with torch.no_grad():
                    fast = self.meta.step(fast, played[-1], inner, how, number)
        return played

    def _round(self, number: int, episodes: Episodes, value: Tensor) -> Round:
        """What the outer objective needs of a round, advantages in units of their spread."""
        unit = _spread(value, episodes.alive)
        return Round(
            episodes, self._inner(value, episodes), value / unit, self.config.weights[number], unit
        )

    def _advantages(self, episodes: Episodes) -> Tensor:
        return advantages(episodes, self.config.gamma, self.config.lam, self.config.baseline)

    def _measure(self, value: Tensor, episodes: Episodes) -> None:
        """Follow the spread of advantages before adaptation, the unit of all inner steps.

        Where little is left to gain, steps are short.
        """
        spread = _spread(value, episodes.alive)
        self.scale = 0.9 * self.scale + 0.1 * spread if self.scale else spread
        if self.config.best_return is not None:
            short = self.config.best_return - float(episodes.returns().mean())
            self.shortfall = max(short, 1e-6)

    def _inner(self, value: Tensor, episodes: Episodes) -> Tensor:
        """Advantages for the inner step."""
        inner = value / self.scale
        if self.config.best_return is None:
            return inner
        short = (self.config.best_return - episodes.returns()) / self.shortfall
        return inner * short[:, None, None]

    def _actor(self, fast: Weights) -> Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]:
        @torch.no_grad()
        def act(inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            outputs = self.meta.outputs(fast, inputs)
            actions = self.meta.family.sample(outputs, self.generator)
            return actions, self.meta.family.log_probability(outputs, actions), outputs

        return act

    def _improve(self, rounds: Sequence[Round], iteration: int) -> None:
        config = self.config

        def measure(clip: float | None) -> tuple[Tensor, Tensor]:
            found = meta_objective(self.meta, rounds, config.estimator, clip)
            return found.loss, found.divergence

        if config.outer == "trpo":
            trpo_step(self.parameters, lambda: measure(None), config.trpo)
            return
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate.at(iteration) * group["share"]
        for _ in range(config.epochs):
            self.optimiser.zero_grad()
            measure(config.clip)[0].backward()
            nn.utils.clip_grad_norm_(self.parameters, 1.0)
            self.optimiser.step()


def _spread(advantages: Tensor, alive: Tensor) -> float:
    """Root mean square of advantages over all tasks."""
    return max(float(advantages[alive].square().mean().sqrt()), 1e-6)
