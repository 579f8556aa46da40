"""Policies for Bernoulli bandits whose success probabilities are drawn from U[0, 1]."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from driftrec.agents.references.arms import ArmCounts, ArmPolicy
from driftrec.envs.arrays import Array


class BernoulliPolicy(ArmPolicy):
    """Scores arms by their posteriors, Beta(a, b) with a = 1 + successes, b = 1 + failures.

    Args:
        arms: number of arms.
        pulls: in a whole trial.
    """

    def scores(self, state: ArmCounts) -> Array:
        """How good a pull of each arm is, `(users, arms)`."""
        return self.beta_scores(1 + state.total, 1 + state.pulls - state.total, state)

    @abstractmethod
    def beta_scores(self, a: Array, b: Array, state: ArmCounts) -> Array:
        """Scores by the parameters of the posteriors, all `(users, arms)`."""


class BernoulliGreedy(BernoulliPolicy):
    """Pulls the arm of greatest posterior mean, and one of them at random where there are several.

    Args:
        arms: number of arms.
        pulls: in a whole trial.
        seed: of the choice among equals.
    """

    def __init__(self, arms: int, pulls: int, seed: int = 0) -> None:
        super().__init__(arms, pulls)
        self._rng = np.random.default_rng([0x4752, seed])

    def choose(self, state: ArmCounts) -> Array:
        """The arm to pull, int64 `(users,)`."""
        scores = self.scores(state)
        # Fractions of whole numbers that are equal are equal as floats too.
        equal = scores == scores.max(1, keepdims=True)
        return np.where(equal, self._rng.random(scores.shape), -1.0).argmax(1)

    def beta_scores(self, a: Array, b: Array, state: ArmCounts) -> Array:
        """Posterior means, `(users, arms)`."""
        return a / (a + b)


class BernoulliThompson(BernoulliPolicy):
    """Thompson sampling: pulls the best arm of a draw from the posterior (Thompson 1933).

    Args:
        arms: number of arms.
        pulls: in a whole trial.
        seed: of the draws.
    """

    def __init__(self, arms: int, pulls: int, seed: int = 0) -> None:
        super().__init__(arms, pulls)
        self._rng = np.random.default_rng([0x5453, seed])

    def beta_scores(self, a: Array, b: Array, state: ArmCounts) -> Array:
        """A draw of each arm's probability, `(users, arms)`."""
        return self._rng.beta(a, b)


class BernoulliUCB(BernoulliPolicy):
    r"""UCB1 with the prior counted as two pulls: mean + c sqrt(2 ln t / (a + b)), t pulls from 1.

    This is the rule of Auer, Cesa-Bianchi and Fischer (2002, figure 1) with their bonus times c,
    as it was tuned by Duan et al. (2016, section 3.1).

    Args:
        arms: number of arms.
        pulls: in a whole trial.
        bonus: c; .2 is best, or close to it, for 100 pulls and more, .1 for 10.
    """

    def __init__(self, arms: int, pulls: int, bonus: float = 0.2) -> None:
        super().__init__(arms, pulls)
        self._bonus = bonus

    def beta_scores(self, a: Array, b: Array, state: ArmCounts) -> Array:
        """Upper bounds, `(users, arms)`."""
        time = 1 + state.pulls.sum(1, keepdims=True)
        return a / (a + b) + self._bonus * np.sqrt(2 * np.log(time) / (a + b))


class BernoulliLookahead(BernoulliPolicy):
    r"""Bayes-adaptive lookahead: a few pulls of one arm, then the best mean to the end.

    The value of m pulls of arm i, with r pulls left, is m mean_i + (r - m) E max_j mean_j', with
    means after those pulls; an arm scores its best m. With `ahead = (1,)` this is the one-step
    lookahead, which is the knowledge-gradient policy (Ryzhov, Powell and Frazier 2012, "The
    knowledge gradient algorithm for a general class of online learning problems");
    more pulls ahead mend its blindness where one pull cannot change the best arm (KG(*), Frazier
    and Powell 2010).

    Args:
        arms: number of arms.
        pulls: in a whole trial.
        ahead: the numbers m that are weighed.
    """

    def __init__(self, arms: int, pulls: int, ahead: tuple[int, ...] = (1,)) -> None:
        super().__init__(arms, pulls)
        self._ahead = ahead
        # Logarithms of factorials: at most as many as two prior and all other pulls.
        self._log = np.concatenate([[0], np.cumsum(np.log(np.arange(1, 2 * pulls + 4)))])

    def beta_scores(self, a: Array, b: Array, state: ArmCounts) -> Array:
        """Values of pulling and then staying, `(users, arms)`."""
        a, b = a.astype(np.int64), b.astype(np.int64)
        mean, left = a / (a + b), self.remaining(state)
        rival, value = best_other(mean), left * mean
        for ahead in self._ahead:
            after = self._expected_best(a, b, rival, ahead)
            several = ahead * mean + (left - ahead) * after
            value = np.where(ahead <= left, np.maximum(value, several), value)
        return value

    def _expected_best(self, a: Array, b: Array, rival: Array, ahead: int) -> Array:
        """E max(mean of the arm after so many pulls, mean of its rival), `(users, arms)`."""
        found = np.zeros_like(rival)
        for wins in range(ahead + 1):
            ways = self._log[ahead] - self._log[wins] - self._log[ahead - wins]
            odds = self._beta(a + wins, b + ahead - wins) - self._beta(a, b)
            mean = (a + wins) / (a + b + ahead)
            found += np.exp(ways + odds) * np.maximum(mean, rival)
        return found

    def _beta(self, a: Array, b: Array) -> Array:
        """Logarithm of the beta function of whole numbers."""
        return self._log[a - 1] + self._log[b - 1] - self._log[a + b - 1]


def best_other(values: Array) -> Array:
    """The greatest value among the other columns, `(users, columns)`; -inf where there is none."""
    if values.shape[1] == 1:
        return np.full_like(values, -np.inf)
    order = np.argpartition(values, -2, axis=1)[:, -2:]
    second, first = np.sort(np.take_along_axis(values, order, axis=1), axis=1).T
    others = np.repeat(first[:, None], values.shape[1], axis=1)
    others[np.arange(len(values)), values.argmax(1)] = second
    return others
