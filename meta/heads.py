"""What a network says of items: queries, beliefs; and of a trial: values."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from driftrec.meta.trunk import Trunk

HeadName = Literal["linear", "hypernetwork"]

RANK = 4
"""Of the matrices that a hypernetwork makes."""

HINTS = 3
"""Numbers about the hidden state that the critic reads; see `driftrec.meta.rollout.Trials`."""


def _linear(inputs: int, outputs: int, gain: float) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


class QueryHead(nn.Module):
    """A vector over item features, whose product with an item's is its score.

    A catalogue that was not there in training can be scored. The head is linear in what is known,
    or a hypernetwork: the memory makes the weights of a linear map, of low rank, from the situation
    (all that is known but the memory) to the query (Beck et al. 2022, "Hypernetworks in
    meta-reinforcement learning").

    Args:
        trunk: gives what is known.
        kind: "linear" or "hypernetwork".

    Raises:
        ValueError: if the kind is another.
    """

    def __init__(self, trunk: Trunk, kind: str = "linear") -> None:
        super().__init__()
        if kind not in ("linear", "hypernetwork"):
            raise ValueError(f"head must be linear or hypernetwork, got {kind!r}")
        width, hidden = trunk.shape.width, trunk.shape.hidden
        self.hidden = hidden
        self.own = _linear(trunk.known, width, 0.01)
        self.makes: nn.ModuleList | None = None
        if kind == "hypernetwork":
            situation = trunk.known - hidden
            self.makes = nn.ModuleList(
                [_linear(hidden, RANK * width, 0.01), _linear(hidden, RANK * situation, 1.0)]
            )

    def forward(self, known: Tensor) -> Tensor:
        """Queries over scaled features, `(..., width)`."""
        query: Tensor = self.own(known)
        if self.makes is not None:
            memory, situation = known[..., : self.hidden], known[..., self.hidden :]
            out, into = (make(memory).unflatten(-1, (RANK, -1)) for make in self.makes)
            read = (into * situation[..., None, :]).sum(-1) / situation.shape[-1] ** 0.5
            query = query + (out * read[..., None]).sum(-2)
        return query


class TowerHead(nn.Module):
    """Scores that need not be linear in item features: a product of two towers.

    One reads what is known of a user, the other an item's features, so that a catalogue that was
    not there in training can be scored. Which item is best is seldom linear in features: of items
    on a line those at the ends can be best, and those between them cannot.

    Args:
        trunk: gives what is known.
        units: of the product.
    """

    def __init__(self, trunk: Trunk, units: int) -> None:
        super().__init__()
        self.user = _linear(trunk.known, units, 0.01)
        first = _linear(trunk.shape.width, units, 1.0)
        self.item = nn.Sequential(first, nn.SiLU(), _linear(units, units, 1.0))

    def forward(self, known: Tensor, items: Tensor) -> Tensor:
        """Scores `(..., items)` of items of scaled features `(items, width)`."""
        scores: Tensor = self.user(known) @ self.item(items).mT
        return scores


class BeliefHead(nn.Module):
    """A Gaussian belief about the logit of a click on every item (or the mean of other feedback).

    The mean is linear in an item's features: the filter's mean where there is a filter, plus what
    the memory adds. The variance is that of the filter, times a factor, plus what no feedback
    tells; without a filter it is a sum over squared features.

    Args:
        trunk: gives what is known.
    """

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        width = trunk.shape.width
        self.filtered = trunk.shape.filter
        self.mean = _linear(trunk.known, width + 1, 0.01)
        self.log_variance = _linear(trunk.known, 2 if self.filtered else width + 1, 0.01)
        with torch.no_grad():
            self.log_variance.bias.fill_(-2.0)
            if self.filtered:
                self.log_variance.bias[0] = 0.0
            elif trunk.shape.clicks:
                self.mean.bias[width - 1] = 1 / trunk.scale[-1]

    def means(self, trunk: Trunk, known: Tensor) -> Tensor:
        """Mean weights of scaled features and the constant, `(..., width + 1)`."""
        mean: Tensor = self.mean(known)
        return mean + trunk.filter_mean(known) if self.filtered else mean

    def variances(self, known: Tensor, items: Tensor, filtered: Tensor) -> Tensor:
        """Variance of the belief about items.

        Args:
            known: `(..., known)`.
            items: scaled features and a 1, `(..., items, width + 1)`.
            filtered: the filter's variance of each, `(..., items)`; not read without a filter.

        Returns:
            Shape `(..., items)`.
        """
        log_variance = self.log_variance(known)
        if self.filtered:
            factor, rest = log_variance.exp().split(1, -1)
            whole: Tensor = factor * filtered + rest
            return whole
        squares: Tensor = (items.square() @ log_variance.exp()[..., None])[..., 0]
        return squares


class ValueHead(nn.Module):
    """Value of the rest of the trial, in units of the learner's return scale.

    Args:
        trunk: gives what is known.
        privileged: whether it reads the hint, which training alone knows of the user's hidden
            state: the critic may, since it does not act (asymmetric actor-critic: Pinto et al.
            2018).
    """

    def __init__(self, trunk: Trunk, privileged: bool = True) -> None:
        super().__init__()
        self.privileged = privileged
        hidden = trunk.shape.hidden
        first = _linear(trunk.known + HINTS * privileged, hidden, 1.0)
        self.value = nn.Sequential(first, nn.SiLU(), _linear(hidden, 1, 1.0))

    def forward(self, known: Tensor, hint: Tensor) -> Tensor:
        """Values, `(...)`, of what is known `(..., known)` and the hint `(..., HINTS)`."""
        value: Tensor = self.value(torch.cat([known, hint], -1) if self.privileged else known)
        return value[..., 0]
