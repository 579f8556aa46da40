"""What linear bandits read of an item."""

from __future__ import annotations

import numpy as np

from driftrec.envs import Catalogue
from driftrec.envs.arrays import Array


def item_inputs(catalogue: Catalogue) -> Array:
    """Features, topics, quality and a constant 1 of each item, float32 `(items, D)`."""
    table = np.asarray(catalogue.table, np.float32)
    return np.concatenate([table, np.ones_like(table[:, :1])], axis=1)


def popular_weights(inputs: Array, quality_weight: float, constant: float = 0.5) -> Array:
    """Weights that rank items as most-popular does, float32 `(D,)`.

    Args:
        inputs: of items, as `item_inputs` gives them.
        quality_weight: of quality, the last input but one.
        constant: of the constant, the last input.
    """
    weights = np.zeros(inputs.shape[1], np.float32)
    weights[-2:] = quality_weight, constant
    return weights
