"""Learners on drifting users: how each is trained, and cells that evaluate them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from driftrec.agents.evaluation import Evaluation
from driftrec.agents.harness import evaluate
from driftrec.agents.policy import Policy
from driftrec.agents.registry import POLICIES
from driftrec.envs import Population, RecommendationVectorEnv, make_population
from driftrec.envs.finite_users import finite_users
from driftrec.meta import PPOConfig, learner_type, load
from driftrec.meta.calibration import Calibration, calibration
from driftrec.meta.registry import LEARNERS
from validation.cells import Cell, Plan
from validation.training import train

SPLITS = ("test", "ood-drift", "ood-taste", "ood-items")

BATCH = 250

FIRST = "Feed"
"""The population on which training is longest."""


@dataclass(frozen=True)
class Setting:
    """How a learner is trained, and how its policy acts.

    Attributes:
        standard: what differs from the learner's defaults in the standard size, which is cut to
            what two cores train in a day; the full size takes the defaults.
        short: what else differs where many trainings are compared: on populations other than the
            first, and in sample efficiency.
        actings: options of `load` by what they are called in tables; "" is the saved policy.
    """

    standard: Mapping[str, Any]
    short: Mapping[str, Any]
    actings: Mapping[str, Mapping[str, Any]]


SETTINGS: dict[str, Setting] = {
    "rl2": Setting(
        {"iterations": 60, "users": 512, "ppo": PPOConfig(minibatches=16)},
        {"iterations": 12, "learning_rate": 5e-3, "validate_every": 4},
        {"greedy": {}},
    ),
    "amortised": Setting(
        {"iterations": 80, "users": 512},
        {"iterations": 18, "learning_rate": 3e-3, "validate_every": 6},
        {"greedy": {}, "UCB": {"acting": "ucb"}, "Thompson": {"acting": "thompson"}},
    ),
    # A transformer of its default size costs four times as much here.
    "dpt": Setting(
        {"iterations": 30, "users": 512, "memory": "gru", "learning_rate": 5e-3},
        {"iterations": 15, "validate_every": 5},
        {"argmax": {}, "sampled": {"acting": "sample"}},
    ),
    "maml": Setting({}, {"iterations": 8}, {"greedy": {}, "not adapting": {"adapt": False}}),
    "reptile": Setting({}, {"iterations": 15}, {"greedy": {}, "not adapting": {"adapt": False}}),
    "gradient-aggregation": Setting(
        {}, {"iterations": 15}, {"greedy": {}, "not adapting": {"adapt": False}}
    ),
    "es": Setting(
        {"iterations": 20, "users": 2048}, {"iterations": 12, "validate_every": 4}, {"greedy": {}}
    ),
    "curriculum": Setting(
        {"iterations": 30, "users": 512, "ppo": PPOConfig(minibatches=16)},
        {"iterations": 12, "learning_rate": 5e-3, "validate_every": 4, "refresh_every": 4},
        {"greedy": {}},
    ),
    "trees": Setting({}, {}, {"greedy": {}}),
}
"""By the learner's name in the registry."""

PLAIN = Setting({}, {}, {"greedy": {}})
"""For built-in learners that have no entry."""


def setting(learner: str) -> Setting:
    """How a learner is trained, and how its policy acts."""
    return SETTINGS.get(learner, PLAIN)


def built_in() -> list[str]:
    """Names of the learners that come with the package."""
    return list(LEARNERS)


def config_of(learner: str, plan: Plan, short: bool) -> Any:
    """The config of a size."""
    kind: Any = learner_type(learner).config_type
    if plan.size == "smoke":
        return kind.of_size("smoke")
    known = setting(learner)
    cut = {**known.standard, **(known.short if short else {})}
    return replace(kind.of_size("standard"), **plan.pick({}, cut, {}))


def population_of(
    name: str, requests: int | None, users: int | None = None, seed: int = 0
) -> Population:
    """A population by name.

    Args:
        name: in the registry.
        requests: cuts trials; None leaves them.
        users: in training; None for no bound.
        seed: of who these are.
    """
    found = make_population(name)
    if requests is not None:
        found = replace(found, max_requests=requests)
    return found if users is None else finite_users(found, users, seed)


def splits_of(population: str) -> list[str]:
    """The splits to report on: test, and those in which something else differs."""
    variants = make_population(population).variants
    return [name for name in SPLITS if name == "test" or name in variants]


@dataclass(frozen=True)
class EvaluatedCell(Cell):
    """A cell that keeps evaluations on users of several splits.

    Attributes:
        population: its name.
        requests: at which trials are cut; None for the population's own.
        users: met in each split.
    """

    population: str
    requests: int | None
    users: int
    section = "users"
    keeps_files = True

    def evaluations(self, out: Path, split: str, acting: str = "") -> Evaluation:
        """What was kept."""
        return Evaluation.load(_path(self.home(out), split, acting))

    def keep(self, make_policy: Any, folder: Path, split: str, acting: str = "") -> float:
        """Evaluate, unless it was done, and keep what the page needs; gives the CTR."""
        path = _path(folder, split, acting)
        if not path.exists():
            met = evaluate(
                make_policy,
                population_of(self.population, self.requests),
                name=self.name,
                split=split,
                users=self.users,
                batch=min(BATCH, self.users),
            )
            slim(met).save(path)
        met = Evaluation.load(path)
        return float((met.feedback.sum(1) / met.active.sum(1)).mean())


def _path(folder: Path, split: str, acting: str) -> Path:
    return folder / f"{'-'.join(part for part in (split, acting.replace(' ', '-')) if part)}.npz"


def slim(evaluation: Evaluation) -> Evaluation:
    """The evaluation with all but clicks and who was there set to 0, which packs small."""
    zero = {
        name: np.zeros_like(getattr(evaluation, name))
        for name in ("items", "session", "day", "gap", "reward")
    }
    return replace(evaluation, **zero, expected=None, best=None)


@dataclass(frozen=True)
class BaselineCell(EvaluatedCell):
    """A policy of the registry.

    Attributes:
        policy: its name.
    """

    policy: str

    @property
    def name(self) -> str:
        """Population and policy."""
        return f"{self.population} {self.policy}"

    def measure(self, folder: Path) -> dict[str, Any]:
        """Evaluate on every split."""
        rates = {
            split: self.keep(POLICIES[self.policy], folder, split)
            for split in splits_of(self.population)
        }
        return {"ctr": rates}


@dataclass(frozen=True)
class DriftingCell(EvaluatedCell):
    """A learner, trained with one seed.

    Attributes:
        learner: its name in the registry.
        config: how it is trained, its seed included.
        actings: see `Setting`.
        training_users: how many users there are to learn from; None for no bound.
        splits: whose users the policy meets; None for all, where training users are not counted.
    """

    learner: str
    config: Any
    actings: Mapping[str, Mapping[str, Any]]
    training_users: int | None = None
    splits: Sequence[str] | None = None

    @property
    def name(self) -> str:
        """Population, learner, seed, and how many training users."""
        count = "unlimited" if self.training_users is None else self.training_users
        few = "" if self.splits is None else f" {count} training users"
        return f"{self.population} {self.learner}{few} seed {self.config.seed}"

    @property
    def met(self) -> Sequence[str]:
        """The splits whose users the policy meets."""
        return splits_of(self.population) if self.splits is None else self.splits

    def measure(self, folder: Path) -> dict[str, Any]:
        """Train, then evaluate each way of acting on every split; calibrate a belief."""
        population = population_of(
            self.population, self.requests, self.training_users, self.config.seed
        )
        policy, cost = train(self.learner, self.config, population, folder)
        path = folder / "policy.safetensors"
        policy.save(path)
        rates = {
            acting: {
                split: self.keep(partial(saved, path=path, options=options), folder, split, acting)
                for split in self.met
            }
            for acting, options in self.actings.items()
        }
        found: dict[str, Any] = cost | {"ctr": rates}
        if self.learner == "amortised":
            found["calibration"] = self._calibrate(policy)
        return found

    def _calibrate(self, policy: Any) -> dict[str, dict[str, list[float]]]:
        found = {}
        where = population_of(self.population, self.requests)
        for split in self.met:
            one = calibration(policy, where, users=min(self.users, 1000), split=split)
            found[split] = {
                "predicted": one.predicted.tolist(),
                "clicked": one.clicked.tolist(),
                "count": one.count.tolist(),
            }
        return found


def saved(env: RecommendationVectorEnv, path: Path, options: Mapping[str, Any]) -> Policy:
    """A saved policy for an environment, acting as the options say."""
    return load(path, **options).on(env.simulation.catalogue, env.simulation.slate)


def calibration_of(result: Mapping[str, Any], split: str) -> Calibration:
    """The calibration that a cell's result holds."""
    one = result["calibration"][split]
    return Calibration(*(np.array(one[name]) for name in ("predicted", "clicked", "count")))


def drifting_cells(population: str, plan: Plan) -> list[DriftingCell]:
    """A cell for each learner and seed; each way of acting meets the users of every split."""
    return [
        replace(cell, actings=setting(cell.learner).actings)
        for name in built_in()
        for cell in _cells(population, name, plan, short=population != FIRST)
    ]


def efficiency_cells(
    population: str, learners: Sequence[str], training_users: int | None, plan: Plan
) -> list[DriftingCell]:
    """A cell for each learner and seed that has only so many users to learn from.

    Its policy, acting greedily, meets the test users alone.
    """
    return [
        replace(cell, training_users=training_users, splits=("test",))
        for name in learners
        for cell in _cells(population, name, plan, short=True)
    ]


def _cells(population: str, learner: str, plan: Plan, short: bool) -> list[DriftingCell]:
    return [
        DriftingCell(
            population=population,
            requests=plan.pick(12, None),
            users=plan.pick(40, 2000),
            learner=learner,
            config=replace(config_of(learner, plan, short), seed=seed),
            actings={"greedy": {}},
        )
        for seed in range(plan.seeds)
    ]
