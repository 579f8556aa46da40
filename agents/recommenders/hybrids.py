"""Hybrids as methods: weighted and mixed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import numpy as np

from driftrec.agents.named_arrays import prefixed, within
from driftrec.agents.policy import Policy
from driftrec.agents.recommenders.collaborative import ALS, ItemKNN, UserKNN
from driftrec.agents.recommenders.content_based import ContentAttributes
from driftrec.agents.recommenders.mixed import Mixed
from driftrec.agents.recommenders.recommender import Recommender, base
from driftrec.agents.recommenders.scoring import Scorer
from driftrec.agents.recommenders.storage import Arrays, log_odds
from driftrec.agents.recommenders.training_log import TrainingLog
from driftrec.agents.recommenders.weighted import Weighted, fit_weights
from driftrec.envs import Catalogue


@dataclass(frozen=True)
class WeightedHybrid(Recommender):
    """A weighted sum of ALS, content by attributes and popularity, as a click probability.

    Attributes:
        collaborative: the one part.
        content: the other; its weight of popularity is not used.
        held_out: share of the log's users by whom the parts are weighed.
    """

    name: str = "weighted-hybrid"
    collaborative: ALS = field(default_factory=ALS)
    content: ContentAttributes = field(default_factory=partial(ContentAttributes, popularity=0.0))
    held_out: float = 0.2

    predicts: ClassVar[bool] = True

    def learned(self, log: TrainingLog, catalogue: Catalogue, seed: int) -> Arrays:
        """Items' factors from most users, and weights from the others."""
        fitted = len(log.items) - max(1, round(self.held_out * len(log.items)))
        part = log.users(slice(fitted))
        factors = self.collaborative.learned(part, catalogue, seed)
        equal = {"weights": np.ones(6, np.float32), **base(part, catalogue), **factors}
        hybrid = self.scorer(equal, catalogue)
        return {**factors, "weights": fit_weights(hybrid, log.users(slice(fitted, None)))}

    def scorer(self, arrays: Arrays, catalogue: Catalogue) -> Weighted:
        """By the weighted sum."""
        return Weighted(
            self.collaborative.scorer(arrays, catalogue),
            self.content.scorer(arrays, catalogue),
            log_odds(arrays, catalogue),
            arrays["weights"],
        )


@dataclass(frozen=True)
class MixedHybrid(Recommender):
    """The lists of two recommenders, interleaved.

    Attributes:
        first: whose list begins at the first request.
        second: the other.
    """

    first: Recommender = field(default_factory=UserKNN)
    second: Recommender = field(default_factory=ItemKNN)

    def learned(self, log: TrainingLog, catalogue: Catalogue, seed: int) -> Arrays:
        """What both learn."""
        return {
            **prefixed("first", self.first.learned(log, catalogue, seed)),
            **prefixed("second", self.second.learned(log, catalogue, seed)),
        }

    def scorer(self, arrays: Arrays, catalogue: Catalogue) -> Scorer:
        """The first one's."""
        return self.first.scorer({**arrays, **within("first", arrays)}, catalogue)

    def make(self, arrays: Arrays, catalogue: Catalogue, slate: int) -> Policy:
        """A policy that interleaves both."""
        second = self.second.scorer({**arrays, **within("second", arrays)}, catalogue)
        popularity = log_odds(arrays, catalogue)
        return Mixed(self.scorer(arrays, catalogue), second, popularity, slate)
