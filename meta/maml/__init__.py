"""Learners that adapt by gradient steps: MAML-RL, Reptile and gradient aggregation."""

from driftrec.meta.maml.averaging import (
    GradientAggregation,
    GradientAggregationConfig,
    Reptile,
    ReptileConfig,
)
from driftrec.meta.maml.config import MAMLConfig
from driftrec.meta.maml.maml import MAML
from driftrec.meta.maml.policy import MAMLPolicy
from driftrec.meta.maml.rule import RuleConfig

__all__ = [
    "MAML",
    "GradientAggregation",
    "GradientAggregationConfig",
    "MAMLConfig",
    "MAMLPolicy",
    "Reptile",
    "ReptileConfig",
    "RuleConfig",
]
