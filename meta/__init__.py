"""Learners that produce policies by meta-training across a population."""

from driftrec.meta.amortised import Amortised, AmortisedConfig, AmortisedPolicy
from driftrec.meta.checkpoint import CheckpointError
from driftrec.meta.dpt import DPT, DPTConfig, DPTPolicy
from driftrec.meta.learner import LearnedPolicy, Learner, LearnerConfig
from driftrec.meta.learning_curve import learning_curve, plot_learning_curve
from driftrec.meta.ppo import PPOConfig
from driftrec.meta.pretrained import load_pretrained, pretrained_names
from driftrec.meta.registry import learner_names, learner_type, load
from driftrec.meta.rl2 import RL2
from driftrec.meta.rl2_config import RL2Config
from driftrec.meta.rl2_policy import RL2Policy
from driftrec.meta.run import TrainingRun

__all__ = [
    "DPT",
    "RL2",
    "Amortised",
    "AmortisedConfig",
    "AmortisedPolicy",
    "CheckpointError",
    "DPTConfig",
    "DPTPolicy",
    "LearnedPolicy",
    "Learner",
    "LearnerConfig",
    "PPOConfig",
    "RL2Config",
    "RL2Policy",
    "TrainingRun",
    "learner_names",
    "learner_type",
    "learning_curve",
    "load",
    "load_pretrained",
    "plot_learning_curve",
    "pretrained_names",
]
