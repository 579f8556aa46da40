"""Neural-linear: Bayesian linear regression on features that a network has learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from driftrec.agents.bandits.gaussian import GaussianBandit, LinearModel
from driftrec.agents.bandits.hybrid import pooled_regression
from driftrec.agents.bandits.methods import TrainedBandit
from driftrec.agents.bandits.multitask import ItemNetwork, fit_network
from driftrec.agents.inputs import item_inputs
from driftrec.agents.method import Size
from driftrec.agents.policy import Policy
from driftrec.agents.recommenders.training_log import TrainingLog
from driftrec.envs import Catalogue
from driftrec.envs.arrays import Array

STEPS: dict[Size, int] = {"smoke": 100, "standard": 800, "full": 2000}
"""Of Adam, each on some thousands of clicks."""


@dataclass(frozen=True)
class NeuralLinear(TrainedBandit):
    """Thompson sampling of a user's weights of a network's last layer (Riquelme et al. 2018).

    The network is learned from the training users' log, where each user weighs its last layer in
    an own way, and is not trained on: a user's own clicks would hardly move it. The prior of the
    weights is centred on the pooled regression of the log.

    Chosen by click-through on 500 validation users of Feed, among twenty settings: width .033 and
    ridge 120 got .642, .1 and 50 .638. Layers and steps were chosen on 300 with fewer training
    users: three times as many steps got .006 less, as the few hundred items are learned by heart.

    Attributes:
        hidden: sizes of the layers.
        width: standard deviation of draws, in posterior ones.
        ridge: weight of the prior, in observations of a user.
    """

    name: str = "neural-linear"
    hidden: tuple[int, ...] = (64, 32)
    width: float = 0.033
    ridge: float = 120.0

    def learn(
        self, log: TrainingLog, catalogue: Catalogue, *, seed: int, size: Size
    ) -> dict[str, Array]:
        """The network, and the mean weights of its last layer."""
        inputs = item_inputs(catalogue)
        network = fit_network(log, inputs, hidden=self.hidden, steps=STEPS[size], seed=seed)
        weights, noise = pooled_regression(log, _last_layer(network, inputs))
        learned = {"weights": weights, "noise": np.array(noise)}
        for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
            learned |= {f"weight{layer}": weight, f"bias{layer}": bias}
        return learned

    def bandit(
        self, learned: Mapping[str, Array], catalogue: Catalogue, slate: int, seed: int
    ) -> Policy:
        """A `GaussianBandit` on the last layer.

        Raises:
            ValueError: if the catalogue has other features than the network was trained on.
        """
        inputs, expected = item_inputs(catalogue), len(learned["weight0"])
        if inputs.shape[1] != expected:
            raise ValueError(
                f"the catalogue must have {expected - 2} features and topics, as the one that the "
                f"network was trained on, got {inputs.shape[1] - 2}"
            )
        layers = range(len(self.hidden))
        network = ItemNetwork(
            tuple(learned[f"weight{layer}"] for layer in layers),
            tuple(learned[f"bias{layer}"] for layer in layers),
        )
        last, noise = _last_layer(network, inputs), float(learned["noise"])
        covariance = noise / self.ridge * np.eye(last.shape[1])
        model = LinearModel(last, learned["weights"], covariance, noise)
        return GaussianBandit(model, slate, acting="thompson", width=self.width, seed=seed)


def _last_layer(network: ItemNetwork, inputs: Array) -> Array:
    """What weights are for: the network's last layer and a constant, `(items, H + 1)`."""
    hidden = network(inputs)
    return np.concatenate([hidden, np.ones_like(hidden[:, :1])], axis=1)
