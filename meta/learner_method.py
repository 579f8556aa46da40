"""Learners as methods of a benchmark: trained, or taken from the checkpoints that are shipped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from driftrec.agents.method import Family, Method, Size
from driftrec.agents.policy import PolicyFactory
from driftrec.envs import DriftingUser, Population
from driftrec.envs.files import write_bytes, write_json
from driftrec.meta.clock import Clock
from driftrec.meta.learner import LearnedPolicy
from driftrec.meta.pretrained import find_pretrained
from driftrec.meta.registry import learner_type
from driftrec.meta.saved_method import FILE, saved_policy

LONGEST_TRIAL: dict[str, int] = {"smoke": 20, "standard": 120}
"""Requests after which training trials are cut, by size; full cuts none."""

LONG_TRAINING = "Feed"
"""The population on which standard trainings are long: defaults are tuned on its users."""

COST = "cost.json"
"""File in the folder of a training that says what it cost, once it is done."""


@dataclass(frozen=True)
class LearnerMethod(Method):
    """A meta-learner, trained on the users that it is given.

    Its config is the learner's of the size, with what this method says: full takes the learner's
    defaults, standard is cut to what two cores train in an evening.

    Attributes:
        learner: its name in the registry.
        always: options of its config in any size.
        standard: what else differs in the standard size.
        short: what else differs there on populations other than `LONG_TRAINING`.
        reuse: take the checkpoint that is shipped where it was trained alike (same users, config
            and seed), with the cost that was recorded, instead of training again.
    """

    name: str
    family: Family = "meta"
    learner: str = ""
    always: Mapping[str, Any] = field(default_factory=dict)
    standard: Mapping[str, Any] = field(default_factory=dict)
    short: Mapping[str, Any] = field(default_factory=dict)
    reuse: bool = True

    trains: ClassVar[bool] = True

    def unsuited(self, population: Population) -> str:
        """What the learner asks of its users that these have not."""
        model = population.split("train").model
        if self.learner == "trees" and not _clicks(population):
            return f"trees learn clicks, feedback in [0, 1]; here it is in {model.feedback_range}"
        if self.learner == "curriculum" and not isinstance(model, DriftingUser):
            return f"the curriculum generates DriftingUser alone, not {type(model).__name__}"
        return ""

    def config(self, population: Population, *, seed: int, size: Size) -> Any:
        """How the learner is trained on these users.

        Raises:
            ValueError: if the config has no such option, or refuses a value.
        """
        kind: Any = learner_type(self.learner).config_type
        smoke = size == "smoke"
        of_size = getattr(kind, "of_size", None)
        config = of_size("smoke" if smoke else "standard") if of_size else kind()
        options: dict[str, Any] = {}
        if size == "standard":
            options |= self.standard
            options |= {} if population.name == LONG_TRAINING else self.short
        options |= self.always
        known = {item.name for item in fields(kind)}
        if unknown := set(options) - known:
            raise ValueError(f"{kind.__name__} has no option {sorted(unknown)}")
        options |= {"seed": seed} if "seed" in known else {}
        return replace(config, **options)

    def training_users(self, population: Population, size: Size) -> Population:
        """The population with trials as long as training lets them be."""
        longest = min(population.max_requests, LONGEST_TRIAL.get(size, population.max_requests))
        return replace(population, max_requests=longest)

    def fit(
        self, population: Population, folder: Path, *, seed: int, size: Size
    ) -> Mapping[str, float]:
        """Train, or go on, or take what is shipped; leaves `policy.safetensors`.

        Returns:
            `user_steps` of the training batches (a trial counts whole, also where the user is lost
            before its end), `cpu_seconds` with validation, the `validation` score that chose the
            weights, and `reused`: 1 where the training is not of now.
        """
        if (folder / COST).exists():
            done: dict[str, float] = json.loads((folder / COST).read_text())
            return done
        population = self.training_users(population, size)
        config = self.config(population, seed=seed, size=size)
        found = find_pretrained(population, self.learner, config) if self.reuse else None
        if found is not None:
            write_bytes(folder / FILE, found.path.read_bytes())
            cost = {**found.card.cost, "reused": 1.0}
        else:
            cost = self.train(config, population, folder) | {"reused": 0.0}
        write_json(folder / COST, cost)
        discard_training(folder)
        return cost

    def train(self, config: Any, population: Population, folder: Path) -> dict[str, float]:
        """Train with a config, and count the cost."""
        clock = Clock(folder / "clock.json")
        learner = learner_type(self.learner)(config)
        policy = learner.fit(population, folder, resume=True, progress=clock)
        policy.save(folder / FILE)
        return cost_of(policy, config, population, clock.total)

    def policy(self, folder: Path) -> PolicyFactory:
        """Acts as the config says, greedily unless it says otherwise."""
        return partial(saved_policy, path=folder / FILE)


def _clicks(population: Population) -> bool:
    low, high = population.split("train").model.feedback_range
    return low >= 0 and high <= 1


def cost_of(
    policy: LearnedPolicy, config: Any, population: Population, cpu_seconds: float
) -> dict[str, float]:
    """What a training cost, and what it came to."""
    about = policy.about
    cost = {"cpu_seconds": round(cpu_seconds, 3), "validation": float(about["validation"])}
    iterations = about.get("iteration", getattr(config, "iterations", None))
    if iterations is not None and hasattr(config, "users"):
        cost["user_steps"] = float(iterations * config.users * population.max_requests)
    return cost


def discard_training(folder: Path) -> None:
    """Delete what only a training that goes on would need."""
    for path in folder.glob("*.safetensors"):
        if path.name != FILE:
            path.unlink()
    shutil.rmtree(folder / "tensorboard", ignore_errors=True)
    (folder / "clock.json").unlink(missing_ok=True)
