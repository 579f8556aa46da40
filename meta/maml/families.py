"""What a policy's outputs say about actions: log-probability, draws and divergence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from driftrec.meta.plackett_luce import sample_slate

_LOG_ROOT_TAU = 0.9189385332046727


class Family(Protocol):
    """A family of action distributions, indexed by the outputs of a network.

    All can be differentiated twice and mapped over by `torch.func.vmap`, but for `sample`.
    """

    def log_probability(self, outputs: Tensor, actions: Tensor) -> Tensor:
        """Log-probability of actions, `(...)`, from outputs `(..., outputs)`."""
        ...

    def sample(self, outputs: Tensor, generator: torch.Generator) -> Tensor:
        """Draw an action for each row of outputs."""
        ...

    def best(self, outputs: Tensor) -> Tensor:
        """The most probable action for each row of outputs."""
        ...

    def divergence(self, outputs: Tensor, others: Tensor) -> Tensor:
        """Kullback-Leibler divergence KL(outputs || others), `(...)`."""
        ...


@dataclass(frozen=True)
class Categorical:
    """One of a few actions; outputs are logits."""

    def log_probability(self, outputs: Tensor, actions: Tensor) -> Tensor:
        """Actions are numbers, `(...)`."""
        return outputs.log_softmax(-1).gather(-1, actions[..., None])[..., 0]

    def sample(self, outputs: Tensor, generator: torch.Generator) -> Tensor:
        """Numbers of actions, `(...)`."""
        flat = outputs.reshape(-1, outputs.shape[-1])
        return sample_slate(flat, 1, generator)[:, 0].view(outputs.shape[:-1])

    def best(self, outputs: Tensor) -> Tensor:
        """The largest logit's number, `(...)`."""
        return outputs.argmax(-1)

    def divergence(self, outputs: Tensor, others: Tensor) -> Tensor:
        """Sum over actions of p log(p / q)."""
        ours = outputs.log_softmax(-1)
        return (ours.exp() * (ours - others.log_softmax(-1))).sum(-1)


@dataclass(frozen=True)
class Gaussian:
    """Real actions, independent of one another; outputs are means, then log standard deviations."""

    def log_probability(self, outputs: Tensor, actions: Tensor) -> Tensor:
        """Actions are `(..., dimensions)`."""
        mean, log_sd = outputs.chunk(2, -1)
        error = (actions - mean) * torch.exp(-log_sd)
        return (-0.5 * error.square() - log_sd - _LOG_ROOT_TAU).sum(-1)

    def sample(self, outputs: Tensor, generator: torch.Generator) -> Tensor:
        """Mean plus noise, `(..., dimensions)`."""
        mean, log_sd = outputs.chunk(2, -1)
        return mean + log_sd.exp() * torch.randn(mean.shape, generator=generator, dtype=mean.dtype)

    def best(self, outputs: Tensor) -> Tensor:
        """The mean."""
        return outputs.chunk(2, -1)[0]

    def divergence(self, outputs: Tensor, others: Tensor) -> Tensor:
        """Closed form, summed over dimensions."""
        mean, log_sd = outputs.chunk(2, -1)
        other_mean, other_log_sd = others.chunk(2, -1)
        precision = torch.exp(-2 * other_log_sd)
        spread = (torch.exp(2 * log_sd) + (mean - other_mean).square()) * precision
        return (other_log_sd - log_sd + 0.5 * spread - 0.5).sum(-1)


@dataclass(frozen=True, eq=False)
class PlackettLuce:
    """Slates over a catalogue; outputs are a query, whose product with an item is its score.

    `driftrec.meta.plackett_luce` has a faster log-probability, but no second derivative of it.

    Attributes:
        table: features of the items, quality among them, `(items, width)`.
        slate: items in a request.
    """

    table: Tensor
    slate: int = 1

    def log_probability(self, outputs: Tensor, actions: Tensor) -> Tensor:
        """Actions are item numbers in the order drawn, `(..., slate)`."""
        scores = outputs @ self.table.T
        chosen = scores.gather(-1, actions)
        drawn = (actions[..., None] == torch.arange(len(self.table))).to(torch.int8)
        before = drawn.cumsum(-2) > drawn
        left = scores[..., None, :].masked_fill(before, -torch.inf)
        return (chosen - left.logsumexp(-1)).sum(-1)

    def sample(self, outputs: Tensor, generator: torch.Generator) -> Tensor:
        """Item numbers, `(..., slate)`."""
        scores = outputs.reshape(-1, outputs.shape[-1]) @ self.table.T
        return sample_slate(scores, self.slate, generator).view(*outputs.shape[:-1], self.slate)

    def best(self, outputs: Tensor) -> Tensor:
        """The items of the highest scores, best first, `(..., slate)`."""
        return (outputs @ self.table.T).topk(self.slate, dim=-1).indices

    def divergence(self, outputs: Tensor, others: Tensor) -> Tensor:
        """That of the first draw, which is all where the slate is one item."""
        return Categorical().divergence(outputs @ self.table.T, others @ self.table.T)
