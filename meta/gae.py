"""Generalised advantage estimation over whole trials."""

from __future__ import annotations

import torch
from torch import Tensor


def generalised_advantages(
    rewards: Tensor, values: Tensor, alive: Tensor, bootstrap: Tensor, gamma: float, lam: float
) -> Tensor:
    r"""Advantages of every request of a batch of trials.

    A_t = sum_l (gamma lam)^l delta_{t+l}, delta_t = r_t + gamma V_{t+1} - V_t (Schulman et al.
    2016, equation 16), where the sum ends with the trial.

    Args:
        rewards: `(requests, users)`.
        values: V of the observation before each request, `(requests, users)`.
        alive: whether the request took place, booleans `(requests, users)`; true, then false.
        bootstrap: value of what follows each user's last request, `(users,)`: 0 after churn, V of
            the last observation after a truncation that cuts a longer story.
        gamma: discount.
        lam: weight of longer estimates.

    Returns:
        Advantages, `(requests, users)`, 0 where the request did not take place.
    """
    advantages = torch.zeros_like(rewards)
    following, advantage = bootstrap, torch.zeros_like(bootstrap)
    for request in reversed(range(len(rewards))):
        delta = rewards[request] + gamma * following - values[request]
        now = alive[request]
        advantage = torch.where(now, delta + gamma * lam * advantage, torch.zeros_like(advantage))
        advantages[request] = advantage
        following = torch.where(now, values[request], bootstrap)
    return advantages
