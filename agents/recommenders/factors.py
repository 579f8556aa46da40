"""Collaborative filtering by factors: ALS and BPR, items' by the library, the user's online."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftrec.agents.recommenders.scoring import News
from driftrec.envs.arrays import Array


@dataclass(slots=True)
class LeastSquaresState:
    """The first axis is the user.

    Attributes:
        gram: weighted sum of y y' over all items plus the ridge, `(users, factors, factors)`.
        response: weighted sum of y over what was clicked, `(users, factors)`.
    """

    gram: Array
    response: Array


class LeastSquares:
    r"""Alternating least squares for implicit feedback, with new users folded in exactly.

    With items' factors y_i fixed, the user's are the least-squares solution of Hu, Koren and
    Volinsky (2008, equation 4), which `implicit` calls `recalculate_user`,

        x = (Y'Y + ridge I + sum_i (weight - 1) y_i y_i')^-1 sum_i weight y_i c_i

    where i runs over the items shown, clicked (c = 1) or skipped (c = 0), and items not shown count
    as skipped with weight 1. Both sums are updated with each answer; an item shown twice is counted
    twice.

    Args:
        factors: of the items, `(items, factors)`.
        ridge: weight of the prior that factors are 0.
        weight: of an item shown against one that was not.
    """

    def __init__(self, factors: Array, ridge: float, weight: float) -> None:
        self._factors = factors
        self._prior = factors.T @ factors + np.float32(ridge) * np.eye(
            factors.shape[1], dtype=np.float32
        )
        self._weight = np.float32(weight)

    def start(self, users: int) -> LeastSquaresState:
        """Nothing shown."""
        return LeastSquaresState(
            np.tile(self._prior, (users, 1, 1)),
            np.zeros((users, self._factors.shape[1]), np.float32),
        )

    def learn(self, state: LeastSquaresState, news: News) -> LeastSquaresState:
        """Add the last slate to the sums."""
        factors = self._factors[news.items] * news.known[:, None, None]
        return LeastSquaresState(
            state.gram + (self._weight - 1) * (factors.mT @ factors),
            state.response + self._weight * np.vecmat(news.feedback, factors),
        )

    def scores(self, state: LeastSquaresState) -> Array:
        """Product of the user's factors and each item's, `(users, items)`."""
        user = np.linalg.solve(state.gram, state.response[:, :, None])[:, :, 0]
        return user @ self._factors.T


@dataclass(slots=True)
class RankingState:
    """The first axis is the user.

    Attributes:
        factors: of the user, the last one 1: it meets the items' bias, `(users, factors)`.
    """

    factors: Array


class PairwiseRanking:
    r"""Bayesian personalised ranking, with new users folded in by gradient steps.

    Items' factors y_i (the last of which is a bias) are `implicit`'s and fixed. The user's factors
    x begin at 0 and take, for each click on an item i, one step of the criterion of Rendle et al.
    (2009, section 4.2), averaged over all items j instead of drawing one:

        x += rate (mean_j sigmoid(<x, y_j - y_i>) (y_i - y_j) - ridge x).

    Skips are not used.

    Args:
        factors: of the items, `(items, factors)`.
        rate: size of a step.
        ridge: of the user's factors.
    """

    def __init__(self, factors: Array, rate: float, ridge: float) -> None:
        self._factors = factors
        self._rate = np.float32(rate)
        self._ridge = np.float32(ridge)

    def start(self, users: int) -> RankingState:
        """No clicks: the items' bias alone."""
        factors = np.zeros((users, self._factors.shape[1]), np.float32)
        factors[:, -1] = 1
        return RankingState(factors)

    def learn(self, state: RankingState, news: News) -> RankingState:
        """One step for each click of the last slate, all from the same factors."""
        scores = self.scores(state)
        step = np.zeros_like(state.factors)
        for items, clicks in zip(news.items.T, news.feedback.T, strict=True):
            ahead = np.take_along_axis(scores, items[:, None], axis=1)
            wrong = 1 / (1 + np.exp(ahead - scores)) / np.float32(len(self._factors))
            better = self._factors[items] * wrong.sum(1, keepdims=True) - wrong @ self._factors
            step += clicks[:, None] * (better - self._ridge * state.factors)
        step[:, -1] = 0
        return RankingState(state.factors + self._rate * step)

    def scores(self, state: RankingState) -> Array:
        """Product of the user's factors and each item's, `(users, items)`."""
        return state.factors @ self._factors.T
