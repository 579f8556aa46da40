"""Bernoulli bandits: the standard task of meta-reinforcement learning, as users of one kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftrec.envs.arrays import Array, namespace
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.feedback import IndependentClicks
from driftrec.envs.population import Population
from driftrec.envs.user_model import UserModel


@dataclass
class Arms:
    """Success probability of each arm, `(users, arms)`."""

    probability: Array


@dataclass(frozen=True, eq=False)
class BernoulliBandit(UserModel):
    """A user is a bandit: item j is clicked with a probability drawn uniformly, once and for all.

    Attributes:
        arms: number of items.
    """

    arms: int = 5

    def sample(self, users: int, rng: np.random.Generator) -> Arms:
        """Arms with p ~ U[0, 1] (Duan et al. 2016, section 3.1)."""
        return Arms(rng.random((users, self.arms), dtype=np.float32))

    def respond(self, state: Arms, slate: Slate) -> IndependentClicks:
        """A click with the probability of the arm that is shown."""
        xp = namespace(state.probability)
        return IndependentClicks(xp.take_along_axis(state.probability, slate.items, axis=1))

    def click_probability(self, state: Arms, catalogue: Catalogue) -> Array:
        """The probabilities of the arms, `(users, arms)`."""
        return state.probability

    def default_catalogue(self) -> Catalogue:
        """Arms that differ in nothing but their number, one-hot."""
        arms = np.eye(self.arms, dtype=np.float32)
        return Catalogue(arms, np.ones((self.arms, 1)), np.zeros(self.arms))


def bandit_population(arms: int = 5, pulls: int = 10) -> Population:
    """Bernoulli bandits with a trial of `pulls` requests."""
    model = BernoulliBandit(arms)
    catalogue = model.default_catalogue()
    return Population(f"Bandit{arms}", model, catalogue, max_requests=pulls)
