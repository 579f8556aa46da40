"""Fine-tuning: a policy learned from one population goes on learning from a few users of another.

The few users are simulated as their hidden state says, as often as it takes: what is scarce is
whom the learner knows, not how long it may look. A fifth of them is kept apart to tell whether it
gets better; where it does not, the policy stays what it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from driftrec.agents.method import Family, Method, Size
from driftrec.agents.policy import PolicyFactory
from driftrec.envs import Population, make_population
from driftrec.envs.files import write_bytes, write_json
from driftrec.envs.finite_users import FiniteUsers
from driftrec.meta.clock import Clock
from driftrec.meta.learner_method import COST, LearnerMethod, cost_of, discard_training
from driftrec.meta.registry import learner_type, load
from driftrec.meta.saved_method import FILE

HELD_OUT = 0.2
"""Share of the few users who are kept apart for validation."""


def few_users(population: Population, users: int, seed: int = 0) -> Population:
    """The population with a finite set of users to learn from and to choose by.

    Args:
        population: whose `train` and `validation` users they are drawn from.
        users: in all, of whom a fifth is for validation.
        seed: of who these are.

    Raises:
        ValueError: if they are fewer than 5.
    """
    if users < 5:
        raise ValueError(f"users must be at least 5, one of them for validation, got {users}")
    apart = round(HELD_OUT * users)
    variants = dict(population.variants)
    for name, share in (("train", users - apart), ("validation", apart)):
        split = population.split(name)
        variants[name] = FiniteUsers(split.model, share, seed), split.catalogue
    return replace(population, variants=variants)


@dataclass(frozen=True)
class FineTuned(Method):
    """A learner trained on the users that it is given, then on a few of the target population.

    Attributes:
        learner: how the policy to go on from is learned.
        users: of the target, of whom a fifth tells whether it gets better.
        iterations: batches of trials, after those of `learner`; 0 for none.
        learning_rate: at the start of these.
        targets: by the name of the population trained on, that of the target.
    """

    name: str
    family: Family = "meta"
    learner: LearnerMethod = field(default_factory=lambda: LearnerMethod("rl2", learner="rl2"))
    users: int = 100
    iterations: int = 6
    learning_rate: float = 1e-3
    targets: Mapping[str, str] = field(
        default_factory=lambda: {"KuaiRand": "Movies", "Movies": "KuaiRand", "Default": "KuaiRand"}
    )

    trains: ClassVar[bool] = True

    def unsuited(self, population: Population) -> str:
        """Why there is nothing to fine-tune on, or the learner cannot serve."""
        if population.name not in self.targets:
            return f"there is no target to fine-tune on from {population.name!r}"
        return self.learner.unsuited(population)

    def fit(
        self, population: Population, folder: Path, *, seed: int, size: Size
    ) -> Mapping[str, float]:
        """Train as the learner does, then on the target.

        Returns:
            The learner's costs with those of fine-tuning added, and these alone as `tuning_*`.
        """
        if (folder / COST).exists():
            done: dict[str, float] = json.loads((folder / COST).read_text())
            return done
        source = folder / "source"
        source.mkdir(exist_ok=True)
        before = self.learner.fit(population, source, seed=seed, size=size)
        tuning = self.tune(source / FILE, self.target(population, seed, size), folder, seed, size)
        cost = {**before, "validation": tuning.pop("validation")}
        for name, value in tuning.items():
            cost |= {name: before.get(name, 0.0) + value, f"tuning_{name}": value}
        write_json(folder / COST, cost)
        discard_training(folder)
        return cost

    def target(self, population: Population, seed: int, size: Size) -> Population:
        """The few users of the target of those trained on."""
        target = make_population(self.targets[population.name])
        return few_users(self.learner.training_users(target, size), self.users, seed)

    def tune(
        self, source: Path, target: Population, folder: Path, seed: int, size: Size
    ) -> dict[str, float]:
        """Go on from a checkpoint on the target's users; leaves the policy in the folder."""
        if not self.iterations:
            write_bytes(folder / FILE, source.read_bytes())
            return {"validation": float(load(source).about["validation"])}
        config = self.config(target, seed=seed, size=size)
        clock = Clock(folder / "clock.json")
        learner: Any = learner_type(self.learner.learner)(config)
        policy = learner.fit(target, folder, resume=True, initial=source, progress=clock)
        policy.save(folder / FILE)
        return cost_of(policy, config, target, clock.total)

    def config(self, target: Population, *, seed: int, size: Size) -> Any:
        """The learner's config with the length and rate of fine-tuning."""
        config = self.learner.config(target, seed=seed, size=size)
        iterations = min(self.iterations, config.iterations)
        return replace(
            config, iterations=iterations, learning_rate=self.learning_rate, validate_every=1
        )

    def policy(self, folder: Path) -> PolicyFactory:
        """Acts as the learner's does."""
        return self.learner.policy(folder)
