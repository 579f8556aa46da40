"""Learned task generation: users like those fitted from a log, and users who are hard to serve."""

from driftrec.meta.generation.comparison import compare_training_users, training_users
from driftrec.meta.generation.curriculum import Curriculum
from driftrec.meta.generation.curriculum_config import CurriculumConfig
from driftrec.meta.generation.fidelity import Fidelity, fidelity
from driftrec.meta.generation.gan import GANConfig, train_generator
from driftrec.meta.generation.generated_users import (
    GeneratedUsers,
    drifting_model,
    fitted_vectors,
    with_training_users,
)
from driftrec.meta.generation.generator import Generator, load_generator
from driftrec.meta.generation.regret import RegretMeter
from driftrec.meta.generation.sources import FiniteSource, MixtureSource, VectorSource
from driftrec.meta.generation.tilt import RegretModel, TiltConfig, TiltedSource
from driftrec.meta.generation.vectors import UserVectors

__all__ = [
    "Curriculum",
    "CurriculumConfig",
    "Fidelity",
    "FiniteSource",
    "GANConfig",
    "GeneratedUsers",
    "Generator",
    "MixtureSource",
    "RegretMeter",
    "RegretModel",
    "TiltConfig",
    "TiltedSource",
    "UserVectors",
    "VectorSource",
    "compare_training_users",
    "drifting_model",
    "fidelity",
    "fitted_vectors",
    "load_generator",
    "train_generator",
    "training_users",
    "with_training_users",
]
