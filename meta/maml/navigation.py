"""MAML-RL on 2D navigation, the task it was first shown on (Finn et al. 2017, section 5.3.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from driftrec.envs.navigation import GOAL_RANGE, HORIZON, REACH, Navigation2DVectorEnv
from driftrec.meta.maml.episodes import Actor, Episodes
from driftrec.meta.maml.families import Gaussian
from driftrec.meta.maml.policies import Perceptron
from driftrec.meta.maml.task_training import Report, TaskConfig, TaskTraining


class NavigationTasks:
    """Goals in the plane; inputs are in units of half the goals' square, actions of a move."""

    def sample(self, tasks: int, rng: np.random.Generator) -> np.ndarray:
        """Goals, `(tasks, 2)`."""
        return rng.uniform(-GOAL_RANGE, GOAL_RANGE, (tasks, 2)).astype(np.float32)

    def play(self, tasks: np.ndarray, episodes: int, actor: Actor) -> Episodes:
        """Play episodes of each task, all at once."""
        env = Navigation2DVectorEnv(len(tasks) * episodes, autoreset_mode="Disabled")
        observation, _ = env.reset(options={"goal": np.repeat(tasks, episodes, axis=0)})
        records: list[list[torch.Tensor]] = []
        for _ in range(HORIZON):
            inputs = torch.from_numpy(observation / GOAL_RANGE).view(len(tasks), episodes, 2)
            alive = torch.from_numpy(~env.over).view(len(tasks), episodes)
            actions, log_probability, outputs = actor(inputs)
            observation, reward, *_ = env.step(REACH * actions.flatten(0, 1).numpy())
            rewards = torch.from_numpy(reward.astype(np.float32)).view_as(alive)
            records.append([inputs, actions, log_probability, outputs, rewards, alive])
        return Episodes(*(torch.stack(column, 2) for column in zip(*records, strict=True)))


@dataclass(frozen=True)
class NavigationConfig:
    """How MAML is trained to navigate."""

    training: TaskConfig = field(
        default_factory=lambda: TaskConfig(
            iterations=40,
            tasks=40,
            epochs=4,
            inner_steps=3,
            round_weights=(0.2, 1.0, 1.0, 1.0),
            learning_rate=0.02,
            gamma=0.9,
            best_return=0.0,
        )
    )
    """Twenty episodes before each inner step, as published."""
    hidden: tuple[int, ...] = ()
    """Units of the layers; with none the policy is linear, which is all that the task needs."""
    log_sd: float = -1.0
    """Log standard deviation of the first policy's moves, in units of the longest."""


def train_navigation(
    config: NavigationConfig | None = None, report: Report | None = None
) -> TaskTraining:
    """Meta-train on random goals; the run that comes back can `play` others.

    Args:
        config: see `NavigationConfig`.
        report: told of each iteration.
    """
    config = config or NavigationConfig()
    with torch.random.fork_rng():
        torch.manual_seed(config.training.seed)
        network = Perceptron(2, 2, config.hidden, spread=2, log_sd=config.log_sd)
    training = TaskTraining(network, Gaussian(), NavigationTasks(), config.training)
    training.run(report)
    return training


def measure_navigation(
    training: TaskTraining, goals: int = 300, seed: int = 1_000_003
) -> list[tuple[float, float]]:
    """Returns on fresh goals after each number of inner steps, with actions drawn.

    Args:
        training: see `train_navigation`.
        goals: number of them.
        seed: draws the goals.

    Returns:
        Mean and standard error over goals, after 0, 1, ... inner steps.
    """
    tasks = NavigationTasks().sample(goals, np.random.default_rng(seed))
    played = [episodes.returns() for episodes in training.play(tasks)]
    return [(float(one.mean()), float(one.std() / goals**0.5)) for one in played]
