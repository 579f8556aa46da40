"""Where user vectors come from: a finite set, or a mixture of other sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class VectorSource(Protocol):
    """A distribution over user vectors."""

    def draw(self, users: int, rng: np.random.Generator) -> np.ndarray:
        """Vectors of new users, float32 `(users, size)`; 0 users are allowed."""
        ...


@dataclass(frozen=True, eq=False)
class FiniteSource:
    """Users of whom there is only a certain number, each as likely as the others.

    Attributes:
        vectors: `(number, size)`.
    """

    vectors: np.ndarray

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or not len(self.vectors):
            raise ValueError(f"vectors must be (users, size), got shape {self.vectors.shape}")

    def draw(self, users: int, rng: np.random.Generator) -> np.ndarray:
        """Draw with replacement."""
        return self.vectors[rng.integers(len(self.vectors), size=users)]


@dataclass(frozen=True, eq=False)
class MixtureSource:
    """Each user comes from one of several sources.

    Attributes:
        sources: what to draw from.
        shares: how likely each is; they sum to 1.

    Raises:
        ValueError: if the shares are no distribution over the sources.
    """

    sources: Sequence[VectorSource]
    shares: Sequence[float]

    def __post_init__(self) -> None:
        check_shares(self.shares, len(self.sources))

    def draw(self, users: int, rng: np.random.Generator) -> np.ndarray:
        """Draw the source of each user, then the user."""
        origin = rng.choice(len(self.sources), size=users, p=self.shares)
        # All sources draw, so that the vectors of one do not hang on the numbers of the others.
        drawn = np.stack([source.draw(users, rng) for source in self.sources])
        return drawn[origin, np.arange(users)]


def check_shares(shares: Sequence[float], count: int) -> None:
    """Refuse what is no distribution.

    Raises:
        ValueError: if there are not `count` shares, one is negative, or they do not sum to 1.
    """
    if len(shares) != count or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"shares must be {count} numbers from 0 that sum to 1, got {shares}")
