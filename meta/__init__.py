"""Learners that produce policies by meta-training across a population."""

from driftrec.meta.checkpoint import CheckpointError
from driftrec.meta.learning_curve import learning_curve, plot_learning_curve
from driftrec.meta.ppo import PPOConfig
from driftrec.meta.rl2 import RL2
from driftrec.meta.rl2_config import RL2Config
from driftrec.meta.rl2_policy import RL2Policy, load

__all__ = [
    "RL2",
    "CheckpointError",
    "PPOConfig",
    "RL2Config",
    "RL2Policy",
    "learning_curve",
    "load",
    "plot_learning_curve",
]
