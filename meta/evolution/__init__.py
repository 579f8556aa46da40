"""Evolution strategies over the weights of a policy that adapts by memory."""

from driftrec.meta.evolution.config import ESConfig
from driftrec.meta.evolution.learner import ES

__all__ = ["ES", "ESConfig"]
