"""SlateQ: Q-learning whose value of a slate is made of values of its items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from driftrec.agents.deep.bridge import RecommendationVecEnv
from driftrec.agents.deep.choice import ItemValues, best_slates, slate_values
from driftrec.agents.deep.layers import Perceptron
from driftrec.agents.deep.reading import Reader
from driftrec.agents.deep.slateq_policy import LOGIT, consumed_by_clicks, item_values
from driftrec.agents.deep.training import (
    LOOKS,
    STEPS,
    Best,
    alone,
    described,
    linear_layers,
    reader_of,
    scaled_table,
)
from driftrec.agents.deep.training_env import ReadVecEnv
from driftrec.agents.memory import top_unseen
from driftrec.agents.method import Size
from driftrec.agents.named_arrays import within
from driftrec.envs import Population
from driftrec.envs.arrays import Array


@dataclass(frozen=True)
class SlateQConfig:
    """How SlateQ is trained."""

    users: int = 64
    """Simulated at once."""
    steps: int = 280_000
    """Environment steps of the standard size."""
    hidden: int = 64
    """Units of each of two layers."""
    gamma: float = 0.5
    """Discount by request."""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it falls to 0 linearly."""
    batch: int = 512
    """Requests in a gradient step."""
    updates: int = 1
    """Gradient steps after each request of all users."""
    buffer: int = 100_000
    """Requests that are remembered."""
    target_every: int = 50
    """Requests of all users between two copies of the network to the target."""
    explore: float = 0.3
    """Share of random slates at the start; it falls linearly."""
    explore_last: float = 0.03
    """Its end."""


@dataclass
class Batch:
    """Requests; the first axis is the request."""

    inputs: Array
    slates: Array
    feedback: Array
    reward: Array
    lost: Array
    next_inputs: Array
    next_banned: Array


class Replay:
    """The last requests, in a ring.

    Args:
        size: requests that are remembered.
        inputs: of the network.
        items: in the catalogue.
        slate: items in a request.
    """

    def __init__(self, size: int, inputs: int, items: int, slate: int) -> None:
        def zeros(*shape: int, dtype: Any = np.float32) -> Array:
            return np.zeros((size, *shape), dtype)

        self._rows = Batch(
            zeros(inputs), zeros(slate, dtype=np.int64), zeros(slate), zeros(), zeros(),
            zeros(inputs), zeros(items, dtype=np.uint8),
        )  # fmt: skip
        self._size, self._next, self.filled = size, 0, 0

    def add(self, batch: Batch) -> None:
        """Remember requests, in the place of the oldest."""
        count = len(batch.reward)
        places = (self._next + np.arange(count)) % self._size
        for name, values in vars(batch).items():
            getattr(self._rows, name)[places] = values
        self._next = (self._next + count) % self._size
        self.filled = min(self.filled + count, self._size)

    def sample(self, count: int, rng: np.random.Generator) -> Batch:
        """Some of them, each as likely as the others."""
        places = rng.integers(self.filled, size=count)
        return Batch(**{name: values[places] for name, values in vars(self._rows).items()})


class SlateQ:
    """Learns the worth of items and who consumes what (Ie et al. 2019, "SlateQ").

    A user consumes at most one item of a slate, by a conditional logit over the slate and nothing,
    and what follows depends on what was consumed alone. Then the value of a slate is

        Q(s, A) = sum over i in A, and nothing, of P(i | s, A) Q(s, i),

    Q(s, i) is learnt from the requests in which i was consumed (equation 12),

        Q(s, i) <- r + gamma max over A' of Q(s', A'),

    and P by maximum likelihood. The network makes a query over item features for each of the two.
    Where several items of a slate were clicked, each counts as its part of the consumption. Where
    feedback is no click (it may be negative), slates must hold one item, which always counts as
    consumed: that is Q-learning.

    Args:
        population: whose `train` users are learnt from.
        config: see `SlateQConfig`.
        seed: reproduces the training.
    """

    def __init__(self, population: Population, config: SlateQConfig, seed: int) -> None:
        self.config = config
        self.reader: Reader = reader_of(population)
        self.clicks = consumed_by_clicks(population)
        self.slate = population.slate
        self.table = scaled_table(population, self.reader)
        self._items = torch.as_tensor(self.table)
        width, hidden = self.table.shape[1], config.hidden
        last = nn.Linear(hidden, 2 * width + 3)
        nn.init.orthogonal_(last.weight, 0.01)
        nn.init.zeros_(last.bias)
        self.network = nn.Sequential(
            nn.Linear(self.reader.size, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            last,
        )  # fmt: skip
        self.target = Perceptron((), ())
        self.copy_to_target()
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate)
        self._rng = np.random.default_rng([seed, 1])

    def copy_to_target(self) -> None:
        """Make the target the network as it is."""
        self.target = Perceptron.of(within("actor", linear_layers(self.network)), "relu")

    def values(self, network: Perceptron, inputs: Array) -> ItemValues:
        """What a copy of the network says of items."""
        return item_values(network(inputs), self.table, self.clicks)

    def act(self, observation: dict[str, Array], explore: float) -> Array:
        """The best slates by the target network, or, to a share of users, random ones."""
        inputs, banned = observation["inputs"], observation["banned"]
        best = best_slates(self.values(self.target, inputs), banned, self.slate)
        anything = top_unseen(self._rng.random(banned.shape, np.float32), banned, self.slate)
        return np.where(self._rng.random((len(best), 1)) < explore, anything, best)

    def learn(self, batch: Batch) -> float:
        """One gradient step; the loss before it."""
        wanted = torch.as_tensor(self.targets(batch))
        output = self.network(torch.as_tensor(batch.inputs))
        loss = self._loss(output, batch, wanted)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimiser.step()
        return float(loss.detach())

    def targets(self, batch: Batch) -> Array:
        """What a slate is worth by its reward and the target's best next slate, `(requests,)`.

        It is r + gamma max over A' of Q(s', A'); nothing follows a lost user.
        """
        values = self.values(self.target, batch.next_inputs)
        best = slate_values(values, best_slates(values, batch.next_banned, self.slate))
        found: Array = batch.reward + self.config.gamma * (1 - batch.lost) * best
        return found.astype(np.float32)

    def _loss(self, output: Tensor, batch: Batch, wanted: Tensor) -> Tensor:
        """Squared error of what was consumed, and minus the log-likelihood of its choice."""
        width = self.table.shape[1]
        shown = self._items[torch.as_tensor(batch.slates)]
        worth = (shown @ output[:, :width, None])[..., 0] + output[:, -3:-2]
        if not self.clicks:
            return (worth[:, 0] - wanted).square().mean()
        share = torch.as_tensor(consumption(batch.feedback))
        worth = torch.cat([worth, output[:, -1:]], 1)
        logits = (shown @ output[:, width : 2 * width, None])[..., 0] + output[:, -2:-1]
        logits = torch.cat([logits.clamp(-LOGIT, LOGIT), torch.zeros_like(output[:, :1])], 1)
        errors = (share * (worth - wanted[:, None]).square()).sum(1)
        surprise = -(share * logits.log_softmax(1)).sum(1)
        return (errors + surprise).mean()


def consumption(feedback: Array) -> Array:
    """Share of each item of a slate, and last of nothing, in what was consumed.

    Args:
        feedback: 0 or more, `(requests, slate)`.

    Returns:
        float32 `(requests, slate + 1)`; rows sum to one.
    """
    clicked = (feedback > 0).astype(np.float32)
    count = clicked.sum(1, keepdims=True)
    return np.concatenate([clicked / np.maximum(count, 1), count == 0], axis=1, dtype=np.float32)


def train(population: Population, config: SlateQConfig, *, seed: int, size: Size) -> Best:
    """Train SlateQ on the `train` users, and keep what is best on those of `validation`."""
    with alone(seed):
        learner = SlateQ(population, config, seed)
        best = Best(population, about(learner, population), size)
        rounds = max(int(config.steps * STEPS[size]) // config.users, 4)
        every = max(rounds // LOOKS[size], 1)
        for done in _rounds(learner, population, rounds, seed):
            if done % every == 0 or done == rounds:
                best.look(arrays_of(learner), done * config.users)
    return best


def _rounds(learner: SlateQ, population: Population, rounds: int, seed: int) -> Iterator[int]:
    """Requests of all users, each followed by gradient steps; yields how many were made."""
    config, reader = learner.config, learner.reader
    env = ReadVecEnv(RecommendationVecEnv(population, config.users, by_number=True), reader)
    replay = Replay(config.buffer, reader.size, len(learner.table), reader.slate)
    rng = np.random.default_rng([seed, 2])
    env.seed(seed)
    observation: Any = env.reset()
    for done in range(1, rounds + 1):
        left = 1 - done / rounds
        explore = config.explore_last + (config.explore - config.explore_last) * left
        slates = learner.act(observation, explore)
        following, reward, dones, infos = env.step(slates)
        replay.add(_noted(reader, observation, slates, following, reward, dones, infos))
        observation = following
        learner.optimiser.param_groups[0]["lr"] = config.learning_rate * left
        for _ in range(config.updates):
            learner.learn(replay.sample(config.batch, rng))
        if done % config.target_every == 0:
            learner.copy_to_target()
        yield done
    env.close()


def _noted(
    reader: Reader,
    observation: dict[str, Array],
    slates: Array,
    following: Any,
    reward: Array,
    dones: Array,
    infos: list[dict[str, Any]],
) -> Batch:
    """What happened at a request: where a trial ended, its last observation follows."""
    inputs, banned = following["inputs"].copy(), following["banned"].copy()
    lost = np.zeros(len(reward), np.float32)
    for row in dones.nonzero()[0].tolist():
        last = infos[row]["terminal_observation"]
        inputs[row], banned[row] = last["inputs"], last["banned"]
        lost[row] = not infos[row]["TimeLimit.truncated"]
    first = reader.slate * len(reader.scale)
    feedback = inputs[:, first : first + reader.slate]
    return Batch(observation["inputs"], slates, feedback, reward, lost, inputs, banned)


def arrays_of(learner: SlateQ) -> dict[str, Array]:
    """The network and what it reads by, as arrays."""
    return {"scale": learner.reader.scale} | linear_layers(learner.network)


def about(learner: SlateQ, population: Population) -> dict[str, Any]:
    """What the network is, as JSON."""
    return described(
        population, learner.reader, kind="slateq", algorithm="slateq", clicks=learner.clicks,
        between="relu", last="none",
    )  # fmt: skip
