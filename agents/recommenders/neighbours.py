"""Collaborative filtering by neighbours: users alike, and items alike, by LensKit's rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftrec.agents.recommenders.scoring import News
from driftrec.envs.arrays import Array


@dataclass(slots=True)
class ItemNeighboursState:
    """The first axis is the user.

    Attributes:
        similar: similarity of each item to what was clicked, summed, `(users, items)`.
    """

    similar: Array


class ItemNeighbours:
    """Items score by the sum of their similarities to the items that the user clicked.

    LensKit's `ItemKNNScorer` for implicit feedback (Deshpande and Karypis 2004), without a limit
    on neighbours when scoring; skips are not used. The sums are updated with each click.

    Args:
        similarity: of what was clicked (row) to what is scored, `(items, items)`; 0 for no
            neighbours.
    """

    def __init__(self, similarity: Array) -> None:
        self._similarity = similarity

    def start(self, users: int) -> ItemNeighboursState:
        """No clicks."""
        return ItemNeighboursState(np.zeros((users, len(self._similarity)), np.float32))

    def learn(self, state: ItemNeighboursState, news: News) -> ItemNeighboursState:
        """Add the similarities to what was clicked now."""
        added = np.vecmat(news.feedback, self._similarity[news.items])
        return ItemNeighboursState(state.similar + added)

    def scores(self, state: ItemNeighboursState) -> Array:
        """Summed similarity, `(users, items)`."""
        return state.similar


@dataclass(slots=True)
class UserNeighboursState:
    """The first axis is the user.

    Attributes:
        similarity: of each training user, `(users, training)`.
    """

    similarity: Array


class UserNeighbours:
    """Items score by the similarity of the training users who clicked them.

    The similarity of a training user is the product of the user's clicks (1 an item) with the
    training user's clicks, those scaled to length 1: LensKit's `UserKNNScorer` for implicit
    feedback, without a limit on neighbours; skips are not used. The similarities are updated with
    each click.

    Args:
        clicks: 1 where a training user clicked an item, `(training, items)`.
    """

    def __init__(self, clicks: Array) -> None:
        self._clicks = clicks.astype(np.float32)
        length = np.sqrt(self._clicks.sum(1, keepdims=True))
        self._vectors = np.ascontiguousarray((self._clicks / np.maximum(length, 1)).T)

    def start(self, users: int) -> UserNeighboursState:
        """No clicks."""
        return UserNeighboursState(np.zeros((users, len(self._clicks)), np.float32))

    def learn(self, state: UserNeighboursState, news: News) -> UserNeighboursState:
        """Add the products with what was clicked now."""
        added = np.vecmat(news.feedback, self._vectors[news.items])
        return UserNeighboursState(state.similarity + added)

    def scores(self, state: UserNeighboursState) -> Array:
        """Summed similarity of who clicked the item, `(users, items)`."""
        return state.similarity @ self._clicks
