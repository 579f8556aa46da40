"""A small world with known answers, in which filters are held to a published table.

20 items that may be shown again and again, 100 requests, and a click with the logit
-1.5 + quality + 1.5 <taste, features>, where a user's five tastes are independent stationary
AR(1) processes that keep rho of themselves from one request to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from driftrec.agents.filter import BayesFilter
from driftrec.agents.filter_model import FilterModel
from driftrec.agents.linucb import LinUCB
from driftrec.agents.particle import ParticleFilter
from driftrec.agents.policy import Policy, PolicyFactory
from driftrec.agents.popular import MostPopular
from driftrec.agents.random_policy import RandomPolicy
from driftrec.agents.repeating import Repeating
from driftrec.envs import (
    Catalogue,
    IndependentClicks,
    Population,
    RecommendationVectorEnv,
    Slate,
    Stream,
    UserModel,
)
from driftrec.envs.arrays import Array, as_float32, namespace, sigmoid

RETENTIONS = (1.0, 0.99, 0.95, 0.8)

PUBLISHED = {
    "random": (0.259, 0.258, 0.257, 0.258),
    "most-popular": (0.318, 0.312, 0.311, 0.313),
    "linucb": (0.587, 0.507, 0.388, 0.312),
    "discounted-linucb": (0.578, 0.525, 0.415, 0.327),
    "filter-thompson": (0.549, 0.466, 0.367, 0.294),
    "filter-greedy": (0.553, 0.515, 0.452, 0.373),
    "filter-ucb": (0.600, 0.542, 0.459, 0.3755),
    "amortised": (0.555, 0.521, 0.455, 0.371),
    "clairvoyant": (0.698, 0.698, 0.698, 0.698),
}
"""Click-through rates by policy, one for each of `RETENTIONS`; "amortised" is one network for all
four."""

DIMENSION, ITEMS, REQUESTS = 5, 20, 100
TASTE, INTERCEPT = 1.5, -1.5
CATALOGUE_SEED = 524
DAYS_PER_REQUEST = UserModel.seconds_per_request / 86400
BONUS = 1.5
"""Of the filter's UCB, in standard deviations."""

ALPHA, RIDGE = 0.3, 1.0
"""Of LinUCB, whose published settings are not known; chosen by a coarse search at rho = 1."""


@dataclass
class Tastes:
    """What users like now, `(users, 5)`, and what they keep of it a request, `(users,)`."""

    taste: Array
    retention: Array


@dataclass(frozen=True, eq=False)
class LineUser(UserModel):
    """Users of the reference line.

    Attributes:
        retentions: rho of a request; each user has one of them for good, drawn evenly.
    """

    retentions: tuple[float, ...] = (0.95,)

    def sample(self, users: int, rng: np.random.Generator) -> Tastes:
        """Tastes from N(0, I)."""
        which = rng.integers(len(self.retentions), size=users)
        taste = rng.standard_normal((users, DIMENSION), dtype=np.float32)
        return Tastes(taste, np.asarray(self.retentions, np.float32)[which])

    def respond(self, state: Tastes, slate: Slate) -> IndependentClicks:
        """Independent clicks."""
        xp = namespace(state.taste)
        liking = xp.sum(slate.features * state.taste[:, None, :], axis=-1)
        return IndependentClicks(sigmoid(TASTE * liking + slate.quality + INTERCEPT))

    def drift(self, state: Tastes, elapsed: Array, rng: Stream) -> Tastes:
        """The exact transition; a request's pause keeps rho."""
        xp = namespace(state.taste)
        kept = as_float32(state.retention ** (elapsed / DAYS_PER_REQUEST))[:, None]
        noise = rng.normal(state.taste.shape[0], DIMENSION)
        spread = xp.sqrt(1 - kept * kept)
        return Tastes(kept * state.taste + spread * noise, state.retention)

    def click_probability(self, state: Tastes, catalogue: Catalogue) -> Array:
        """Of every item, `(users, items)`."""
        liking = state.taste @ catalogue.features.T
        return sigmoid(TASTE * liking + catalogue.quality + INTERCEPT)

    def default_catalogue(self) -> Catalogue:
        """Items on the unit sphere with a quality of standard deviation .2.

        The catalogue of the published table is not known. Of such catalogues this one gives its
        rates for random, most popular and clairvoyant to .002. Greedy acting depends more on the
        catalogue than the others do.
        """
        rng = np.random.default_rng(CATALOGUE_SEED)
        directions = rng.standard_normal((ITEMS, DIMENSION))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        return Catalogue(directions, np.ones((ITEMS, 1)), 0.2 * rng.standard_normal(ITEMS))


def line_population(retentions: Sequence[float] = (0.95,)) -> Population:
    """Users of the reference line, all with one rho or each with one of several."""
    model = LineUser(tuple(retentions))
    name = "ReferenceLine-" + "-".join(f"{one:g}" for one in retentions)
    catalogue = model.default_catalogue()
    return Population(name, model, catalogue, max_requests=REQUESTS, repeats=True)


def filter_model(model: LineUser, catalogue: Catalogue) -> FilterModel:
    """What a Bayesian knows who knows the true model.

    Raises:
        ValueError: if users differ in rho.
    """
    if len(model.retentions) != 1:
        raise ValueError(f"the filter needs users of one rho, got {model.retentions}")
    rate = -np.log(model.retentions[0]) / DAYS_PER_REQUEST
    return FilterModel(
        TASTE * np.asarray(catalogue.features),
        np.asarray(catalogue.quality) + INTERCEPT,
        np.zeros(DIMENSION),
        np.eye(DIMENSION),
        np.full(DIMENSION, rate),
    )


def _bayesian(env: RecommendationVectorEnv, acting: str) -> Policy:
    simulation = env.simulation
    model: Any = simulation.model
    known = filter_model(model, simulation.catalogue)
    return Repeating(BayesFilter(known, acting=acting, bonus=BONUS))


def _linear(env: RecommendationVectorEnv, discount: float) -> Policy:
    return Repeating(LinUCB(env.simulation.catalogue, alpha=ALPHA, ridge=RIDGE, discount=discount))


def _random(env: RecommendationVectorEnv) -> Policy:
    return RandomPolicy(env.simulation.catalogue)


def _popular(env: RecommendationVectorEnv) -> Policy:
    return Repeating(MostPopular(env.simulation.catalogue))


LINE_POLICIES: dict[str, PolicyFactory] = {
    "random": _random,
    "most-popular": _popular,
    "linucb": partial(_linear, discount=1.0),
    "discounted-linucb": partial(_linear, discount=0.98),
    "filter-thompson": partial(_bayesian, acting="thompson"),
    "filter-greedy": partial(_bayesian, acting="greedy"),
    "filter-ucb": partial(_bayesian, acting="ucb"),
}
"""Those of the published table that are not learnt, by name; all can be pickled."""


def likelihoods(
    users: int, retention: float = 0.95, particles: int = 4000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihood a request of the same clicks by the Gaussian and by the particle filter.

    Args:
        users: met by the Gaussian filter, which acts greedily.
        retention: rho.
        particles: for each user.
        seed: of users and particles.

    Returns:
        Of each user, nats, `(users,)` each.
    """
    population = line_population((retention,))
    env = RecommendationVectorEnv(population, users, split="test", autoreset_mode="Disabled")
    observation, _ = env.reset(seed=seed)
    model: Any = env.simulation.model
    gaussian = BayesFilter(filter_model(model, env.simulation.catalogue))
    particle = ParticleFilter(model, env.simulation.catalogue, particles=particles, seed=seed)
    believes, follows = gaussian.start(users), particle.start(users)
    for _ in range(REQUESTS):
        believes.memory.shown = np.zeros_like(believes.memory.shown)
        _, follows = particle.act(observation, follows)
        items, believes = gaussian.act(observation, believes)
        follows.memory = believes.memory
        observation = env.step(items)[0]
    _, follows = particle.act(observation, follows)
    _, believes = gaussian.act(observation, believes)
    return believes.log_likelihood / REQUESTS, follows.log_likelihood / REQUESTS
