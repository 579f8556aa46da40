"""A recurrent recommender of sessions, after GRU4Rec, trained on clicks and skips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from driftrec.agents.recommenders.scoring import News
from driftrec.agents.recommenders.training_log import TrainingLog
from driftrec.envs.arrays import Array


class Network(nn.Module):
    """Item numbers and answers in, click logits of every item out, by gated recurrent units.

    GRU4Rec (Hidasi et al. 2016) with an embedding of each item for a click and another for a skip,
    each the sum of one of its own and a linear map of its features (as in Hidasi et al. 2016,
    "Parallel recurrent neural network architectures"), and with the binary cross-entropy of what
    was shown in place of a ranking loss: the log says what was skipped, so that negatives need not
    be sampled.

    Args:
        table: features of the items, `(items, features)`.
        popularity: log-odds of a click by anybody, with which the items' biases begin.
        width: of embeddings and units.
    """

    table: Tensor

    def __init__(self, table: Tensor, popularity: Tensor, width: int) -> None:
        super().__init__()
        items, features = table.shape
        self.register_buffer("table", table, persistent=False)
        self.embedding = nn.Parameter(torch.zeros(2, items, width))
        self.mapping = nn.Parameter(torch.randn(2, features, width) / features**0.5)
        self.recurrent = nn.GRU(width, width, batch_first=True)
        self.output = nn.Parameter(torch.zeros(items, width))
        self.output_mapping = nn.Parameter(torch.randn(features, width) / features**0.5)
        self.bias = nn.Parameter(popularity.clone())

    def inputs(self, items: Tensor, feedback: Tensor) -> Tensor:
        """Sum over the slate of what came of each item: `(..., slate)` to `(..., width)`."""
        embedded = self.embedding + self.table @ self.mapping
        clicked = (feedback > 0).long() * len(self.table)
        return embedded.flatten(0, 1)[items + clicked].sum(-2)

    def outputs(self) -> Tensor:
        """What the units are multiplied with for each item's logit, `(items, width)`."""
        return self.output + self.table @ self.output_mapping

    def forward(self, items: Tensor, feedback: Tensor) -> Tensor:
        """Logits of each item shown, from what was shown before, all `(users, requests, slate)`."""
        hidden, _ = self.recurrent(self.inputs(items[:, :-1], feedback[:, :-1]))
        hidden = nn.functional.pad(hidden, (0, 0, 1, 0))
        return (self.outputs()[items] @ hidden.unsqueeze(-1)).squeeze(-1) + self.bias[items]


def fit(
    log: TrainingLog,
    table: Array,
    popularity: Array,
    *,
    width: int,
    epochs: int,
    batch: int,
    rate: float,
    decay: float,
    seed: int,
) -> dict[str, Array]:
    """Weights by name, those of the epoch of least loss on a tenth of the users, held out.

    Args:
        log: of at least two users.
        table: features of the items, `(items, features)`.
        popularity: log-odds of a click by anybody, `(items,)`.
        width: of embeddings and units.
        epochs: passes over the other users.
        batch: users in a gradient step.
        rate: of learning by AdamW, falling to 0 as half a cosine.
        decay: of the items' own embeddings, which few users tell of.
        seed: of the first weights and the order of users.
    """
    held_out = max(1, len(log.items) // 10)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(_tensor(table), _tensor(popularity), width)
        whole = [torch.from_numpy(a) for a in (log.items.astype(np.int64), log.feedback)]
        whole.append(torch.from_numpy(log.active))
        steps = epochs * -(-(len(log.items) - held_out) // batch)
        own = [network.embedding, network.output]
        rest = [p for p in network.parameters() if all(p is not one for one in own)]
        groups: list[dict[str, Any]] = [{"params": own, "weight_decay": decay}, {"params": rest}]
        optimiser = torch.optim.AdamW(groups, lr=rate, weight_decay=0)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        best, weights = float("inf"), _weights(network)
        for _ in range(epochs):
            order = held_out + torch.randperm(len(log.items) - held_out)
            for rows in order.split(batch):
                optimiser.zero_grad()
                _loss(network, *(array[rows] for array in whole)).backward()
                optimiser.step()
                schedule.step()
            with torch.no_grad():
                loss = float(_loss(network, *(array[:held_out] for array in whole)))
            if loss < best:
                best, weights = loss, _weights(network)
    return weights


def _loss(network: Network, items: Tensor, feedback: Tensor, active: Tensor) -> Tensor:
    logits = network(items, feedback)[active]
    return nn.functional.binary_cross_entropy_with_logits(logits, feedback[active])


def _weights(network: Network) -> dict[str, Array]:
    return {name: tensor.numpy().copy() for name, tensor in network.state_dict().items()}


@dataclass(slots=True)
class RecurrentState:
    """The first axis is the user.

    Attributes:
        hidden: what the units hold, `(users, width)`.
    """

    hidden: Array


class Recurrent:
    """Scores items by a trained network, whose units take in each answer, clicks and skips.

    Args:
        weights: by name, of a `Network`.
        table: features of the items, `(items, features)`.
    """

    def __init__(self, weights: dict[str, Array], table: Array) -> None:
        items, width = weights["output"].shape
        network = Network(_tensor(table), torch.zeros(items), width).requires_grad_(False)
        network.load_state_dict({name: _tensor(array) for name, array in weights.items()})
        self._network, self._outputs = network, network.outputs().T

    def start(self, users: int) -> RecurrentState:
        """Units at 0: the items' biases alone."""
        width = self._network.recurrent.hidden_size
        return RecurrentState(np.zeros((users, width), np.float32))

    def learn(self, state: RecurrentState, news: News) -> RecurrentState:
        """One step of the units; those of new users stay."""
        inputs = self._network.inputs(torch.from_numpy(news.items), _tensor(news.feedback))
        _, hidden = self._network.recurrent(inputs[:, None], _tensor(state.hidden)[None])
        return RecurrentState(np.where(news.known[:, None] > 0, hidden[0].numpy(), state.hidden))

    def scores(self, state: RecurrentState) -> Array:
        """Click probability of each item, `(users, items)`."""
        logits = _tensor(state.hidden) @ self._outputs + self._network.bias
        scores: Array = torch.sigmoid(logits).numpy()
        return scores


def _tensor(array: Array) -> Tensor:
    # A copy, since torch warns of arrays that it must not write to.
    return torch.from_numpy(np.array(array, np.float32, order="C"))
