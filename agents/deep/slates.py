"""The distribution of a slate drawn item by item."""

from __future__ import annotations

import torch
from torch import Tensor

BANNED = 1e4
"""What an item that may not be shown loses: more than any logit, so that it comes after others."""


class SlateDistribution:
    """Plackett-Luce: items are drawn by softmax of their logits, without replacement.

    Of one item it is the categorical distribution. It has what policies of Stable-Baselines3 ask of
    a distribution; the other methods of their abstract class make networks, which it does not.

    Args:
        logits: `(users, items)`.
        slate: items in a request.
    """

    def __init__(self, logits: Tensor, slate: int) -> None:
        self.logits = logits
        self.slate = slate

    def log_prob(self, actions: Tensor) -> Tensor:
        """Log-probability of slates in their order, `(users,)`."""
        slates = actions.long().reshape(len(self.logits), self.slate)
        logits, total = self.logits, torch.zeros_like(self.logits[:, 0])
        for slot in range(self.slate):
            item = slates[:, slot : slot + 1]
            total = total + logits.log_softmax(1).gather(1, item)[:, 0]
            if slot + 1 < self.slate:
                # Beyond what may not be shown: it is gone.
                logits = logits.scatter(1, item, -torch.inf)
        return total

    def entropy(self) -> Tensor | None:
        """Of one item, `(users,)`; of more there is no short formula, and agents estimate it."""
        if self.slate > 1:
            return None
        logarithm = self.logits.log_softmax(1)
        return -(logarithm.exp() * logarithm).sum(1)

    def get_actions(self, deterministic: bool = False) -> Tensor:
        """The best slates or draws: item numbers `(users, slate)`, `(users,)` of one item."""
        return self.mode() if deterministic else self.sample()

    def sample(self) -> Tensor:
        """Draws: the largest of logits with Gumbel noise (Kool et al. 2019)."""
        noise = -torch.empty_like(self.logits).exponential_().log()
        return self._best(self.logits + noise)

    def mode(self) -> Tensor:
        """The items of highest logits, best first."""
        return self._best(self.logits)

    def _best(self, scores: Tensor) -> Tensor:
        best = scores.topk(self.slate, dim=1).indices
        return best[:, 0] if self.slate == 1 else best
