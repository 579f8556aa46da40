"""Real interaction logs: readers, cleaning, features.

`load_log("KuaiRand")` is the short way. polars and scikit-learn are imported when a function
that needs them is called, not with the module.
"""

from driftrec.envs.logs.factors import item_factors, residual_matrix
from driftrec.envs.logs.kuairand import read_kuairand_pure
from driftrec.envs.logs.load import load_log, read_log
from driftrec.envs.logs.log import InteractionLog, LogError
from driftrec.envs.logs.movielens import read_movielens
from driftrec.envs.logs.movietweetings import read_movietweetings
from driftrec.envs.logs.prepare import prepare
from driftrec.envs.logs.quality import QualityPosterior, item_quality, item_quality_posterior
from driftrec.envs.logs.raw import RawLog
from driftrec.envs.logs.recbole import read_recbole
from driftrec.envs.logs.report import PreparationReport, StepReport
from driftrec.envs.logs.topics import Topics, build_topics

__all__ = [
    "InteractionLog",
    "LogError",
    "PreparationReport",
    "QualityPosterior",
    "RawLog",
    "StepReport",
    "Topics",
    "build_topics",
    "item_factors",
    "item_quality",
    "item_quality_posterior",
    "load_log",
    "prepare",
    "read_kuairand_pure",
    "read_log",
    "read_movielens",
    "read_movietweetings",
    "read_recbole",
    "residual_matrix",
]
