"""Trust-region updates of RL²'s policy (Schulman et al. 2015), in place of the clipped ratio."""

from __future__ import annotations

import torch
from torch import Tensor

from driftrec.meta.network import ActorCritic
from driftrec.meta.rollout import Trials
from driftrec.meta.trust_region import TRPOConfig, trpo_step

TRUST_USERS = 128
"""Users whose trials the step is found on: curvature over a whole catalogue is wide."""


def trust_region_phase(
    network: ActorCritic,
    trials: Trials,
    advantages: Tensor,
    known: Tensor,
    table: Tensor,
    max_divergence: float,
    rng: torch.Generator,
) -> dict[str, float]:
    """Move the policy by one step, as far as the divergence allows.

    A policy that is built on a belief moves its own head and sharpness, on memories as they were;
    else memory moves too. The divergence is that of a slate's first draw.

    Args:
        network: is changed.
        trials: collected by the network as it was.
        advantages: of each request, `(T, users)`.
        known: what the network knew before each request, `(T, users, known)`.
        table: features of the catalogue, `(items, width)`.
        max_divergence: mean over requests that the step may reach, in nats.
        rng: draws the users that the step is found on.

    Returns:
        What `driftrec.meta.trust_region.trpo_step` returns.
    """
    users = torch.randperm(known.shape[1], generator=rng)[:TRUST_USERS]
    weights, gains = trials.weights(users), advantages[:, users]
    banned, slates, known = trials.banned(users), trials.slates[:, users], known[:, users]
    inputs = trials.inputs[:-1, users]
    parameters = network.policy_parameters()

    def log_odds() -> Tensor:
        now = known if network.builds_on_belief else network.relive(inputs)
        logits = network.queries(now) @ table.T
        return logits if banned is None else logits.masked_fill(banned, -torch.inf)

    with torch.no_grad():
        before = log_odds().log_softmax(-1)
        slate_before = slate_log_probability(before, slates)
    likely = before > -torch.inf

    def measure() -> tuple[Tensor, Tensor]:
        logits = log_odds()
        ratio = (slate_log_probability(logits, slates) - slate_before).exp()
        gap = torch.where(likely, before - logits.log_softmax(-1), 0.0)
        divergence = (weights * (before.exp() * gap).sum(-1)).sum()
        return -(weights * ratio * gains).sum(), divergence

    return trpo_step(parameters, measure, TRPOConfig(max_divergence=max_divergence))


def slate_log_probability(logits: Tensor, slates: Tensor) -> Tensor:
    """Log-probability of Plackett-Luce draws, with derivatives of every order.

    Args:
        logits: `(..., items)`; minus infinity for what could not be drawn.
        slates: item numbers in the order drawn, `(..., slate)`.
    """
    total = torch.zeros_like(logits[..., 0])
    for slot in range(slates.shape[-1]):
        item = slates[..., slot, None]
        total = total + logits.log_softmax(-1).gather(-1, item)[..., 0]
        logits = logits.scatter(-1, item, -torch.inf)
    return total
