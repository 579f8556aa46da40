"""A hybrid of two recommenders by a weighted score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from driftrec.agents.recommenders.scoring import News, Scorer
from driftrec.agents.recommenders.training_log import TrainingLog
from driftrec.envs.arrays import Array


@dataclass(slots=True)
class PairState:
    """What two scorers remember.

    Attributes:
        first: of the first one.
        second: of the second one.
    """

    first: Any
    second: Any


class Weighted:
    r"""Items score by a weighted sum of two scores and popularity (Burke 2002, section 3.1).

    The weights are those of a logistic regression, so that the score is a click probability. With
    f_i and s_i the two scores of an item, p_i its popularity, and means over all items,

        sigmoid(w_0 + w_1 (f_i - mean f) + w_2 (s_i - mean s) + w_3 p_i + w_4 mean f + w_5 mean s):

    w_1 to w_3 say which items a user prefers, and w_4 and w_5 who clicks more than others.

    Args:
        first: a scorer, 0 for users without a history.
        second: another one, likewise.
        popularity: log-odds of a click by anybody, `(items,)`.
        weights: w_0 to w_5.
    """

    def __init__(self, first: Scorer, second: Scorer, popularity: Array, weights: Array) -> None:
        self._pair = first, second
        self._weights = np.asarray(weights, np.float32)
        self._popularity = popularity

    def start(self, users: int) -> PairState:
        """What the scorers begin with."""
        return PairState(*(scorer.start(users) for scorer in self._pair))

    def learn(self, state: PairState, news: News) -> PairState:
        """Both learn."""
        first, second = self._pair
        return PairState(first.learn(state.first, news), second.learn(state.second, news))

    def scores(self, state: PairState) -> Array:
        """Click probability of each item, `(users, items)`."""
        weights = self._weights
        logits = weights[0] + weights[3] * self._popularity
        for part, within, between in zip(self.parts(state), weights[1:], weights[4:], strict=False):
            mean = part.mean(1, keepdims=True)
            logits = logits + within * (part - mean) + between * mean
        chance: Array = 1 / (1 + np.exp(-logits))
        return chance

    def parts(self, state: PairState) -> tuple[Array, Array]:
        """Scores by the first and the second, each `(users, items)`."""
        first, second = self._pair
        return first.scores(state.first), second.scores(state.second)

    def inputs(self, state: PairState, items: Array) -> Array:
        """What w_1 to w_5 are weights of, for some items: `(users, slate)` to `(..., 5)`."""
        first, second = self.parts(state)
        means = [np.broadcast_to(p.mean(1, keepdims=True), items.shape) for p in (first, second)]
        columns = [np.take_along_axis(part, items, axis=1) for part in (first, second)]
        return np.stack(
            [columns[0] - means[0], columns[1] - means[1], self._popularity[items], *means], axis=-1
        )


def fit_weights(hybrid: Weighted, log: TrainingLog) -> Array:
    """The weights of least log-loss on users whom neither scorer was fitted to, `(6,)`.

    Each impression of the log is predicted from what the same user had clicked and skipped before.

    Args:
        hybrid: whose parts to weigh; its own weights are not used.
        log: of those users, not empty.
    """
    from sklearn.linear_model import (  # type: ignore[import-untyped]  # ships no types
        LogisticRegression,
    )

    inputs, outcomes = [], []
    state = hybrid.start(len(log.items))
    for request in range(log.items.shape[1]):
        items, active = log.items[:, request].astype(np.int64), log.active[:, request]
        inputs.append(hybrid.inputs(state, items)[active].reshape(-1, 5))
        outcomes.append(log.feedback[active, request].ravel())
        news = News(items, log.feedback[:, request], active.astype(np.float32))
        state = hybrid.learn(state, news)
    x, y = np.concatenate(inputs), np.concatenate(outcomes) > 0
    if y.all() or not y.any():
        return np.array([0, 0, 0, 1, 0, 0], np.float32)
    # Scaled, so that the prior of the regression means the same for each of them.
    scale = np.maximum(x.std(0), np.float32(1e-6))
    model = LogisticRegression(max_iter=1000).fit(x / scale, y)
    return np.concatenate([model.intercept_, model.coef_[0] / scale]).astype(np.float32)
