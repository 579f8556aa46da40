"""Recommender users whose preferences drift, and agents that adapt to them."""

__version__ = "0.1.0"
