"""Features of items on which users' clicks are linear, learned from many users at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from driftrec.agents.recommenders.ratings import impressions
from driftrec.agents.recommenders.training_log import TrainingLog
from driftrec.envs.arrays import Array


@dataclass(frozen=True, eq=False)
class ItemNetwork:
    """A multilayer perceptron of item inputs, tanh after every layer, as arrays.

    Attributes:
        weights: of each layer, `(in, out)`.
        biases: of each layer, `(out,)`.
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]

    def __call__(self, inputs: Array) -> Array:
        """The last layer, `(items, H)`, of inputs `(items, D)`."""
        hidden = inputs
        for weight, bias in zip(self.weights, self.biases, strict=True):
            hidden = np.tanh(hidden @ weight + bias)
        return hidden


def fit_network(
    log: TrainingLog,
    inputs: Array,
    *,
    hidden: tuple[int, ...],
    steps: int,
    seed: int,
    ridge: float = 0.02,
    learning_rate: float = 3e-3,
    batch: int = 4096,
) -> ItemNetwork:
    """Train a network whose last layer each training user weighs in an own way.

    Minimises the mean squared error of clicks with a weight vector for each user, kept short by a
    ridge, beside the network they share (Perrone et al. 2018, "Scalable hyperparameter transfer
    learning", section 3, with weights found by gradient instead of integrated out).

    Args:
        log: clicks of training users.
        inputs: of each item, `(items, D)`.
        hidden: sizes of the layers.
        steps: of the optimiser.
        seed: of weights and of the order of clicks.
        ridge: of users' weights about their mean, per click.
        learning_rate: of Adam (Kingma and Ba 2015).
        batch: clicks a step, drawn with replacement.
    """
    import torch

    users, items, clicks = map(torch.as_tensor, impressions(log))
    table = torch.as_tensor(inputs)
    generator = torch.Generator().manual_seed(seed)
    layers, head, own = _parameters(torch, inputs.shape[1], hidden, len(log.items), generator)
    dense = [*(p for layer in layers for p in layer), head]
    optimiser = torch.optim.Adam([*dense, own], lr=learning_rate)
    for _ in range(steps):
        rows = torch.randint(len(clicks), (batch,), generator=generator)
        known = table
        for weight, bias in layers:
            known = torch.tanh(known @ weight + bias)
        mine = own[users[rows]]
        guess = ((head + mine) * _with_one(torch, known)[items[rows].long()]).sum(1)
        loss = (guess - clicks[rows]).square().mean() + ridge * mine.square().sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    arrays = [[p.detach().numpy().copy() for p in layer] for layer in layers]
    return ItemNetwork(tuple(w for w, _ in arrays), tuple(b for _, b in arrays))


def _with_one(torch: Any, known: Any) -> Any:
    return torch.cat([known, torch.ones_like(known[:, :1])], dim=1)


def _parameters(
    torch: Any, size: int, hidden: tuple[int, ...], users: int, generator: Any
) -> tuple[list[Any], Any, Any]:
    """Layers, the mean of users' weights, and their differences from it."""
    layers = []
    for width in hidden:
        weight = torch.randn(size, width, generator=generator) / size**0.5
        layers.append((weight.requires_grad_(), torch.zeros(width).requires_grad_()))
        size = width
    head = torch.zeros(size + 1).requires_grad_()
    own = 0.01 * torch.randn(users, size + 1, generator=generator)
    return layers, head, own.requires_grad_()
