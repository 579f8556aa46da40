"""Learners that produce policies by meta-training across a population."""
