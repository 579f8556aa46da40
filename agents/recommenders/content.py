"""Recommendation by content: items like those that the user clicked, by what they are about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftrec.agents.recommenders.scoring import News
from driftrec.envs import Catalogue
from driftrec.envs.arrays import Array


@dataclass(slots=True)
class ProfileState:
    """The first axis is the user.

    Attributes:
        profile: items clicked less items skipped, `(users, attributes)`.
    """

    profile: Array


class Content:
    r"""Items score by the cosine of their vector to the user's profile, and by popularity.

    The profile is the sum of the unit vectors of items clicked less `skips` times that of items
    skipped (Rocchio 1971), updated with each answer, and an item scores

        cosine(profile, item) + weight * popularity.

    Args:
        vectors: of the items, `(items, attributes)`.
        popularity: log-odds of a click by anybody, `(items,)`.
        weight: of popularity; it also ranks the many items of one topic.
        skips: weight of a skip against a click.
    """

    def __init__(self, vectors: Array, popularity: Array, weight: float, skips: float) -> None:
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        self._vectors = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
        self._popularity = np.float32(weight) * popularity
        self._skips = np.float32(skips)

    def start(self, users: int) -> ProfileState:
        """An empty profile."""
        return ProfileState(np.zeros((users, self._vectors.shape[1]), np.float32))

    def learn(self, state: ProfileState, news: News) -> ProfileState:
        """Add what was clicked now, and take off what was skipped."""
        skipped = (1 - news.feedback) * news.known[:, None]
        liking = news.feedback - self._skips * skipped
        return ProfileState(state.profile + np.vecmat(liking, self._vectors[news.items]))

    def scores(self, state: ProfileState) -> Array:
        """Cosine and popularity, `(users, items)`."""
        return self.cosine(state) + self._popularity

    def cosine(self, state: ProfileState) -> Array:
        """Cosine of each item to the profile, `(users, items)`; 0 for an empty one."""
        length = np.linalg.norm(state.profile, axis=1, keepdims=True)
        return (state.profile / np.maximum(length, np.float32(1e-12))) @ self._vectors.T


def keyword_vectors(catalogue: Catalogue, words: int) -> Array:
    """TF-IDF of the words in each item's title and the names of its topics, by scikit-learn.

    Args:
        catalogue: with titles.
        words: the most frequent ones to keep.

    Returns:
        Rows of length 1 or 0, float32 `(items, words)`.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]  # ships no types

    names = np.array(catalogue.topic_names or [""] * catalogue.topics.shape[1], dtype=object)
    texts = [
        " ".join([title, *names[topics > 0]])
        for title, topics in zip(catalogue.titles, catalogue.topics, strict=True)
    ]
    vectors = TfidfVectorizer(max_features=words, token_pattern=r"\w+").fit_transform(texts)
    dense: Array = vectors.toarray().astype(np.float32)
    return dense
