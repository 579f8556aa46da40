"""Deep reinforcement learning: agents of Stable-Baselines3, and SlateQ, over the batch engine."""

from driftrec.agents.deep.methods import METHODS

__all__ = ["METHODS"]
