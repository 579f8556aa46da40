"""Policies that act: baselines, bandits, Bayesian filters and oracles."""

from __future__ import annotations

from driftrec.agents.comparison import Comparison
from driftrec.agents.evaluation import Evaluation
from driftrec.agents.filter import BayesFilter
from driftrec.agents.filter_model import FilterModel
from driftrec.agents.harness import evaluate
from driftrec.agents.linucb import LinUCB
from driftrec.agents.oracles import Clairvoyant, CoreOracle
from driftrec.agents.particle import ParticleFilter
from driftrec.agents.planning import PlanningOracle, planning_oracle
from driftrec.agents.policy import Policy, PolicyFactory, renew
from driftrec.agents.popular import MostPopular, SatiationAwarePopular
from driftrec.agents.random_policy import RandomPolicy
from driftrec.agents.registry import POLICIES, make_policy, policy_names

__all__ = [
    "POLICIES",
    "BayesFilter",
    "Clairvoyant",
    "Comparison",
    "CoreOracle",
    "Evaluation",
    "FilterModel",
    "LinUCB",
    "MostPopular",
    "ParticleFilter",
    "PlanningOracle",
    "Policy",
    "PolicyFactory",
    "RandomPolicy",
    "SatiationAwarePopular",
    "evaluate",
    "make_policy",
    "planning_oracle",
    "policy_names",
    "renew",
]
