"""What recommenders have in common as methods: a log of training users, and a file of arrays."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from driftrec.agents.method import Family, Method, Size
from driftrec.agents.policy import Policy, PolicyFactory
from driftrec.agents.recommenders.ratings import click_rates
from driftrec.agents.recommenders.scoring import PredictingPolicy, Scorer, ScoringPolicy
from driftrec.agents.recommenders.storage import Arrays, Served, log_odds, save
from driftrec.agents.recommenders.training_log import TrainingLog, training_log
from driftrec.envs import Catalogue, Population

TRAINING_USERS: dict[Size, int] = {"smoke": 200, "standard": 4000, "full": 16000}
"""Users in the log that recommenders are fitted to."""


@dataclass(frozen=True)
class Recommender(Method):
    """Fitted to the log of training users, and told of each click of those it serves.

    Until a user clicks something, items are shown by their click rate in the log, unless scores
    are click probabilities from the first request on.

    Attributes:
        any_catalogue: whether it may serve items other than those it was trained on.
        predicts: whether scores are click probabilities.
    """

    family: Family = "recommender"

    trains: ClassVar[bool] = True
    any_catalogue: ClassVar[bool] = False
    predicts: ClassVar[bool] = False

    @abstractmethod
    def learned(self, log: TrainingLog, catalogue: Catalogue, seed: int) -> Arrays:
        """What is learned from a log, as arrays by name."""

    @abstractmethod
    def scorer(self, arrays: Arrays, catalogue: Catalogue) -> Scorer:
        """The scorer of what was learned.

        Args:
            arrays: of `learned`, and those that `base` gives.
            catalogue: what can be shown.
        """

    def make(self, arrays: Arrays, catalogue: Catalogue, slate: int) -> Policy:
        """The policy of what was learned."""
        scorer = self.scorer(arrays, catalogue)
        if self.predicts:
            return PredictingPolicy(scorer, None, len(catalogue), slate)
        return ScoringPolicy(scorer, log_odds(arrays, catalogue), len(catalogue), slate)

    def unsuited(self, population: Population) -> str:
        """Why not: it learns from clicks, which feedback beyond 0 and 1 is not."""
        low, high = population.split("train").model.feedback_range
        if low < 0 or high > 1:
            return f"learns from clicks, and feedback ranges from {low} to {high}"
        return ""

    def fit(
        self, population: Population, folder: Path, *, seed: int, size: Size
    ) -> Mapping[str, float]:
        """Gather the log, learn from it, and save what was learned.

        Raises:
            ValueError: if the method is unsuited.
        """
        if reason := self.unsuited(population):
            raise ValueError(f"{self.name} {reason}")
        log = training_log(population, TRAINING_USERS[size], seed)
        catalogue = population.split("train").catalogue
        save(folder, {**base(log, catalogue), **self.learned(log, catalogue, seed)})
        return {"user_steps": float(log.active.sum())}

    def policy(self, folder: Path) -> PolicyFactory:
        """Makes policies that serve the catalogue trained on, and any other where that is said."""
        return Served(Path(folder), self.make, self.name, self.any_catalogue)


def base(log: TrainingLog, catalogue: Catalogue) -> Arrays:
    """What every recommender keeps: the items it knows, and how often each is clicked."""
    return {"table": catalogue.table, "rates": click_rates(log, len(catalogue))}
