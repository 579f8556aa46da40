"""A policy that shows what a scorer scores highest, and learns from each answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from driftrec.agents.memory import Memory, known, new_memory, top_unseen
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation


@dataclass(slots=True)
class News:
    """What came of the last slate; the first axis of every array is the user.

    Attributes:
        items: what was shown, `(users, slate)`.
        feedback: on each item, float32 `(users, slate)`; 0 for a new user.
        known: 1 where anything was shown at all, float32 `(users,)`.
    """

    items: Array
    feedback: Array
    known: Array


class Scorer(Protocol):
    """A trained recommender: how much each user would like each item, given the history."""

    def start(self, users: int) -> Any:
        """What is remembered of users without a history: a dataclass of arrays."""
        ...

    def learn(self, state: Any, news: News) -> Any:
        """What is remembered after one more slate; the state handed in is not changed."""
        ...

    def scores(self, state: Any) -> Array:
        """Scores float32 `(users, items)`, smaller than 5000 in absolute value."""
        ...


@dataclass(slots=True)
class ScoringState:
    """Attributes are arrays with the user as first axis, or dataclasses of such.

    Attributes:
        memory: what was shown.
        clicks: how many items were clicked, float32 `(users,)`.
        learned: the scorer's own state.
        scores: by which the last slate was chosen, `(users, items)`.
    """

    memory: Memory
    clicks: Array
    learned: Any
    scores: Array


class ScoringPolicy:
    """Shows the unseen items of highest score, and what is popular until the first click.

    Args:
        scorer: of the items.
        popularity: score of each item for a user who has clicked nothing yet, `(items,)`; None
            where the scorer is to be asked from the start.
        items: size of the catalogue.
        slate: items in a request.
    """

    def __init__(
        self, scorer: Scorer, popularity: Array | None, items: int, slate: int = 1
    ) -> None:
        self._scorer = scorer
        self._popularity = popularity
        self._items = items
        self._slate = slate

    def start(self, users: int) -> ScoringState:
        """Nothing shown yet."""
        return ScoringState(
            memory=new_memory(users, self._items, self._slate),
            clicks=np.zeros(users, np.float32),
            learned=self._scorer.start(users),
            scores=np.zeros((users, self._items), np.float32),
        )

    def act(self, observation: Observation, state: ScoringState) -> tuple[Array, ScoringState]:
        """The best unseen items, `(users, slate)`, and the new state."""
        news = news_of(observation, state.memory)
        clicks = state.clicks + news.feedback.sum(1)
        learned = self._scorer.learn(state.learned, news)
        scores = self._scorer.scores(learned)
        if self._popularity is not None:
            scores = np.where(clicks[:, None] > 0, scores, self._popularity)
        items = top_unseen(scores, state.memory.shown, self._slate)
        return items, ScoringState(state.memory.after(items), clicks, learned, scores)


class PredictingPolicy(ScoringPolicy):
    """A scoring policy whose scores are click probabilities."""

    def predict(self, state: ScoringState, items: Array) -> Array:
        """Click probability of items under the state that `act` returned, `(users, slate)`."""
        return np.take_along_axis(state.scores, items, axis=1)


def news_of(observation: Observation, memory: Memory) -> News:
    """What an observation tells of the slate that was shown last."""
    told = known(observation)
    return News(memory.last, observation["feedback"] * told[:, None], told)
