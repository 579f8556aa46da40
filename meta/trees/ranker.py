"""What is learnt: a linear start and boosted trees that score rows of statistics."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from lightgbm import Booster

from driftrec.envs.arrays import Array


@dataclass(frozen=True, eq=False)
class Ranker:
    """Scores rows of statistics. Scores are compared within one request of one user alone.

    Attributes:
        linear: weight of each column, float32 `(columns,)`; it picks the candidates.
        linear_start: whether the trees add to the linear score, or stand alone.
        members: boosted models as LightGBM writes them, none before training.
        upper: a model of the upper quantile of the error, or "".
    """

    linear: Array
    linear_start: bool = True
    members: tuple[str, ...] = ()
    upper: str = ""

    @cached_property
    def _boosters(self) -> list[Booster]:
        return [Booster(model_str=text) for text in self.members]

    @cached_property
    def _upper(self) -> Booster:
        return Booster(model_str=self.upper)

    @property
    def has_width(self) -> bool:
        """Whether there is anything that a bonus could weigh."""
        return bool(self.upper) or len(self.members) > 1

    def scores(self, rows: Array, bonus: float = 0.0) -> Array:
        """The mean, plus `bonus` times the width where it is not 0, `(rows,)`.

        The width is the upper quantile of the error, or the standard deviation of the members.

        Args:
            rows: statistics, float32 `(rows, columns)`.
            bonus: in widths.
        """
        scores = rows @ self.linear if self.linear_start or not self.members else 0.0
        if not self.members:
            return scores
        parts = np.stack([predict(booster, rows) for booster in self._boosters])
        scores = scores + parts.mean(0)
        if bonus:
            width = predict(self._upper, rows) if self.upper else parts.std(0)
            scores = scores + bonus * width
        return scores

    def text(self) -> str:
        """All of it as JSON; `from_text` reads it back to the bit."""
        content = {
            "linear": self.linear.tolist(),
            "linear_start": self.linear_start,
            "members": self.members,
            "upper": self.upper,
        }
        return json.dumps(content)

    @classmethod
    def from_text(cls, text: str) -> Ranker:
        """What `text` wrote."""
        content: dict[str, Any] = json.loads(text)
        return cls(
            np.array(content["linear"], np.float32),
            content["linear_start"],
            tuple(content["members"]),
            content["upper"],
        )


def predict(booster: Booster, rows: Array) -> Array:
    """A booster's prediction for each row, float64 `(rows,)`, on one thread."""
    return np.asarray(booster.predict(rows, num_threads=1))
