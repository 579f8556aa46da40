"""The distribution of a slate drawn item by item."""

from __future__ import annotations

from typing import Any, Self

import torch
from stable_baselines3.common.distributions import Distribution
from torch import Tensor, nn

BANNED = 1e4
"""What an item that may not be shown loses: more than any logit, so that it comes after others."""


class SlateDistribution(Distribution):
    """Plackett-Luce: items are drawn by softmax of their logits, without replacement.

    Of one item it is the categorical distribution.

    Args:
        logits: `(users, items)`.
        slate: items in a request.
    """

    def __init__(self, logits: Tensor, slate: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # it has no annotations
        self.logits = logits
        self.slate = slate

    def proba_distribution_net(self, *args: Any, **kwargs: Any) -> nn.Module:
        """Not there: logits come from item features.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("the logits of slates come from a query over item features")

    def proba_distribution(self, *args: Any, **kwargs: Any) -> Self:
        """This one."""
        return self

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-probability of slates in their order, `(users,)`."""
        slates = x.long().reshape(len(self.logits), self.slate)
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

    def actions_from_params(self, *args: Any, **kwargs: Any) -> Tensor:
        """Not there, as `proba_distribution_net`."""
        return self.proba_distribution_net()  # type: ignore[return-value]  # raises

    def log_prob_from_params(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Not there, as `proba_distribution_net`."""
        return self.proba_distribution_net()  # type: ignore[return-value]  # raises
