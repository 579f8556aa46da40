"""Hybrid LinUCB: what all users share, and what is a user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from driftrec.agents.bandits.gaussian import GaussianBandit, LinearModel
from driftrec.agents.bandits.methods import TrainedBandit
from driftrec.agents.inputs import item_inputs
from driftrec.agents.method import Size
from driftrec.agents.policy import Policy
from driftrec.agents.recommenders.ratings import impressions
from driftrec.agents.recommenders.training_log import TrainingLog
from driftrec.envs import Catalogue
from driftrec.envs.arrays import Array


@dataclass(frozen=True)
class HybridLinUCB(TrainedBandit):
    """LinUCB with weights shared by all users beside those of each (Li et al. 2010, algorithm 2).

    There both are learned as users come. Here users are met apart, and know nothing of each
    other: the shared weights are the ridge regression of the training users' log, and only a
    user's own weights, differences from the shared ones, are learned from the user. With so many
    clicks the shared weights are as good as known, so that the interval is of the own ones alone.

    Chosen by click-through on 1000 validation users of Feed: ridges 20, 40 and 80 got .629, .629
    and .624, and alphas 0 and .1 the same.

    Attributes:
        alpha: width of the interval.
        ridge: weight of the shared weights, in observations of a user.
    """

    name: str = "hybrid-linucb"
    alpha: float = 0.1
    ridge: float = 20.0

    def learn(
        self, log: TrainingLog, catalogue: Catalogue, *, seed: int, size: Size
    ) -> dict[str, Array]:
        """Shared weights, and the variance of clicks about them."""
        weights, noise = pooled_regression(log, item_inputs(catalogue))
        return {"weights": weights, "noise": np.array(noise)}

    def bandit(
        self, learned: Mapping[str, Array], catalogue: Catalogue, slate: int, seed: int
    ) -> Policy:
        """A `GaussianBandit` that acts by the upper bound."""
        inputs, noise = item_inputs(catalogue), float(learned["noise"])
        covariance = noise / self.ridge * np.eye(inputs.shape[1])
        model = LinearModel(inputs, learned["weights"], covariance, noise)
        # An interval of alpha in LinUCB's terms, where clicks have variance 1.
        return GaussianBandit(model, slate, acting="ucb", width=self.alpha / noise**0.5)


def pooled_regression(log: TrainingLog, inputs: Array, ridge: float = 1.0) -> tuple[Array, float]:
    """Ridge regression of all clicks of a log on item inputs.

    Args:
        log: clicks.
        inputs: of each item, `(items, D)`.
        ridge: in observations.

    Returns:
        Weights `(D,)`, and the mean squared error.
    """
    # Sums over items of how often each was shown and clicked are all that counts.
    _, items, feedback = impressions(log)
    clicks = feedback.astype(np.float64)
    shown = np.bincount(items, minlength=len(inputs))
    clicked = np.bincount(items, clicks, minlength=len(inputs))
    x = inputs.astype(np.float64)
    gram = (x * shown[:, None]).T @ x + ridge * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, x.T @ clicked)
    error = np.square(clicks - (x @ weights)[items]).mean()
    return weights.astype(np.float32), float(error)
