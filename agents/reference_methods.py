"""Reference methods: from knowing nothing to knowing all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from driftrec.agents.bandits.methods import USERS, only_clicks
from driftrec.agents.filter import BayesFilter
from driftrec.agents.filter_model import FilterModel
from driftrec.agents.method import Family, Method, Size
from driftrec.agents.planning import planning_oracle
from driftrec.agents.policy import Policy, PolicyFactory
from driftrec.agents.recent_popular import RecentPopular, recent_rates
from driftrec.agents.recommenders.training_log import training_log
from driftrec.agents.registry import POLICIES, allowed
from driftrec.envs import SPLITS, DriftingUser, Population, RecommendationVectorEnv
from driftrec.envs.drifting_user import default_personas
from driftrec.envs.files import replacing

PUBLIC = ("random", "most-popular", "satiation-aware")
"""Policies that read nothing but observations and the catalogue."""

FILTERS = ("filter-greedy", "filter-thompson", "filter-ucb")

RATES = "rates.npz"


@dataclass(frozen=True)
class NamedMethod(Method):
    """A policy of `driftrec.agents.registry`, or the planning oracle, as a method."""

    def unsuited(self, population: Population) -> str:
        """Where the policy reads of users what these do not tell."""
        if self.name in PUBLIC:
            return ""
        for split in SPLITS:
            if reason := _unread(self.name, population, split):
                return reason
        return ""

    def policy(self, folder: Path) -> PolicyFactory:
        """The factory of that name."""
        return planning_oracle if self.name == "planning-oracle" else POLICIES[self.name]


def _unread(name: str, population: Population, split: str) -> str:
    part = population.split(split)
    if part.model.observed_only:
        return "it asks of users what is known of them by what they do alone"
    if name == "core-oracle" and not isinstance(part.model, DriftingUser):
        return f"it reads the core of a DriftingUser, got {type(part.model).__name__}"
    if name in FILTERS:
        try:
            FilterModel.from_user_model(part.model, part.catalogue)
        except ValueError as error:
            return str(error)
    return ""


@dataclass(frozen=True)
class MisspecifiedFilter(Method):
    """The Bayesian filter with a wrong model, whoever the users are.

    It takes each for a `DriftingUser` of the default parameters without mood, whims and
    satiation: what a filter is worth whose model was not fitted to its users.
    """

    name: str = "filter-misspecified"
    family: Family = "reference"

    def unsuited(self, population: Population) -> str:
        """Where feedback is no click."""
        return only_clicks(population)

    def policy(self, folder: Path) -> PolicyFactory:
        """A `BayesFilter` that acts by UCB, as "filter-ucb" does."""
        return _misspecified


def _misspecified(env: RecommendationVectorEnv) -> Policy:
    catalogue = env.simulation.catalogue
    users = DriftingUser(
        personas=default_personas(12, catalogue.dimension),
        topics=catalogue.topics.shape[1],
        mood_sd=0,
        whim_sd=0,
        satiation=0,
    )
    model = FilterModel.from_user_model(users, catalogue)
    return allowed(env, BayesFilter(model, env.simulation.slate, acting="ucb"))


@dataclass(frozen=True)
class RecentPopularMethod(Method):
    """What training users clicked most, the last days of each counting most.

    Where what is good about items does not change it is most-popular with an item's quality
    estimated instead of known.

    Attributes:
        days: in which a click loses all but 1/e of its weight.
        prior: impressions that each item has before the first, at the rate of the whole log.
    """

    name: str = "recent-popular"
    family: Family = "reference"
    days: float = 7.0
    prior: float = 10.0

    trains: ClassVar[bool] = True
    any_catalogue: ClassVar[bool] = False

    def fit(
        self, population: Population, folder: Path, *, seed: int, size: Size
    ) -> Mapping[str, float]:
        """Count the clicks on each item."""
        log = training_log(population, USERS[size], seed)
        items = len(population.split("train").catalogue)
        rates = recent_rates(log, items, days=self.days, prior=self.prior)
        with replacing(Path(folder) / RATES) as temporary, temporary.open("wb") as file:
            np.savez(file, rates=rates)
        return {"users": len(log.items), "user_steps": int(log.active.sum())}

    def policy(self, folder: Path) -> PolicyFactory:
        """A `RecentPopular` of what was counted."""
        return partial(_recent_popular, Path(folder) / RATES)


def _recent_popular(path: Path, env: RecommendationVectorEnv) -> Policy:
    with np.load(path) as file:
        rates = file["rates"]
    simulation = env.simulation
    if len(rates) != len(simulation.catalogue):
        raise ValueError(
            "recent-popular knows items by their number: the catalogue must have the "
            f"{len(rates)} items that it was trained on, got {len(simulation.catalogue)}"
        )
    return allowed(env, RecentPopular(rates, simulation.slate))


def _named(name: str) -> NamedMethod:
    return NamedMethod(name, "reference")


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        *map(_named, PUBLIC),
        RecentPopularMethod(),
        MisspecifiedFilter(),
        *map(_named, FILTERS),
        *map(_named, ("particle", "core-oracle", "clairvoyant", "planning-oracle")),
    )
}
"""References by name, in the order of what they know."""
