"""The outer objective: what the policy earns after its inner steps, as a surrogate to ascend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from driftrec.meta.maml.episodes import Episodes
from driftrec.meta.maml.estimators import Estimator
from driftrec.meta.maml.meta_policy import MetaPolicy


@dataclass
class Round:
    """The episodes played between two inner steps.

    Attributes:
        episodes: under the weights of this round.
        inner: advantages for the inner step that follows, `(tasks, episodes, steps)`.
        outer: advantages for the outer objective, in units of `unit`.
        weight: of this round in the outer objective.
        unit: spread of the advantages over all tasks.
    """

    episodes: Episodes
    inner: Tensor
    outer: Tensor
    weight: float = 1.0
    unit: float = 1.0


@dataclass
class Objective:
    """Loss, and the divergence from the policies that acted: of each step, and in the mean."""

    loss: Tensor
    divergence: Tensor


def meta_objective(
    meta: MetaPolicy,
    rounds: Sequence[Round],
    estimator: Estimator,
    clip: float | None = 0.2,
) -> Objective:
    """The surrogate of all rounds that count, under weights adapted anew from the start.

    A round's episodes judge the weights that earlier rounds' episodes led to: no round is judged
    by the data it adapts to.

    Args:
        meta: the start and the inner step; the loss can be differentiated to its parameters.
        rounds: in order, each after one more inner step.
        estimator: of the inner step's derivative.
        clip: the ratio is clipped to 1 plus or minus this (Schulman et al. 2017, equation 7), or
            not at all.
    """
    fast = meta.start(len(rounds[0].episodes.rewards))
    loss, divergence = torch.zeros(()), torch.zeros(())
    total = sum(one.weight for one in rounds)
    for number, one in enumerate(rounds):
        outputs = meta.outputs(fast, one.episodes.inputs)
        mean = one.episodes.alive / one.episodes.alive.sum()
        log_probability = meta.family.log_probability(outputs, one.episodes.actions)
        share = one.weight / total
        loss = loss - share * (mean * gain(log_probability, one, one.outer, clip)).sum()
        moved = meta.family.divergence(one.episodes.outputs, outputs)
        divergence = divergence + share * (mean * moved).sum()
        later = rounds[number + 1 :]
        if estimator == "e-maml" and later:
            credit = exploration_credit(later, total)
            scores = gain(log_probability, one, credit[:, None, None], clip)
            loss = loss - (scores * one.episodes.alive).sum((1, 2)).mean()
        if later:
            fast = meta.step(fast, one.episodes, one.inner, estimator, number)
    return Objective(loss, divergence)


def gain(log_probability: Tensor, one: Round, advantages: Tensor, clip: float | None) -> Tensor:
    """The likelihood ratio times the advantage, clipped; its gradient at the start is the score."""
    ratio = torch.exp((log_probability - one.episodes.log_probability) * one.episodes.alive)
    if clip is None:
        return ratio * advantages
    return torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


def exploration_credit(later: Sequence[Round], total: float) -> Tensor:
    """What earlier data led to, against the mean of the other tasks, `(tasks,)`.

    Per step, as the means over steps in the rest of the objective are.
    """
    credit = torch.zeros(len(later[0].episodes.rewards))
    for one in later:
        earned = one.episodes.returns()
        length = one.episodes.alive.sum(2).double().mean().to(earned.dtype)
        count = len(earned)
        others = (earned.sum() - earned) / max(count - 1, 1)
        credit = credit + one.weight / total * (earned - others) / (length * one.unit)
    return credit
