"""Policies on the published simulators: what a trial returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from driftrec.agents.harness import evaluate
from driftrec.agents.memory import Memory, new_memory
from driftrec.agents.planning import planning_oracle
from driftrec.agents.policy import PolicyFactory
from driftrec.agents.registry import POLICIES
from driftrec.envs import Population, RecommendationVectorEnv, Simulation
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation
from driftrec.envs.published import SOURCES
from validation.cells import Cell, result_of
from validation.tasks import Score
from validation.training import train
from validation.wary import Wary

Scores = Callable[[Simulation], Array]
"""What each candidate is worth, `(users, candidates)`."""


def population_of(task: str, parameters: Mapping[str, Any]) -> Population:
    """Users of a published task.

    Args:
        task: as in the id, such as "sardine.SlateTopK-Bored".
        parameters: of its users, in place of the published ones.
    """
    source, name = task.split(".", 1)
    return SOURCES[source].population(name, **parameters)


class ByScore:
    """Shows the candidates that score best, of users whose hidden state it may read."""

    def __init__(self, env: RecommendationVectorEnv, scores: Scores) -> None:
        self._simulation, self._scores = env.simulation, scores

    def start(self, users: int) -> Memory:
        """Nothing shown yet."""
        return new_memory(users, len(self._simulation.catalogue), self._simulation.slate)

    def act(self, observation: Observation, state: Memory) -> tuple[Array, Memory]:
        """The best candidates, `(users, slate)`, and the new state."""
        order = np.argsort(-self._scores(self._simulation), axis=1)
        best = order[:, : self._simulation.slate]
        items = np.take_along_axis(observation["offered"], best, axis=1)
        return items, state.after(items)


def _topic(simulation: Simulation) -> Array:
    return simulation.catalogue.topic[simulation.offered]


def _favourite(simulation: Simulation) -> Array:
    return np.take_along_axis(simulation.state.interest, _topic(simulation), axis=1)


def _by_exponent(simulation: Simulation) -> Array:
    model: Any = simulation.model
    return (_favourite(simulation) + 1) * np.exp(model.hidden_quality[simulation.offered] / 2)


def _clickbait(simulation: Simulation) -> Array:
    return simulation.catalogue.features[:, 0][simulation.offered]


def _kale(simulation: Simulation) -> Array:
    return -_clickbait(simulation)


def _quality(simulation: Simulation) -> Array:
    return simulation.catalogue.quality[simulation.offered]


HEURISTICS: dict[str, Scores] = {
    "favourite topic": _favourite,
    "(u + 1) exp(q / 2)": _by_exponent,
    "topic quality": _topic,
    "most clickbait": _clickbait,
    "least clickbait": _kale,
    "best quality": _quality,
}
"""Rules of RecSim's tables, by name; topics of interest evolution are in order of quality."""

REGISTERED = {"random": "random", "myopic oracle": "clairvoyant"}

PLANNING: dict[str, dict[str, Any]] = {
    "attrition.SingleType": {"horizon": 20, "rollouts": 4},
    "attrition.TwoTypes": {"horizon": 20, "rollouts": 4},
    "attrition.ManyTypes": {"horizon": 20, "rollouts": 4},
    "recsim.InterestEvolution": {"horizon": 250, "rollouts": 4, "sure": 4.0},
    "sardine.SlateTopK-Bored": {},
    "kuaisim.WholeSession": {"horizon": 5, "rollouts": 2},
    "kuaisim.CrossSession": {"horizon": 5, "rollouts": 2},
    "recogym.v0": {"horizon": 5, "rollouts": 2},
    "recogym.v1": {"horizon": 5, "rollouts": 2},
}
"""Options of the planning oracle, where half of its rollouts are too few, or cost too much."""


def policy_of(name: str, options: Mapping[str, Any]) -> PolicyFactory:
    """The policy called `name` in the tables, with options of the planning oracle."""
    if name in HEURISTICS:
        return partial(ByScore, scores=HEURISTICS[name])
    if name == "aware heuristic":
        return Wary
    if name == "planning oracle":
        return partial(planning_oracle, **options)
    return POLICIES[REGISTERED[name]]


def played(
    make_policy: PolicyFactory,
    population: Population,
    users: int,
    batch: int,
    seed: int,
    split: str = "test",
) -> dict[str, Any]:
    """Returns of trials of a split's users; mean and standard error."""
    trials = evaluate(make_policy, population, split=split, users=users, batch=batch, seed=seed)
    returns = trials.reward.sum(1, dtype=np.float64)
    return {
        "reward": float(returns.mean()),
        "reward_error": float(returns.std(ddof=1) / users**0.5),
        "requests": float(trials.active.sum(1).mean()),
        "users": users,
    }


@dataclass(frozen=True)
class PublishedCell(Cell):
    """A cell on a published task.

    Attributes:
        part: the section.
        task: as in the id.
        parameters: of the users.
    """

    part: str
    task: str
    parameters: Mapping[str, Any] = field(default_factory=dict, kw_only=True)

    @property
    def section(self) -> str:  # type: ignore[override]  # known by the instance
        """The part of the page."""
        return self.part

    @property
    def label(self) -> str:
        """Task and parameters."""
        return label_of(self.task, self.parameters)


@dataclass(frozen=True)
class PlayedCell(PublishedCell):
    """A policy that needs no training.

    Attributes:
        policy: its name in the tables.
        users: of the test split.
        batch: of them at once.
        seed: of users and luck.
        options: of the planning oracle.
    """

    policy: str
    users: int
    batch: int = 200
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict, kw_only=True)

    @property
    def name(self) -> str:
        """Task and policy."""
        return f"{self.label} {self.policy}"

    def measure(self, folder: Path) -> dict[str, Any]:
        """Play."""
        population = population_of(self.task, self.parameters)
        make_policy = policy_of(self.policy, self.options)
        return played(make_policy, population, self.users, self.batch, self.seed)


@dataclass(frozen=True)
class TrainedCell(PublishedCell):
    """A learner on a published task, trained with one seed.

    Attributes:
        learner: its name in the registry.
        config: how it is trained, its seed included.
        users: of the test split, by whom it is judged.
        caps: of the policy, compared on validation users; the best is played.
    """

    learner: str
    config: Any
    users: int
    caps: tuple[int, ...] = field(default=(), kw_only=True)

    @property
    def name(self) -> str:
        """Task, learner and seed."""
        return f"{self.label} {self.learner} seed {self.config.seed}"

    def measure(self, folder: Path) -> dict[str, Any]:
        """Train, then play."""
        population = population_of(self.task, self.parameters)
        policy, cost = train(self.learner, self.config, population, folder)
        returns = {
            cap: played(_serving(policy, cap=cap), population, self.users, 200, 1, "validation")
            for cap in self.caps
        }
        chosen = (
            {} if not returns else {"cap": max(returns, key=lambda cap: returns[cap]["reward"])}
        )
        return cost | chosen | played(_serving(policy, **chosen), population, self.users, 200, 0)


def _serving(policy: Any, **changes: Any) -> PolicyFactory:
    """The policy on the catalogue of whom it meets, acting otherwise where changes are given."""
    changed = replace(policy, **changes) if changes else policy
    return lambda env: changed.on(env.simulation.catalogue)


def label_of(task: str, parameters: Mapping[str, Any]) -> str:
    """A task in words, such as "recsim.LongTermSatisfaction (sensitivity .3)"."""
    if not parameters:
        return task
    return f"{task} ({', '.join(f'{name} {value:g}' for name, value in parameters.items())})"


def score_of(cell: Cell, out: Path) -> Score | None:
    """What a cell returned, or None while it is not done."""
    result = result_of(cell, out)
    return None if result is None else Score(result["reward"], result["reward_error"])


def over_seeds(cells: list[TrainedCell], out: Path) -> Score | None:
    """Mean over those trainings that are done: users, whom all share, and seeds in its error."""
    results = [result for cell in cells if (result := result_of(cell, out)) is not None]
    if not results:
        return None
    values = np.array([result["reward"] for result in results])
    errors = np.array([result["reward_error"] for result in results])
    spread = values.var(ddof=1) / len(values) if len(values) > 1 else 0.0
    cost = float(np.mean([result["cpu_seconds"] for result in results]))
    error = float(np.sqrt(spread + np.mean(errors**2)))
    return Score(float(values.mean()), error, len(values), cost)
