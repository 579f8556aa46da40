"""Which checkpoints there are: of which learner, on whose users, with which seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from driftrec.agents.benchmark.scenarios import default_users
from driftrec.agents.method import Size
from driftrec.envs import Population, make_population
from driftrec.meta.learner_method import LearnerMethod
from driftrec.meta.methods import METHODS

BEST = ("amortised", "trees", "rl2")
"""Learners of which there is a checkpoint for every seed."""

OTHERS = ("maml", "dpt")

PLAN: Mapping[str, tuple[str, ...]] = {
    "Feed": (*BEST, *OTHERS, "reptile", "gradient-aggregation", "es", "curriculum"),
    "KuaiRand": (*BEST, *OTHERS),
    "Movies": (*BEST, *OTHERS),
    "Retention": (*BEST, "rl2-retention"),
    "Default": BEST,
}
"""Methods by the population that they are trained on; all but the best with one seed alone."""

LICENCES: Mapping[str, str] = {
    "Feed": "MIT",
    "Retention": "MIT",
    "KuaiRand": "CC-BY-SA-4.0 (users and items derived from KuaiRand-Pure)",
    "Default": "CC-BY-SA-4.0 (items derived from KuaiRand-Pure)",
    "Movies": "MIT (users and items derived from MovieTweetings, (c) 2013 Simon Dooms)",
}
"""Of what is learned from a population: that of the data its users and items come from."""


@dataclass(frozen=True)
class Entry:
    """One checkpoint.

    Attributes:
        population: name of the one trained on.
        method: name of the method that is trained.
        seed: of the training.
        size: of the training.
    """

    population: str
    method: str
    seed: int
    size: Size = "standard"

    @property
    def name(self) -> str:
        """By which it is loaded."""
        return f"{self.population.lower()}-{self.method}-{self.seed}"

    @property
    def learner(self) -> LearnerMethod:
        """How it is trained, whatever is shipped already."""
        method = METHODS[self.method]
        assert isinstance(method, LearnerMethod)
        return replace(method, reuse=False)

    @property
    def users(self) -> Population:
        """The population, as it is met."""
        return default_users() if self.population == "Default" else make_population(self.population)

    @property
    def training_users(self) -> Population:
        """The population, as it is trained on."""
        return self.learner.training_users(self.users, self.size)

    @property
    def config(self) -> Any:
        """All options of the learner."""
        return self.learner.config(self.users, seed=self.seed, size=self.size)


def entries(seeds: int, size: Size = "standard") -> list[Entry]:
    """All checkpoints, those of the first seed first."""
    return [
        Entry(population, method, seed, size)
        for seed in range(seeds)
        for population, methods in PLAN.items()
        for method in methods
        if seed == 0 or method in (*BEST, "rl2-retention")
    ]
