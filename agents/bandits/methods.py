"""What bandits have in common as methods of a benchmark."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from driftrec.agents.method import Family, Method, Size
from driftrec.agents.policy import Policy, PolicyFactory, own_seed
from driftrec.agents.recommenders.training_log import TrainingLog, training_log
from driftrec.agents.registry import allowed
from driftrec.envs import Catalogue, Population, RecommendationVectorEnv
from driftrec.envs.arrays import Array
from driftrec.envs.files import replacing

USERS: dict[Size, int] = {"smoke": 100, "standard": 2000, "full": 8000}
"""Training users of what learns from a log, recent-popular included."""

LEARNED = "learned.npz"


@dataclass(frozen=True)
class Bandit(Method):
    """Learns each user from scratch, from what the catalogue says of items."""

    family: Family = "bandit"

    @abstractmethod
    def bandit(self, catalogue: Catalogue, slate: int, seed: int) -> Policy:
        """The policy, which shows unseen items alone; what it draws follows from the seed."""

    def policy(self, folder: Path) -> PolicyFactory:
        """Makes policies, free to repeat an item where the population is."""
        return self._make

    def _make(self, env: RecommendationVectorEnv) -> Policy:
        simulation = env.simulation
        policy = self.bandit(simulation.catalogue, simulation.slate, own_seed(env))
        return allowed(env, policy)


@dataclass(frozen=True)
class TrainedBandit(Method):
    """Knows from the log of training users what to expect of a new one."""

    family: Family = "bandit"

    trains: ClassVar[bool] = True

    @abstractmethod
    def learn(
        self, log: TrainingLog, catalogue: Catalogue, *, seed: int, size: Size
    ) -> dict[str, Array]:
        """What `bandit` needs to know, as arrays by name."""

    @abstractmethod
    def bandit(
        self, learned: Mapping[str, Array], catalogue: Catalogue, slate: int, seed: int
    ) -> Policy:
        """The policy, which shows unseen items alone; what it draws follows from the seed."""

    def fit(
        self, population: Population, folder: Path, *, seed: int, size: Size
    ) -> Mapping[str, float]:
        """Learn from the log of as many training users as `USERS` says."""
        log = training_log(population, USERS[size], seed)
        catalogue = population.split("train").catalogue
        learned = self.learn(log, catalogue, seed=seed, size=size)
        with replacing(Path(folder) / LEARNED) as temporary, temporary.open("wb") as file:
            np.savez(file, **learned)
        return {"users": len(log.items), "user_steps": int(log.active.sum())}

    def policy(self, folder: Path) -> PolicyFactory:
        """Makes policies, free to repeat an item where the population is."""
        return partial(self._make, Path(folder) / LEARNED)

    def _make(self, path: Path, env: RecommendationVectorEnv) -> Policy:
        if not path.exists():
            raise ValueError(f"{self.name} must be trained first: there is no {path}")
        with np.load(path) as file:
            learned = dict(file)
        simulation = env.simulation
        policy = self.bandit(learned, simulation.catalogue, simulation.slate, own_seed(env))
        return allowed(env, policy)


def only_clicks(population: Population) -> str:
    """Why a model of clicks cannot serve these users; empty where their feedback is clicks."""
    low, high = population.model.feedback_range
    if (low, high) == (0, 1):
        return ""
    return f"it models clicks, which are 0 or 1, and feedback lies in [{low:g}, {high:g}]"
