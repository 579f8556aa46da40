"""Recommendation by content as methods: by attributes and by keywords."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from driftrec.agents.recommenders.content import Content, keyword_vectors
from driftrec.agents.recommenders.recommender import Recommender
from driftrec.agents.recommenders.scoring import Scorer
from driftrec.agents.recommenders.storage import Arrays, log_odds
from driftrec.agents.recommenders.training_log import TrainingLog
from driftrec.envs import Catalogue, Population
from driftrec.envs.arrays import Array


@dataclass(frozen=True)
class ContentAttributes(Recommender):
    """Items of the topics that the user clicks, for any catalogue of as many topics.

    Attributes:
        popularity: weight of the log-odds of a click by anybody against the cosine.
        skips: weight of a skip against a click.
    """

    name: str = "content-attributes"
    popularity: float = 3.0
    skips: float = 1.0

    any_catalogue: ClassVar[bool] = True

    def learned(self, log: TrainingLog, catalogue: Catalogue, seed: int) -> Arrays:
        """Nothing but the popularity that all recommenders keep."""
        return {}

    def scorer(self, arrays: Arrays, catalogue: Catalogue) -> Scorer:
        """By the cosine of vectors, and popularity."""
        popularity = log_odds(arrays, catalogue)
        return Content(self.vectors(catalogue), popularity, self.popularity, self.skips)

    def vectors(self, catalogue: Catalogue) -> Array:
        """Shares of topics, `(items, topics)`."""
        return np.asarray(catalogue.topics)


@dataclass(frozen=True)
class ContentKeywords(ContentAttributes):
    """Items whose titles and topics have the words of those that the user clicks.

    Attributes:
        words: the most frequent ones that are looked at.
    """

    name: str = "content-keywords"
    words: int = 1000

    def unsuited(self, population: Population) -> str:
        """Why not: feedback is no clicks, or items have no titles."""
        reason = super().unsuited(population)
        if not (reason or population.split("train").catalogue.titles):
            return "reads titles, and the catalogue has none"
        return reason

    def vectors(self, catalogue: Catalogue) -> Array:
        """TF-IDF of words, `(items, words)`."""
        return keyword_vectors(catalogue, self.words)
