"""What the learners share that are taught by labels of the hidden state, not by rewards."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from driftrec.envs import Population
from driftrec.meta.belief_loss import FIRST_LESSONS, filter_lessons, filter_loss
from driftrec.meta.checks import check_counts, check_fractions, check_names, check_positive
from driftrec.meta.learner import LearnerConfig
from driftrec.meta.memories import MemoryName
from driftrec.meta.network import TrialNetwork
from driftrec.meta.never_lost import never_lost
from driftrec.meta.plackett_luce import best_slate
from driftrec.meta.rollout import Choose, Notes, Trials, collect
from driftrec.meta.run import TrainingRun
from driftrec.meta.schedules import refuse_adaptive
from driftrec.meta.track import NetworkShape, Track
from driftrec.meta.workers import Worker

Scores = Callable[[Tensor, Track], Tensor]
"""What items are worth, `(users, items)`, given what is known and the track."""


@dataclass(frozen=True)
class SupervisedConfig(LearnerConfig):
    """What the learners that are taught by labels let one choose."""

    hidden: int = 96
    """Units of the memory."""
    memory: MemoryName = "gru"
    """What remembers the trial: gru, lstm or transformer."""
    layers: int = 2
    """Of a transformer."""
    window: int = 128
    """Requests that a transformer remembers."""
    filter: bool = True
    """Give the memory the belief of a filter whose parameters are learnt too; see
    `driftrec.meta.learned_filter`."""
    probes: int = 32
    """Items a request whose true expected feedback is known in training."""
    timed: bool = False
    """Whether the network sees the time in the trial."""
    epochs: int = 2
    """Passes over each batch of trials."""
    minibatches: int = 16
    """Parts of the users into which a pass is cut; sequences stay whole."""
    explore: float = 0.1
    """Share of requests, while training, that show random items."""
    gradient_clip: float = 0.5
    """Largest norm of a gradient step."""

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_adaptive(self.schedule)
        check_counts(self, "hidden", "layers", "window", "probes", "epochs", "minibatches")
        check_names(self, memory=MemoryName)
        check_positive(self, "gradient_clip")
        check_fractions(self, "explore")


C = TypeVar("C", bound=SupervisedConfig)
N = TypeVar("N", bound=TrialNetwork)


class SupervisedRun(TrainingRun[C], Generic[C, N]):
    """A run of a learner that is taught by labels, between two iterations, on one worker."""

    network: N
    optimiser: torch.optim.Optimizer
    libraries: ClassVar[tuple[str, ...]] = ("numpy", "torch")
    best_item = False

    def __init__(self, worker: Worker, config: C, population: Population) -> None:
        table = np.array(population.split("train").catalogue.table)
        self.table = torch.as_tensor(table, device=config.device)
        super().__init__(worker, config, population)
        users = config.users // worker.count
        self.env = self.environment(never_lost(population), "train", users)

    def slates(self, worth: Tensor, rng: torch.Generator) -> Tensor:
        """What training trials show by scores, with draws of `rng` if any, `(users, slate)`."""
        return best_slate(worth, self.network.shape.slate)

    @abstractmethod
    def scores(self, seed: int) -> Scores:
        """What training trials go by; draws, if there are any, follow from the seed."""

    @abstractmethod
    def loss(self, known: Tensor, trials: Trials, users: Tensor) -> Tensor:
        """The loss on some users' trials, of what was known before each of their requests."""

    def shape(self) -> NetworkShape:
        """Sizes of the network by the config."""
        config = self.config
        return NetworkShape.of(
            self.population,
            hidden=config.hidden,
            timed=config.timed,
            memory=config.memory,
            layers=config.layers,
            window=config.window,
            filter=config.filter,
        )

    def build_optimiser(self) -> torch.optim.Optimizer:
        """Adam, with the share of the step that a filter takes."""
        groups = self.network.parameter_groups()
        return torch.optim.Adam(groups, lr=self.config.learning_rate, eps=1e-5)

    def update(self, seed: int, rate: float) -> dict[str, float]:
        """Collect a batch of trials with some exploration, and learn from its labels."""
        config = self.config
        notes = Notes(config.probes, self.best_item, config.reward_weights)
        trials = collect(
            self.env,
            self.network,
            exploring(self.scores(seed), self.slates, config.explore, seed),
            seed=seed,
            unseen_only=self.unseen_only,
            notes=notes,
        )
        self.set_rate(rate)
        rng = torch.Generator().manual_seed(seed)
        steps = [self._step(loss) for loss in self._losses(trials, rng)]
        reward = float(trials.rewards[trials.alive].mean())
        loss, norm = np.mean(steps, axis=0).tolist()
        means = self.worker.average(reward, loss, norm)
        return dict(zip(("reward", "loss", "gradient_norm"), means, strict=True))

    def _losses(self, trials: Trials, rng: torch.Generator) -> Iterator[Tensor]:
        """The loss of each step: those of a filter first, alone while it knows nothing yet."""
        for users in filter_lessons(self.network, trials, self.age, rng):
            yield filter_loss(self.network, self.table, trials, users)
        if self.network.trunk.filter is not None and self.age < FIRST_LESSONS:
            return
        for _ in range(self.config.epochs):
            order = torch.randperm(self.env.num_envs, generator=rng).to(self.table.device)
            for users in order.chunk(min(self.config.minibatches, len(order))):
                known = self.network.relive(trials.inputs[:-1, users])
                yield self.loss(known, trials, users)

    def _step(self, loss: Tensor) -> tuple[float, float]:
        """One step of the optimiser; the loss, and the gradient's norm."""
        self.optimiser.zero_grad()
        loss.backward()
        self.worker.average_gradients(self.network)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_clip)
        self.optimiser.step()
        return loss.item(), float(norm)


def exploring(
    scores: Scores, slates: Callable[[Tensor, torch.Generator], Tensor], share: float, seed: int
) -> Choose:
    """Shows slates by scores, and by random ones to a share of users.

    Args:
        scores: of items.
        slates: makes slates of scores `(users, items)`.
        share: of requests that go by random scores.
        seed: of the draws.
    """
    rng: dict[Any, torch.Generator] = {}

    def choose(known: Tensor, track: Track, banned: Tensor | None) -> tuple[Tensor, Tensor]:
        device = known.device
        generator = rng.setdefault(device, torch.Generator(device).manual_seed(seed))
        worth = scores(known, track)
        random = torch.rand(len(worth), 1, generator=generator, device=device) < share
        if random.any():
            anything = torch.rand(worth.shape, generator=generator, device=device)
            worth = torch.where(random, anything, worth)
        if banned is not None:
            worth = worth.masked_fill(banned, -torch.inf)
        chosen = slates(worth, generator)
        return chosen, torch.zeros(len(chosen), device=device)

    return choose
