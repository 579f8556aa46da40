"""Generalised advantage estimation over whole trials."""

from __future__ import annotations

import torch
from torch import Tensor


def generalised_advantages(
    rewards: Tensor, values: Tensor, alive: Tensor, bootstrap: Tensor, discounts: Tensor, lam: float
) -> Tensor:
    r"""Advantages of every request of a batch of trials.

    A_t = delta_t + g_t lam A_{t+1}, delta_t = r_t + g_t V_{t+1} - V_t, up to the end of the trial.
    With a constant discount g_t this is equation 16 of Schulman et al. 2016.

    Args:
        rewards: `(requests, users)`.
        values: V of the observation before each request, `(requests, users)`.
        alive: whether the request took place, booleans `(requests, users)`; true, then false.
        bootstrap: value of what follows each user's last request, `(users,)`: 0 after churn, V of
            the last observation after a truncation that cuts a longer story.
        discounts: g_t, what follows each request is worth, `(requests, users)`.
        lam: weight of longer estimates.

    Returns:
        Advantages, `(requests, users)`, 0 where the request did not take place.
    """
    advantages = torch.zeros_like(rewards)
    following, advantage = bootstrap, torch.zeros_like(bootstrap)
    for request in reversed(range(len(rewards))):
        discount = discounts[request]
        delta = rewards[request] + discount * following - values[request]
        now = alive[request]
        advantage = torch.where(
            now, delta + discount * lam * advantage, torch.zeros_like(advantage)
        )
        advantages[request] = advantage
        following = torch.where(now, values[request], bootstrap)
    return advantages
