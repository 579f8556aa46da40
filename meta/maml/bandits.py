"""MAML-RL on Bernoulli bandits: some pulls, one set of inner steps, then exploit."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from driftrec.envs.bernoulli_bandit import BernoulliBandit
from driftrec.meta.maml.episodes import Actor, Episodes
from driftrec.meta.maml.families import Categorical
from driftrec.meta.maml.policies import Perceptron
from driftrec.meta.maml.task_training import Report, TaskConfig, TaskTraining


class BanditTasks:
    """Bernoulli bandits with p ~ U[0, 1]; each pull is an episode of one step.

    Args:
        arms: of each bandit.
        seed: of the clicks.
    """

    def __init__(self, arms: int = 5, seed: int = 0) -> None:
        self.model = BernoulliBandit(arms)
        # Apart from the stream of a policy that has the same seed, or luck would follow its draws.
        own = np.random.SeedSequence([seed, 1]).generate_state(1, np.uint64)
        self.generator = torch.Generator().manual_seed(int(own[0] >> np.uint64(1)))

    def sample(self, tasks: int, rng: np.random.Generator) -> np.ndarray:
        """Success probabilities, `(tasks, arms)`."""
        return np.asarray(self.model.sample(tasks, rng).probability)

    def play(self, tasks: np.ndarray, episodes: int, actor: Actor) -> Episodes:
        """Pull arms of each bandit; the input is always 1."""
        inputs = torch.ones(len(tasks), episodes, 1)
        actions, log_probability, outputs = actor(inputs)
        chance = torch.from_numpy(tasks).gather(1, actions)
        click = torch.rand(chance.shape, generator=self.generator) < chance
        step = [inputs, actions, log_probability, outputs, click.float(), torch.ones_like(click)]
        return Episodes(*(one[:, :, None] for one in step))


@dataclass(frozen=True)
class BanditConfig:
    """How MAML is trained on bandits."""

    training: TaskConfig = field(
        default_factory=lambda: TaskConfig(
            iterations=60,
            tasks=500,
            episodes=10,
            inner_rate=10.0,
            learning_rate=0.05,
            baseline="mean",
            gamma=1.0,
            epochs=3,
        )
    )
    """Ten pulls before the inner step."""
    arms: int = 5
    """Arms of a bandit."""


def train_bandit(config: BanditConfig | None = None, report: Report | None = None) -> TaskTraining:
    """Meta-train logits and inner rates on random bandits."""
    config = config or BanditConfig()
    with torch.random.fork_rng():
        torch.manual_seed(config.training.seed)
        network = Perceptron(1, config.arms, ())
    tasks = BanditTasks(config.arms, config.training.seed)
    training = TaskTraining(network, Categorical(), tasks, config.training)
    training.run(report)
    return training


def measure_bandit(
    training: TaskTraining, bandits: int = 20_000, seed: int = 1_000_003
) -> list[tuple[float, float]]:
    """Probability of a click on a pull of fresh bandits, with arms drawn.

    Returns:
        Mean and standard error over bandits, after 0, 1, ... inner steps.
    """
    arms = training.tasks.sample(bandits, np.random.default_rng(seed))
    chance = torch.from_numpy(arms)
    earned = [
        (episodes.outputs[:, 0, 0].softmax(-1) * chance).sum(1) for episodes in training.play(arms)
    ]
    return [(float(one.mean()), float(one.std() / bandits**0.5)) for one in earned]
