"""Recommendation by sequences as a method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from driftrec.agents.named_arrays import prefixed, within
from driftrec.agents.recommenders.recommender import Recommender, base
from driftrec.agents.recommenders.scoring import Scorer
from driftrec.agents.recommenders.storage import Arrays, log_odds
from driftrec.agents.recommenders.training_log import TrainingLog
from driftrec.envs import Catalogue


@dataclass(frozen=True)
class GRU4Rec(Recommender):
    """A recurrent network over clicks and skips; it knows from training what is popular.

    Attributes:
        width: of embeddings and units.
        epochs: passes over the log.
        batch: users in a gradient step.
        rate: of learning.
        decay: of the items' own embeddings.
    """

    name: str = "gru4rec"
    width: int = 32
    epochs: int = 16
    batch: int = 64
    rate: float = 0.01
    decay: float = 5.0

    predicts: ClassVar[bool] = True

    def learned(self, log: TrainingLog, catalogue: Catalogue, seed: int) -> Arrays:
        """The network's weights."""
        from driftrec.agents.recommenders import gru4rec

        popularity = log_odds(base(log, catalogue), catalogue)
        weights = gru4rec.fit(
            log,
            catalogue.table,
            popularity,
            width=self.width,
            epochs=self.epochs,
            batch=self.batch,
            rate=self.rate,
            decay=self.decay,
            seed=seed,
        )
        return prefixed("network", weights)

    def scorer(self, arrays: Arrays, catalogue: Catalogue) -> Scorer:
        """The network."""
        from driftrec.agents.recommenders.gru4rec import Recurrent

        return Recurrent(within("network", arrays), catalogue.table)
