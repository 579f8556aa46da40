"""Policies by name, for scripts and tables."""

from __future__ import annotations

from functools import partial

from driftrec.agents.filter import BayesFilter
from driftrec.agents.filter_model import FilterModel
from driftrec.agents.linucb import LinUCB
from driftrec.agents.oracles import Clairvoyant, CoreOracle
from driftrec.agents.particle import ParticleFilter
from driftrec.agents.policy import Policy, PolicyFactory, own_seed
from driftrec.agents.popular import MostPopular, SatiationAwarePopular
from driftrec.agents.random_policy import RandomPolicy
from driftrec.agents.repeating import Repeating
from driftrec.envs import RecommendationVectorEnv


def _random(env: RecommendationVectorEnv) -> Policy:
    return RandomPolicy(env.simulation.catalogue, env.simulation.slate, own_seed(env))


def _most_popular(env: RecommendationVectorEnv) -> Policy:
    return allowed(env, MostPopular(env.simulation.catalogue, env.simulation.slate))


def _satiation_aware(env: RecommendationVectorEnv) -> Policy:
    return allowed(env, SatiationAwarePopular(env.simulation.catalogue, env.simulation.slate))


def _linucb(env: RecommendationVectorEnv, discount: float = 1.0) -> Policy:
    simulation = env.simulation
    return allowed(env, LinUCB(simulation.catalogue, simulation.slate, discount=discount))


def _filter(env: RecommendationVectorEnv, acting: str) -> Policy:
    simulation = env.simulation
    model = FilterModel.from_user_model(simulation.model, simulation.catalogue)
    return allowed(env, BayesFilter(model, simulation.slate, acting=acting, seed=own_seed(env)))


def _particle(env: RecommendationVectorEnv) -> Policy:
    simulation = env.simulation
    model, catalogue = simulation.model, simulation.catalogue
    policy = ParticleFilter(model, catalogue, simulation.slate, seed=own_seed(env))
    return allowed(env, policy)


def _core_oracle(env: RecommendationVectorEnv) -> Policy:
    return allowed(env, CoreOracle(env.simulation))


def _clairvoyant(env: RecommendationVectorEnv) -> Policy:
    return allowed(env, Clairvoyant(env.simulation))


def allowed(env: RecommendationVectorEnv, policy: Policy) -> Policy:
    """The policy, which shows unseen items alone, free to repeat itself where that is allowed."""
    return Repeating(policy) if env.population.repeats else policy


POLICIES: dict[str, PolicyFactory] = {
    "random": _random,
    "most-popular": _most_popular,
    "satiation-aware": _satiation_aware,
    "linucb": _linucb,
    "discounted-linucb": partial(_linucb, discount=0.99),
    "filter-greedy": partial(_filter, acting="greedy"),
    "filter-thompson": partial(_filter, acting="thompson"),
    "filter-ucb": partial(_filter, acting="ucb"),
    "particle": _particle,
    "core-oracle": _core_oracle,
    "clairvoyant": _clairvoyant,
}
"""Factories by name; all can be pickled. Filters read the true model of the split that they act
on, and oracles the users' hidden state; the others see the catalogue and observations alone."""


def policy_names() -> list[str]:
    """Names that `make_policy` knows, in the order of tables: from knowing nothing to all."""
    return list(POLICIES)


def make_policy(name: str, env: RecommendationVectorEnv) -> Policy:
    """The policy called `name`, with its default settings, for an environment.

    Raises:
        ValueError: if there is none of that name, or the environment's users are not of a kind
            that it can read.
    """
    if name not in POLICIES:
        raise ValueError(f"policy must be one of {', '.join(policy_names())}; got {name!r}")
    return POLICIES[name](env)
