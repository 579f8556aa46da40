"""Episodes of a batch of tasks, and what their steps were worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from driftrec.meta.gae import generalised_advantages

Baseline = Literal["linear", "mean", "none"]
"""What is subtracted from returns, fitted to each task alone: a linear function of inputs and time
(Duan et al. 2016, section 4), the mean return from that step on, or nothing."""

Actor = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]
"""From inputs `(tasks, episodes, inputs)` to actions, their log-probability and the outputs."""


@dataclass
class Episodes:
    """Episodes of several tasks under one policy a task; axes are task, episode, step.

    Attributes:
        inputs: what the policy read, `(tasks, episodes, steps, inputs)`.
        actions: what it did.
        log_probability: of that, when it was drawn, `(tasks, episodes, steps)`.
        outputs: of the network then, `(tasks, episodes, steps, outputs)`.
        rewards: `(tasks, episodes, steps)`, that of the step which ends an episode too.
        alive: whether the step took place, `(tasks, episodes, steps)`; true, then false.
    """

    inputs: Tensor
    actions: Tensor
    log_probability: Tensor
    outputs: Tensor
    rewards: Tensor
    alive: Tensor

    def returns(self) -> Tensor:
        """Mean sum of rewards of an episode, `(tasks,)`."""
        return (self.rewards * self.alive).sum(2).mean(1)


class Tasks(Protocol):
    """A distribution over tasks that can be played several times."""

    def sample(self, tasks: int, rng: np.random.Generator) -> Any:
        """Descriptions of tasks."""
        ...

    def play(self, tasks: Any, episodes: int, actor: Actor) -> Episodes:
        """Play episodes of each task."""
        ...


def advantages(
    episodes: Episodes, gamma: float, lam: float, baseline: Baseline = "linear"
) -> Tensor:
    """Generalised advantages of every step, `(tasks, episodes, steps)`; 0 where there was none.

    They are in units of the reward: to divide by the spread of each task's own would make tasks
    of which nothing is to be learnt as loud as the others.

    Args:
        episodes: of several tasks.
        gamma: discount.
        lam: weight of longer estimates.
        baseline: see `Baseline`.
    """
    tasks, count, steps = episodes.rewards.shape
    nothing = torch.zeros_like(episodes.rewards)
    to_go = _estimates(episodes, nothing, gamma, 1.0)
    if baseline == "none":
        return to_go
    if baseline == "mean":
        alive = episodes.alive.sum(1, keepdim=True).clamp(min=1)
        return _estimates(
            episodes, (to_go.sum(1, keepdim=True) / alive).expand_as(to_go), gamma, lam
        )
    features = _features(episodes).view(tasks, count * steps, -1)
    weight = episodes.alive.reshape(tasks, -1, 1).to(features.dtype)
    normal = features.mT @ (features * weight)
    ridge = 1e-4 * torch.eye(features.shape[-1], dtype=features.dtype)
    moment = features.mT @ (weight * to_go.reshape(tasks, -1, 1))
    values = features @ torch.linalg.solve(normal + ridge, moment)
    return _estimates(episodes, values.view_as(to_go), gamma, lam)


def _features(episodes: Episodes) -> Tensor:
    """Inputs, their squares, powers of time, and one."""
    inputs = episodes.inputs
    time = torch.arange(inputs.shape[2], dtype=inputs.dtype) / 100
    powers = torch.stack([torch.ones_like(time), time, time**2, time**3], -1)
    return torch.cat([inputs, inputs.square(), powers.expand(*inputs.shape[:2], -1, -1)], -1)


def _estimates(episodes: Episodes, values: Tensor, gamma: float, lam: float) -> Tensor:
    def by_step(tensor: Tensor) -> Tensor:
        return tensor.flatten(0, 1).T

    rewards = by_step(episodes.rewards)
    found = generalised_advantages(
        rewards,
        by_step(values),
        by_step(episodes.alive),
        torch.zeros_like(rewards[0]),
        torch.full_like(rewards, gamma),
        lam,
    )
    return found.T.reshape(episodes.rewards.shape)
