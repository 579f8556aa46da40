"""Users, catalogues, populations, and their Gymnasium face.

Importing this module registers the `DriftRec/*` ids with Gymnasium.
"""

from __future__ import annotations

from functools import partial
from itertools import product

import gymnasium

from driftrec.envs.bernoulli_bandit import BernoulliBandit, bernoulli_population
from driftrec.envs.catalogue import Catalogue, Slate, synthetic_catalogue
from driftrec.envs.drifting_user import DriftingUser, DriftingUserState, default_personas
from driftrec.envs.env import RecommendationEnv
from driftrec.envs.feed import feed_population, retention_population
from driftrec.envs.feedback import (
    FeedbackDistribution,
    GaussianFeedback,
    IndependentClicks,
    MultinomialClick,
    WorthOfClicks,
)
from driftrec.envs.foreign import ForeignUsers, foreign_population
from driftrec.envs.gaussian_bandit import GaussianBandit, gaussian_population
from driftrec.envs.kuairand import kuairand_population
from driftrec.envs.linear_bandit import LinearBandit, linear_population
from driftrec.envs.listing import ids as list
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
from driftrec.envs.published import registrations
from driftrec.envs.published.attrition import attrition_population
from driftrec.envs.published.kuaisim import kuaisim_population
from driftrec.envs.published.preference_dynamics import preference_dynamics_population
from driftrec.envs.published.rebounding import rebounding_population
from driftrec.envs.published.recgym import recgym_population
from driftrec.envs.published.reclab import reclab_population
from driftrec.envs.published.recogym import recogym_population
from driftrec.envs.published.recsim import recsim_population
from driftrec.envs.published.recsim_ng import recsim_ng_population
from driftrec.envs.published.sardine import sardine_population
from driftrec.envs.random import RandomStreams, Stream
from driftrec.envs.recsim_ng import story_population
from driftrec.envs.rewards import REWARDS
from driftrec.envs.scores import reference_scores
from driftrec.envs.simulation import Simulation, Trials
from driftrec.envs.slate import slate_population
from driftrec.envs.storage import StorageError, load_population, save_population
from driftrec.envs.tabular_mdp import TabularMDP, tabular_population
from driftrec.envs.user_model import ReturnGap, UserModel, UserModelError
from driftrec.envs.vector import RecommendationVectorEnv
from driftrec.envs.wrapped_users import WrappedUsers

IDS = {
    "Feed": ("feed", "Feed"),
    "KuaiRand": ("kuairand", "KuaiRand"),
    "Movies": ("movies", "Movies"),
    "Slate": ("slate", "Slate"),
    # Gymnasium takes one slash only, so that a dot sets the tasks for meta-learners apart.
    "meta.BernoulliBandit": ("bernoulli_bandit", "BernoulliBandit"),
    "meta.GaussianBandit": ("gaussian_bandit", "GaussianBandit"),
    "meta.LinearBandit": ("linear_bandit", "LinearBandit"),
    "meta.TabularMDP": ("tabular_mdp", "TabularMDP"),
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
gymnasium.register(
    id="DriftRec/RecSimNG-v0",
    entry_point="driftrec.envs.recsim_ng:RecSimNGEnv",
    vector_entry_point="driftrec.envs.recsim_ng:RecSimNGVectorEnv",
)
register_population("RecSimNG", story_population)
register_population("Feed", feed_population)
register_population("Retention", retention_population)
register_population("KuaiRand", kuairand_population)
register_population("Movies", movies_population)
register_population("Slate", slate_population)
# The sizes that results are published for; others are made by the functions.
for _arms, _pulls in product((5, 10, 50), (10, 100, 500)):
    register_population(
        f"BernoulliBandit-k{_arms}-n{_pulls}", partial(bernoulli_population, _arms, _pulls)
    )
register_population("GaussianBandit-k5-n500", gaussian_population)
register_population("LinearBandit-k10-n200", linear_population)
for _episodes in (10, 25, 50, 75, 100):
    register_population(f"TabularMDP-n{_episodes}", partial(tabular_population, _episodes))
for _task in registrations():
    gymnasium.register(
        id=f"DriftRec/{_task.name}-v0",
        entry_point=_task.entry_point,
        vector_entry_point=_task.vector_entry_point,
        kwargs=_task.kwargs,
    )
    register_population(_task.name, partial(_task.population, **_task.kwargs))

__all__ = [
    "REWARDS",
    "SPLITS",
    "BernoulliBandit",
    "Catalogue",
    "DriftingUser",
    "DriftingUserState",
    "FeedbackDistribution",
    "ForeignUsers",
    "GaussianBandit",
    "GaussianFeedback",
    "IndependentClicks",
    "LinearBandit",
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
    "TabularMDP",
    "Trials",
    "UserModel",
    "UserModelError",
    "WorthOfClicks",
    "WrappedUsers",
    "attrition_population",
    "bernoulli_population",
    "default_personas",
    "feed_population",
    "foreign_population",
    "gaussian_population",
    "kuairand_population",
    "kuaisim_population",
    "linear_population",
    "list",
    "load_population",
    "make_population",
    "movies_population",
    "population_names",
    "population_of",
    "preference_dynamics_population",
    "rebounding_population",
    "recgym_population",
    "reclab_population",
    "recogym_population",
    "recsim_ng_population",
    "recsim_population",
    "reference_scores",
    "register_population",
    "register_user_model",
    "resolve_population",
    "retention_population",
    "sardine_population",
    "save_population",
    "slate_population",
    "story_population",
    "synthetic_catalogue",
    "tabular_population",
]
