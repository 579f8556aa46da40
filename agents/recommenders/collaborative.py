"""Collaborative filtering as methods: by neighbours and by factors."""

from __future__ import annotations

from dataclasses import dataclass

from driftrec.agents.recommenders import fitting
from driftrec.agents.recommenders.factors import LeastSquares, PairwiseRanking
from driftrec.agents.recommenders.neighbours import ItemNeighbours, UserNeighbours
from driftrec.agents.recommenders.ratings import clicked, confidence
from driftrec.agents.recommenders.recommender import Recommender
from driftrec.agents.recommenders.scoring import Scorer
from driftrec.agents.recommenders.storage import Arrays
from driftrec.agents.recommenders.training_log import TrainingLog
from driftrec.envs import Catalogue


@dataclass(frozen=True)
class UserKNN(Recommender):
    """User-based collaborative filtering by clicks.

    Attributes:
        training: training users among whom neighbours are sought, the first of the log.
    """

    name: str = "user-knn"
    training: int = 2000

    def learned(self, log: TrainingLog, catalogue: Catalogue, seed: int) -> Arrays:
        """The clicks of training users."""
        clicks = clicked(log.users(slice(self.training)), len(catalogue))
        return {"clicks": clicks.toarray() > 0}

    def scorer(self, arrays: Arrays, catalogue: Catalogue) -> Scorer:
        """By the clicks of those alike."""
        return UserNeighbours(arrays["clicks"])


@dataclass(frozen=True)
class ItemKNN(Recommender):
    """Item-based collaborative filtering by clicks.

    Attributes:
        neighbours: kept of each item.
    """

    name: str = "item-knn"
    neighbours: int = 100

    def learned(self, log: TrainingLog, catalogue: Catalogue, seed: int) -> Arrays:
        """Similarities of items."""
        clicks = clicked(log, len(catalogue))
        return {"similarity": fitting.item_similarities(clicks, self.neighbours)}

    def scorer(self, arrays: Arrays, catalogue: Catalogue) -> Scorer:
        """By similarity to what was clicked."""
        return ItemNeighbours(arrays["similarity"])


@dataclass(frozen=True)
class ALS(Recommender):
    """Factors of clicks and skips by alternating least squares.

    Attributes:
        factors: of users and items.
        ridge: weight of the prior that factors are 0.
        weight: of an item shown against one that was not.
        iterations: of the alternation.
    """

    name: str = "als"
    factors: int = 8
    ridge: float = 100.0
    weight: float = 10.0
    iterations: int = 15

    def learned(self, log: TrainingLog, catalogue: Catalogue, seed: int) -> Arrays:
        """Items' factors."""
        factors = fitting.least_squares_factors(
            confidence(log, len(catalogue), self.weight),
            factors=self.factors,
            ridge=self.ridge,
            iterations=self.iterations,
            seed=seed,
        )
        return {"factors": factors}

    def scorer(self, arrays: Arrays, catalogue: Catalogue) -> Scorer:
        """By factors, the user's solved for anew at each request."""
        return LeastSquares(arrays["factors"], self.ridge, self.weight)


@dataclass(frozen=True)
class BPR(Recommender):
    """Factors of clicks by Bayesian personalised ranking.

    Attributes:
        factors: of users and items.
        ridge: of the factors.
        rate: of learning.
        iterations: passes over the clicks.
        online_rate: size of the user's steps, one a click.
    """

    name: str = "bpr"
    factors: int = 8
    ridge: float = 0.01
    rate: float = 0.003
    iterations: int = 60
    online_rate: float = 0.1

    def learned(self, log: TrainingLog, catalogue: Catalogue, seed: int) -> Arrays:
        """Items' factors and biases."""
        factors = fitting.pairwise_factors(
            clicked(log, len(catalogue)),
            factors=self.factors,
            ridge=self.ridge,
            rate=self.rate,
            iterations=self.iterations,
            seed=seed,
        )
        return {"factors": factors}

    def scorer(self, arrays: Arrays, catalogue: Catalogue) -> Scorer:
        """By factors, the user's moved at each click."""
        return PairwiseRanking(arrays["factors"], self.online_rate, self.ridge)
