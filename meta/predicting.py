"""Click predictions of policies whose network believes something about every item."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from driftrec.meta.network import BeliefNetwork
from driftrec.meta.track import Track

Predict = Callable[[Any, np.ndarray], np.ndarray]
"""Click probabilities `(users, n)` of items `(users, n)`, given the state of the users."""


class PredictsClicks:
    """What a `TrialPolicy` whose network has `means` adds to it.

    Attributes:
        network: the trained network.
        table: features, topics and quality of the items that can be shown, `(items, width)`.
        about: where the weights come from.
    """

    network: Any
    table: Tensor
    about: dict[str, Any]

    @property
    def predict(self) -> Predict | None:
        r"""Gives the click probability of items, each as if it were shown alone.

        It takes the state as `act` gave it back and item numbers `(users, n)`, and gives float32
        `(users, n)`. Where the belief about the logit is Gaussian, the mean of its logistic is
        taken to be :math:`\sigma(m / \sqrt{1 + \pi s^2 / 8})` (MacKay 1992, equation 10).

        None where there is nothing to predict by: feedback is no click, or the network was trained
        without labels of clicks, so that what it believes is no prediction.
        """
        return self._predict if self.network.shape.clicks and self._taught else None

    @torch.no_grad()
    def _predict(self, state: Any, items: np.ndarray) -> np.ndarray:
        device = self.table.device
        known = torch.as_tensor(state.known, device=device)
        table = self.table[torch.as_tensor(items, device=device)]
        mean = self.network.means(known[:, None], table)[:, 0]
        chance = torch.sigmoid(mean * self._shrink(known, state, table))
        predicted: np.ndarray = chance.cpu().numpy()
        return predicted

    @property
    def _taught(self) -> bool:
        """Plain RL² learns from rewards alone, as evolution strategies do by pairs of trials."""
        config = self.about.get("config", {})
        return config.get("probes", 1) > 0 and "pairs" not in config

    def _shrink(self, known: Tensor, state: Any, table: Tensor) -> Tensor | float:
        if not isinstance(self.network, BeliefNetwork):
            return 1.0
        arrays = (getattr(state, item.name) for item in fields(Track))
        track = Track(*(torch.as_tensor(array, device=table.device) for array in arrays))
        variance = self.network.sds(known, track, table).square()
        return (1 + math.pi / 8 * variance).rsqrt()
