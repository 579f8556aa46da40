"""Bandits that know nothing of other users, as methods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftrec.agents.bandits.gaussian import GaussianBandit, LinearModel
from driftrec.agents.bandits.methods import Bandit, only_clicks
from driftrec.agents.bandits.window import WindowLinUCB
from driftrec.agents.filter import BayesFilter
from driftrec.agents.filter_model import FilterModel
from driftrec.agents.inputs import item_inputs, popular_weights
from driftrec.agents.linucb import LinUCB
from driftrec.agents.policy import Policy
from driftrec.envs import Catalogue, Population
from driftrec.envs.arrays import Array

NOISE = 0.25
"""Variance of a click of probability 1/2."""


def ridge_model(
    catalogue: Catalogue, ridge: float, quality_weight: float, rates: Array | None = None
) -> LinearModel:
    """Ridge regression as a Bayesian sees it: the prior is worth `ridge` observations."""
    inputs = item_inputs(catalogue)
    covariance = NOISE / ridge * np.eye(inputs.shape[1])
    return LinearModel(inputs, popular_weights(inputs, quality_weight), covariance, NOISE, rates)


@dataclass(frozen=True)
class EpsilonGreedy(Bandit):
    """Ridge regression of clicks; a random item now and then (Sutton and Barto 2018, section 2.2).

    Chosen by click-through on 1000 validation users of Feed: epsilon .01 got .629, .05 .623;
    ridges 10, 20 and 40 got .625, .629 and .628. There the less is left to chance the better,
    since what was shown is not shown again and new items come anyway.

    Attributes:
        epsilon: probability that a slot gets a random unseen item.
        ridge: weight of the prior, in observations.
        quality_weight: click probability per logit of quality, before the first click.
    """

    name: str = "epsilon-greedy"
    epsilon: float = 0.01
    ridge: float = 20.0
    quality_weight: float = 0.25

    def bandit(self, catalogue: Catalogue, slate: int, seed: int) -> Policy:
        """A `GaussianBandit` that acts greedily, but for the random items."""
        model = ridge_model(catalogue, self.ridge, self.quality_weight)
        return GaussianBandit(model, slate, epsilon=self.epsilon, seed=seed)


@dataclass(frozen=True)
class LinUCBMethod(Bandit):
    """`LinUCB` (Li et al. 2010), or discounted (Russac et al. 2019).

    Attributes:
        alpha: width of the interval.
        ridge: weight of the prior, in observations.
        discount: weight of the last click against the one after it.
    """

    name: str = "linucb"
    alpha: float = 0.2
    ridge: float = 20.0
    discount: float = 1.0

    def bandit(self, catalogue: Catalogue, slate: int, seed: int) -> Policy:
        """A `LinUCB`."""
        return LinUCB(catalogue, slate, alpha=self.alpha, ridge=self.ridge, discount=self.discount)


@dataclass(frozen=True)
class WindowMethod(Bandit):
    """`WindowLinUCB` (Cheung, Simchi-Levi and Zhu 2019).

    Chosen by click-through on 1000 validation users of Feed: windows of 25, 50 and 100 requests
    got .626, .629 and .632, and all requests .633.

    Attributes:
        window: slates that are remembered.
        alpha: width of the interval.
        ridge: weight of the prior, in observations.
    """

    name: str = "window-linucb"
    window: int = 100
    alpha: float = 0.2
    ridge: float = 20.0

    def bandit(self, catalogue: Catalogue, slate: int, seed: int) -> Policy:
        """A `WindowLinUCB`."""
        return WindowLinUCB(
            catalogue, slate, window=self.window, alpha=self.alpha, ridge=self.ridge
        )


@dataclass(frozen=True)
class LinTS(Bandit):
    """Ridge regression of clicks, acting on a draw of the weights (Agrawal and Goyal 2013).

    Chosen by click-through on 1000 validation users of Feed: widths .05, .1 and .2 got .629, .629
    and .626 (1, the posterior itself, .606 on 300); ridge 40 got .627.

    Attributes:
        width: standard deviation of draws, in posterior ones; their v is width times 1/2.
        ridge: weight of the prior, in observations.
        quality_weight: click probability per logit of quality, before the first click.
    """

    name: str = "lin-ts"
    width: float = 0.1
    ridge: float = 20.0
    quality_weight: float = 0.25

    def bandit(self, catalogue: Catalogue, slate: int, seed: int) -> Policy:
        """A `GaussianBandit`."""
        model = ridge_model(catalogue, self.ridge, self.quality_weight)
        return GaussianBandit(model, slate, acting="thompson", width=self.width, seed=seed)


@dataclass(frozen=True)
class KalmanTS(Bandit):
    """Thompson sampling of weights that drift by the clock, followed by a Kalman filter.

    Weights are Ornstein-Uhlenbeck processes about the prior (Kalman 1960; Slivkins and Upfal
    2008 for bandits that drift): those of features and quality relax slowly, those of topics and
    of the constant, where whims and moods are, fast.

    Chosen by click-through on 500 validation users of Feed, among twenty settings: with whims of a
    quarter of an hour it got .654, with those of 4 hours and width .1 .649.

    Attributes:
        width: standard deviation of draws, in posterior ones.
        ridge: weight of the prior, in observations.
        quality_weight: click probability per logit of quality, before the first click.
        taste_days: in which weights of features and quality relax.
        whim_hours: in which weights of topics and the constant relax.
    """

    name: str = "kalman-ts"
    width: float = 0.013
    ridge: float = 14.0
    quality_weight: float = 0.25
    taste_days: float = 350.0
    whim_hours: float = 0.24

    def bandit(self, catalogue: Catalogue, slate: int, seed: int) -> Policy:
        """A `GaussianBandit` whose weights relax."""
        dimension, topics = catalogue.dimension, catalogue.topics.shape[1]
        slow, fast = 1 / self.taste_days, 24 / self.whim_hours
        rates = np.array([slow] * dimension + [fast] * topics + [slow, fast])
        model = ridge_model(catalogue, self.ridge, self.quality_weight, rates)
        return GaussianBandit(model, slate, acting="thompson", width=self.width, seed=seed)


@dataclass(frozen=True)
class LogisticTS(Bandit):
    """Bayesian logistic regression of clicks, acting on a draw of the weights.

    Chapelle and Li (2011, algorithm 3), with assumed-density filtering in place of their
    diagonal Laplace approximation.

    Chosen by click-through on 1000 validation users of Feed: variances .05, .1, .2 and .3 got
    .621, .628, .630 and .627; width .25 got .625.

    Attributes:
        variance: of each weight before the first click.
        width: standard deviation of draws, in posterior ones.
    """

    name: str = "logistic-ts"
    variance: float = 0.2
    width: float = 0.1

    def unsuited(self, population: Population) -> str:
        """Where feedback is no click."""
        return only_clicks(population)

    def bandit(self, catalogue: Catalogue, slate: int, seed: int) -> Policy:
        """A `BayesFilter` of users who do not drift."""
        inputs = item_inputs(catalogue)
        size = inputs.shape[1]
        model = FilterModel(
            loadings=inputs,
            offsets=np.zeros(len(inputs)),
            prior_mean=popular_weights(inputs, 1.0, 0.0),
            prior_covariance=self.variance * np.eye(size),
            rates=np.zeros(size),
        )
        return BayesFilter(model, slate, acting="thompson", width=self.width, seed=seed)
