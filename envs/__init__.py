"""Users, catalogues, populations, and their Gymnasium face.

Importing this module registers the `DriftRec/*` ids with Gymnasium.
"""

from __future__ import annotations

import gymnasium

from driftrec.envs.catalogue import Catalogue, Slate, synthetic_catalogue
from driftrec.envs.drifting_user import DriftingUser, DriftingUserState, default_personas
from driftrec.envs.env import RecommendationEnv
from driftrec.envs.feed import feed_population, retention_population
from driftrec.envs.feedback import FeedbackDistribution, IndependentClicks, MultinomialClick
from driftrec.envs.kuairand import kuairand_population
from driftrec.envs.movies import movies_population
from driftrec.envs.population import SPLITS, Population, Split
from driftrec.envs.populations import (
    make_population,
    population_names,
    population_of,
    register_population,
    register_user_model,
    resolve_population,
)
from driftrec.envs.random import RandomStreams, Stream
from driftrec.envs.rewards import REWARDS
from driftrec.envs.simulation import Simulation, Trials, UserModelError
from driftrec.envs.slate import slate_population
from driftrec.envs.storage import StorageError, load_population, save_population
from driftrec.envs.user_model import ReturnGap, UserModel
from driftrec.envs.vector import RecommendationVectorEnv

IDS = {
    "Feed": ("feed", "Feed"),
    "KuaiRand": ("kuairand", "KuaiRand"),
    "Movies": ("movies", "Movies"),
    "Slate": ("slate", "Slate"),
}

for _name, (_module, _prefix) in IDS.items():
    gymnasium.register(
        id=f"DriftRec/{_name}-v0",
        entry_point=f"driftrec.envs.{_module}:{_prefix}Env",
        vector_entry_point=f"driftrec.envs.{_module}:{_prefix}VectorEnv",
    )
gymnasium.register(
    id="DriftRec/Population-v0",
    entry_point="driftrec.envs.env:RecommendationEnv",
    vector_entry_point="driftrec.envs.vector:RecommendationVectorEnv",
    kwargs={"population": "Feed"},
)
gymnasium.register(
    id="DriftRec/meta.Navigation2D-v0",
    entry_point="driftrec.envs.navigation:Navigation2DEnv",
    vector_entry_point="driftrec.envs.navigation:Navigation2DVectorEnv",
)
register_population("Feed", feed_population)
register_population("Retention", retention_population)
register_population("KuaiRand", kuairand_population)
register_population("Movies", movies_population)
register_population("Slate", slate_population)

__all__ = [
    "REWARDS",
    "SPLITS",
    "Catalogue",
    "DriftingUser",
    "DriftingUserState",
    "FeedbackDistribution",
    "IndependentClicks",
    "MultinomialClick",
    "Population",
    "RandomStreams",
    "RecommendationEnv",
    "RecommendationVectorEnv",
    "ReturnGap",
    "Simulation",
    "Slate",
    "Split",
    "StorageError",
    "Stream",
    "Trials",
    "UserModel",
    "UserModelError",
    "default_personas",
    "feed_population",
    "kuairand_population",
    "load_population",
    "make_population",
    "movies_population",
    "population_names",
    "population_of",
    "register_population",
    "register_user_model",
    "resolve_population",
    "retention_population",
    "save_population",
    "slate_population",
    "synthetic_catalogue",
]
