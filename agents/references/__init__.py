"""Exact and best known policies for the tasks on which meta-learners are validated.

`reference_policies` gives those of a task by name; all see observations alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from driftrec.agents.policy import Policy, PolicyFactory
from driftrec.agents.references.arms import ArmCounts, ArmPolicy
from driftrec.agents.references.bernoulli import (
    BernoulliGreedy,
    BernoulliLookahead,
    BernoulliThompson,
    BernoulliUCB,
)
from driftrec.agents.references.finite_horizon import BernoulliIndex
from driftrec.agents.references.gaussian import EmpiricalMean, GaussianThompson, GaussianUCB
from driftrec.agents.references.gittins import BernoulliGittins
from driftrec.agents.references.linear import LinearThompson, LinearUCB
from driftrec.agents.references.optimum import BernoulliOptimal, bernoulli_optimum
from driftrec.agents.references.psrl import PSRL
from driftrec.envs import (
    BernoulliBandit,
    GaussianBandit,
    LinearBandit,
    RecommendationVectorEnv,
    TabularMDP,
    UserModel,
)


def _arms(env: RecommendationVectorEnv, kind: Callable[..., Policy], **options: Any) -> Policy:
    return kind(len(env.simulation.catalogue), env.simulation.max_requests, **options)


def _gaussian_thompson(env: RecommendationVectorEnv) -> Policy:
    return _arms(env, GaussianThompson, sd=_model(env, GaussianBandit).sd)


def _linear_ucb(env: RecommendationVectorEnv) -> Policy:
    return LinearUCB(env.simulation.catalogue)


def _linear_thompson(env: RecommendationVectorEnv) -> Policy:
    return LinearThompson(env.simulation.catalogue, sd=_model(env, LinearBandit).sd)


def _psrl(env: RecommendationVectorEnv, **options: Any) -> Policy:
    return PSRL(_model(env, TabularMDP), **options)


def _model(env: RecommendationVectorEnv, kind: type[Any]) -> Any:
    model = env.simulation.model
    if not isinstance(model, kind):
        raise ValueError(
            f"this reference needs users of a {kind.__name__}, got {type(model).__name__}"
        )
    return model


REFERENCES: dict[type[UserModel], dict[str, PolicyFactory]] = {
    BernoulliBandit: {
        "thompson": partial(_arms, kind=BernoulliThompson),
        "greedy": partial(_arms, kind=BernoulliGreedy),
        "ucb": partial(_arms, kind=BernoulliUCB),
        "gittins": partial(_arms, kind=BernoulliGittins),
        "lookahead": partial(_arms, kind=BernoulliLookahead),
        "index": partial(_arms, kind=BernoulliIndex),
        "optimum": partial(_arms, kind=BernoulliOptimal),
    },
    GaussianBandit: {
        "thompson": _gaussian_thompson,
        "ucb": partial(_arms, kind=GaussianUCB),
        "empirical-mean": partial(_arms, kind=EmpiricalMean),
    },
    LinearBandit: {"linucb": _linear_ucb, "thompson": _linear_thompson},
    TabularMDP: {
        "psrl": _psrl,
        "opsrl": partial(_psrl, draws=10),
        "psrl-means": partial(_psrl, prior_mean=1.0, spread=0.0),
    },
}
"""Factories by the kind of users and by name; all can be pickled. They know the noise and the
prior of the task. "index" is for up to 250 pulls, and "optimum" for bandits that are small enough
to be solved."""


def reference_policies(model: UserModel) -> dict[str, PolicyFactory]:
    """The references for a kind of users, by name; none for users without.

    Args:
        model: of the users, such as `population.model`.
    """
    return dict(REFERENCES.get(type(model), {}))


__all__ = [
    "PSRL",
    "REFERENCES",
    "ArmCounts",
    "ArmPolicy",
    "BernoulliGittins",
    "BernoulliGreedy",
    "BernoulliIndex",
    "BernoulliLookahead",
    "BernoulliOptimal",
    "BernoulliThompson",
    "BernoulliUCB",
    "EmpiricalMean",
    "GaussianThompson",
    "GaussianUCB",
    "LinearThompson",
    "LinearUCB",
    "bernoulli_optimum",
    "reference_policies",
]
