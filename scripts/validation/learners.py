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


@dataclass(frozen=True)
class Setting:
    """How a learner is trained, and how its policy acts.

    Attributes:
        standard: what differs from the learner's defaults in the standard size, which is cut to
            what two cores train in a day; the full size takes the defaults.
        actings: options of `load` by what they are called in tables; "" is the saved policy.
    """

    standard: Mapping[str, Any]
    actings: Mapping[str, Mapping[str, Any]]


SETTINGS: dict[str, Setting] = {
    "rl2": Setting(
        {"iterations": 60, "users": 512, "ppo": PPOConfig(minibatches=16)}, {"greedy": {}}
    ),
    "amortised": Setting(
        {"iterations": 80, "users": 512},
        {"greedy": {}, "UCB": {"acting": "ucb"}, "Thompson": {"acting": "thompson"}},
    ),
    "dpt": Setting(
        {"iterations": 40, "users": 512}, {"argmax": {}, "sampled": {"acting": "sample"}}
    ),
    "maml": Setting({}, {"greedy": {}, "not adapting": {"adapt": False}}),
    "reptile": Setting({}, {"greedy": {}, "not adapting": {"adapt": False}}),
    "gradient-aggregation": Setting({}, {"greedy": {}, "not adapting": {"adapt": False}}),
    "es": Setting({"iterations": 20, "users": 2048}, {"greedy": {}}),
    "curriculum": Setting(
        {"iterations": 60, "users": 512, "ppo": PPOConfig(minibatches=16)}, {"greedy": {}}
    ),
    "trees": Setting({}, {"greedy": {}}),
}
"""By the learner's name in the registry."""

PLAIN = Setting({}, {"greedy": {}})
"""For built-in learners that have no entry."""


def setting(learner: str) -> Setting:
    """How a learner is trained, and how its policy acts."""
    return SETTINGS.get(learner, PLAIN)


def built_in() -> list[str]:
    """Names of the learners that come with the package."""
    return list(LEARNERS)


def config_of(learner: str, plan: Plan) -> Any:
    """The config of a size."""
    kind: Any = learner_type(learner).config_type
    if plan.size == "smoke":
        return kind.of_size("smoke")
    return replace(kind.of_size("standard"), **plan.pick({}, setting(learner).standard, {}))


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
    """

    learner: str
    config: Any
    actings: Mapping[str, Mapping[str, Any]]
    training_users: int | None = None

    @property
    def name(self) -> str:
        """Population, learner, seed, and how many training users."""
        few = "" if self.training_users is None else f" {self.training_users} training users"
        return f"{self.population} {self.learner}{few} seed {self.config.seed}"

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
                for split in splits_of(self.population)
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
        for split in splits_of(self.population):
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


def drifting_cells(
    population: str,
    plan: Plan,
    learners: Sequence[str],
    training_users: int | None = None,
) -> list[DriftingCell]:
    """A cell for each learner and seed."""
    known = [name for name in learners if name in built_in()]
    return [
        DriftingCell(
            population=population,
            requests=plan.pick(12, None),
            users=plan.pick(40, 2000),
            learner=name,
            config=replace(config_of(name, plan), seed=seed),
            actings=setting(name).actings,
            training_users=training_users,
        )
        for name in known
        for seed in range(plan.seeds)
    ]
