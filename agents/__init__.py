"""Policies that act: baselines, bandits, Bayesian filters and oracles."""
