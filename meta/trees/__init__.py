"""Boosted trees on summary statistics of a trial: the strong plain baseline."""

from driftrec.meta.trees.config import TreesConfig
from driftrec.meta.trees.history import StatisticsConfig
from driftrec.meta.trees.learner import Trees
from driftrec.meta.trees.policy import TreesPolicy, load

__all__ = ["StatisticsConfig", "Trees", "TreesConfig", "TreesPolicy", "load"]
