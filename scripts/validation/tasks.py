"""Policies and learners on tasks with known answers: what bandits and decision processes share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from driftrec.agents.policy import PolicyFactory
from driftrec.agents.pseudo_reward import standard_error, worth
from driftrec.agents.references import reference_policies
from driftrec.agents.registry import POLICIES
from driftrec.envs import Population
from driftrec.envs.bernoulli_bandit import bernoulli_population
from driftrec.envs.gaussian_bandit import gaussian_population
from driftrec.envs.linear_bandit import linear_population
from driftrec.envs.tabular_mdp import tabular_population
from validation.cells import Cell, result_of
from validation.training import train

FAMILIES: dict[str, Callable[..., Population]] = {
    "bernoulli": bernoulli_population,
    "gaussian": gaussian_population,
    "linear": linear_population,
    "tabular": tabular_population,
}

CHUNK = 5000
"""Tasks played at once."""


@dataclass(frozen=True)
class Task:
    """What is played, and by how many fresh tasks it is judged.

    Attributes:
        family: a name in `FAMILIES`.
        sizes: of the tasks, as the family takes them.
        tested: fresh tasks of the test split.
    """

    family: str
    sizes: Mapping[str, int]
    tested: int

    @property
    def population(self) -> Population:
        """The tasks as users."""
        return FAMILIES[self.family](**self.sizes)

    @property
    def name(self) -> str:
        """Family and sizes."""
        return " ".join([self.family, *(f"{name}={size}" for name, size in self.sizes.items())])


def play(make_policy: PolicyFactory, task: Task) -> dict[str, float]:
    """Reward and regret of whole trials by what the choices are worth; mean and standard error.

    All policies meet the same tasks.
    """
    rewards, regrets = [], []
    for chunk, first in enumerate(range(0, task.tested, CHUNK)):
        users = min(CHUNK, task.tested - first)
        played = worth(make_policy, task.population, users, seed=chunk)
        rewards.append(played.pseudo_reward)
        regrets.append(played.cumulative_regret[:, -1])
    reward, regret = np.concatenate(rewards), np.concatenate(regrets)
    return {
        "reward": float(reward.mean()),
        "reward_error": standard_error(reward),
        "regret": float(regret.mean()),
        "regret_error": standard_error(regret),
    }


@dataclass(frozen=True)
class TaskCell(Cell):
    """A cell on a task.

    Attributes:
        part: the section.
        task: what is played.
    """

    part: str
    task: Task

    @property
    def section(self) -> str:  # type: ignore[override]  # known by the instance
        """The part of the page."""
        return self.part


@dataclass(frozen=True)
class ReferenceCell(TaskCell):
    """A policy that needs no training.

    Attributes:
        policy: a reference of the task, or a policy of the registry.
    """

    policy: str

    @property
    def name(self) -> str:
        """Task and policy."""
        return f"{self.task.name} {self.policy}"

    def measure(self, folder: Path) -> dict[str, Any]:
        """Play; where the policy is not for tasks of this size, say why."""
        references = reference_policies(self.task.population.model)
        try:
            return play(references.get(self.policy) or POLICIES[self.policy], self.task)
        except ValueError as error:
            return {"unfit": str(error)}


@dataclass(frozen=True)
class LearnerCell(TaskCell):
    """A learner, trained with one seed.

    Attributes:
        variant: its name here.
        learner: its name in the registry.
        config: how it is trained, its seed included.
        actings: changes to the policy by name; each is played.
        trained_on: what it is trained on; None for what is played.
    """

    variant: str
    learner: str
    config: Any
    actings: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"": {}})
    trained_on: Task | None = None

    @property
    def name(self) -> str:
        """Task, variant and seed."""
        return f"{self.task.name} {self.variant} seed {self.config.seed}"

    def measure(self, folder: Path) -> dict[str, Any]:
        """Train, then play."""
        population = (self.trained_on or self.task).population
        policy, cost = train(self.learner, self.config, population, folder)
        return cost | {
            "acting": {
                name: play(_acting(policy, changes), self.task)
                for name, changes in self.actings.items()
            }
        }


def _acting(policy: Any, changes: Mapping[str, Any]) -> PolicyFactory:
    changed = replace(policy, **changes)
    return lambda env: changed.on(env.simulation.catalogue)


@dataclass(frozen=True)
class Variant:
    """A learner with its settings for a task.

    Attributes:
        learner: its name in the registry.
        config: how it is trained; the seed is set by the cell.
        actings: see `LearnerCell`.
        trained_on: see `LearnerCell`.
    """

    learner: str
    config: Any
    actings: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"": {}})
    trained_on: Task | None = None


def learner_cells(
    part: str, task: Task, variants: Mapping[str, Variant], seeds: int
) -> list[LearnerCell]:
    """A cell for each variant and seed."""
    return [
        LearnerCell(
            part,
            task,
            name,
            one.learner,
            replace(one.config, seed=seed),
            one.actings,
            one.trained_on,
        )
        for name, one in variants.items()
        for seed in range(seeds)
    ]


@dataclass(frozen=True)
class Score:
    """A mean over training seeds and tasks.

    Attributes:
        value: the mean.
        error: its standard error: of tasks, which all seeds share, and between seeds.
        seeds: how many were trained; 0 for what is not trained.
        cpu_seconds: of one training, on average.
    """

    value: float
    error: float
    seeds: int = 0
    cpu_seconds: float = 0.0


def reference_score(cell: ReferenceCell, out: Path, what: str = "reward") -> Score | None:
    """What a reference scored, or None where it was not run or is not for this size."""
    result = result_of(cell, out)
    if result is None or "unfit" in result:
        return None
    return Score(result[what], result[f"{what}_error"])


def learner_scores(
    cells: Sequence[LearnerCell], out: Path, what: str = "reward"
) -> dict[str, Score]:
    """Scores by variant and acting, over those seeds that are done."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for cell in cells:
        result = result_of(cell, out)
        for acting, one in (result or {"acting": {}})["acting"].items():
            name = f"{cell.variant}, {acting}" if acting else cell.variant
            numbers = (one[what], one[f"{what}_error"], result["cpu_seconds"])
            found.setdefault(name, []).append(numbers)
    return {name: _over_seeds(np.array(numbers)) for name, numbers in found.items()}


def _over_seeds(numbers: np.ndarray) -> Score:
    values, errors, cost = numbers.T
    seeds = len(values)
    spread = values.var(ddof=1) / seeds if seeds > 1 else 0.0
    error = float(np.sqrt(spread + np.mean(errors**2)))
    return Score(float(values.mean()), error, seeds, float(cost.mean()))
