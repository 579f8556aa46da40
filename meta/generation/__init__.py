"""Learned task generation: users like those fitted from a log, and users who are hard to serve."""

from driftrec.meta.generation.fidelity import Fidelity, fidelity
from driftrec.meta.generation.gan import GANConfig, train_generator
from driftrec.meta.generation.generated_users import (
    GeneratedUsers,
    drifting_model,
    fitted_vectors,
    with_training_users,
)
from driftrec.meta.generation.generator import Generator, load_generator
from driftrec.meta.generation.sources import FiniteSource, MixtureSource, VectorSource
from driftrec.meta.generation.vectors import UserVectors

__all__ = [
    "Fidelity",
    "FiniteSource",
    "GANConfig",
    "GeneratedUsers",
    "Generator",
    "MixtureSource",
    "UserVectors",
    "VectorSource",
    "drifting_model",
    "fidelity",
    "fitted_vectors",
    "load_generator",
    "train_generator",
    "with_training_users",
]
