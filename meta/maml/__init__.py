"""Learners that adapt by gradient steps (MAML and its kin)."""
