"""Policies for linear bandits, as those that Lee et al. (2023) compare with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from driftrec.agents.memory import known
from driftrec.agents.quadratic import QuadraticForms
from driftrec.envs import Catalogue
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation


@dataclass(slots=True)
class Regression:
    """Sums of a ridge regression; the first axis is the user.

    Attributes:
        gram: ridge I plus the sum of x x', `(users, d, d)`.
        response: sum of x times what it paid, `(users, d)`.
        last: the last arm, int64 `(users,)`; meaningless before the first pull.
    """

    gram: Array
    response: Array
    last: Array


class LinearPolicy(ABC):
    """Ridge regression of what arms pay on the catalogue's features, one arm a request.

    Args:
        catalogue: the arms.
        ridge: weight of the prior, in observations.
    """

    def __init__(self, catalogue: Catalogue, ridge: float = 1.0) -> None:
        if not ridge > 0:
            raise ValueError(f"ridge must be positive, got {ridge}")
        self.features = np.asarray(catalogue.features, np.float64)
        self._ridge = ridge * np.eye(catalogue.dimension)

    def start(self, users: int) -> Regression:
        """The prior."""
        gram = np.tile(self._ridge, (users, 1, 1))
        return Regression(gram, np.zeros(gram.shape[:2]), np.zeros(users, np.int64))

    def act(self, observation: Observation, state: Regression) -> tuple[Array, Regression]:
        """The arms, `(users, 1)`, and the new state."""
        features = self.features[state.last] * known(observation)[:, None]
        gram = state.gram + features[:, :, None] * features[:, None, :]
        response = state.response + features * observation["feedback"]
        inverse = np.linalg.inv(gram)
        mean = np.vecdot(inverse, response[:, None, :])
        arms = self.scores(mean, inverse).argmax(1)
        return arms[:, None], Regression(gram, response, arms)

    @abstractmethod
    def scores(self, mean: Array, inverse: Array) -> Array:
        """How good a pull of each arm is, `(users, arms)`.

        Args:
            mean: estimated weights, `(users, d)`.
            inverse: of the gram matrix, `(users, d, d)`.
        """


class LinearUCB(LinearPolicy):
    """LinUCB: <w, x> + bonus sqrt(x' V^-1 x) (Li et al. 2010), prior weights 0.

    Unlike `LinUCB`, which is made for clicks, it knows no quality and pulls arms again.

    Args:
        catalogue: the arms.
        ridge: weight of the prior, in observations.
        bonus: width of the interval.
    """

    def __init__(self, catalogue: Catalogue, ridge: float = 1.0, bonus: float = 1.0) -> None:
        super().__init__(catalogue, ridge)
        self._bonus = bonus
        self._forms = QuadraticForms(self.features)

    def scores(self, mean: Array, inverse: Array) -> Array:
        """Upper bounds, `(users, arms)`."""
        return mean @ self.features.T + self._bonus * np.sqrt(self._forms(inverse))


class LinearThompson(LinearPolicy):
    """Linear Thompson sampling: weights from N(mean, sd² V^-1) (Agrawal and Goyal 2013).

    With ridge = sd² d this is the posterior under the prior N(0, I/d), that of `LinearBandit`.

    Args:
        catalogue: the arms.
        ridge: weight of the prior, in observations; `sd² d` if none is given.
        sd: of what an arm pays.
        seed: of the draws.
    """

    def __init__(
        self, catalogue: Catalogue, ridge: float | None = None, sd: float = 0.3, seed: int = 0
    ) -> None:
        super().__init__(catalogue, sd**2 * catalogue.dimension if ridge is None else ridge)
        self._sd = sd
        self._rng = np.random.default_rng([0x5453, seed])

    def scores(self, mean: Array, inverse: Array) -> Array:
        """Means under a draw of the weights, `(users, arms)`."""
        root = np.linalg.cholesky(inverse)
        noise = self._rng.standard_normal(mean.shape)
        weights = mean + self._sd * np.vecdot(root, noise[:, None, :])
        return weights @ self.features.T
