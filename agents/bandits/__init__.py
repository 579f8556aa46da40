"""Bandits that learn each user by items' features, from scratch or from a learned prior."""

from __future__ import annotations

from driftrec.agents.bandits.classical import (
    EpsilonGreedy,
    KalmanTS,
    LinTS,
    LinUCBMethod,
    LogisticTS,
    WindowMethod,
)
from driftrec.agents.bandits.gaussian import GaussianBandit, LinearModel
from driftrec.agents.bandits.hierarchical import HierarchicalBayes
from driftrec.agents.bandits.hybrid import HybridLinUCB
from driftrec.agents.bandits.neural_linear import NeuralLinear
from driftrec.agents.bandits.window import WindowLinUCB
from driftrec.agents.method import Method

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        EpsilonGreedy(),
        LinUCBMethod(),
        LinUCBMethod("discounted-linucb", discount=0.99),
        WindowMethod(),
        LinTS(),
        KalmanTS(),
        LogisticTS(),
        HybridLinUCB(),
        HierarchicalBayes(),
        HierarchicalBayes("hierarchical-static", passing=False),
        NeuralLinear(),
    )
}
"""Bandits by name."""

__all__ = [
    "METHODS",
    "EpsilonGreedy",
    "GaussianBandit",
    "HierarchicalBayes",
    "HybridLinUCB",
    "KalmanTS",
    "LinTS",
    "LinUCBMethod",
    "LinearModel",
    "LogisticTS",
    "NeuralLinear",
    "WindowLinUCB",
    "WindowMethod",
]
