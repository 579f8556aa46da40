"""The conformance kits, which hold a policy and a learner to their contracts.

In your own tests::

    from driftrec.meta.testing import check_learner

    def test_my_learner():
        check_learner(MyLearner, MyConfig(iterations=2, users=8))
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from driftrec.agents.harness import PolicyError, evaluate
from driftrec.agents.policy import Policy
from driftrec.envs import (
    DriftingUser,
    Population,
    RecommendationVectorEnv,
    default_personas,
    synthetic_catalogue,
)
from driftrec.envs.actions import checked_slates
from driftrec.envs.arrays import Array, leaves, to_numpy
from driftrec.envs.candidates import check_offered
from driftrec.envs.observation import Observation
from driftrec.meta.learner import AnyLearner, LearnedPolicy


class LearnerError(ValueError):
    """A learner breaks its contract: says what was expected and what came."""


def small_population(slate: int = 1, items: int = 30) -> Population:
    """A population that a learner can be tried on in a second: 30 items, trials of 8 requests."""
    catalogue = synthetic_catalogue(items, np.random.default_rng(items), dimension=4, topics=3)
    users = DriftingUser(personas=default_personas(3, 4), topics=3)
    return Population("Small", users, catalogue, slate=slate, max_requests=8)


def check_policy(policy: Policy, population: Population, *, users: int = 5, seed: int = 0) -> None:
    """Hold a policy to the contract of `driftrec.agents.Policy` over one trial of each user.

    Slates are valid; states are dataclasses of arrays with the user as first axis; `act` changes
    neither state nor observation; and a user in a batch is shown what they would be shown alone,
    which a policy that draws at random cannot promise: give one that acts greedily.

    Args:
        policy: what is checked, on the population's catalogue.
        population: whose test users it meets.
        users: size of the batch.
        seed: of the users.

    Raises:
        PolicyError: at the first breach.
    """
    env = RecommendationVectorEnv(
        population, users, split="test", autoreset_mode="Disabled", by_number=True
    )
    observation, _ = env.reset(seed=seed)
    state, alone = _started(policy, users), _started(policy, 1)
    row = np.array([users // 2])
    while not env.simulation.trials.over.all():
        single = {key: values[row] for key, values in observation.items()}
        slate, after = _acted(policy, observation, state, env)
        own, alone = policy.act(single, alone)
        if not np.array_equal(to_numpy(own)[0], slate[row[0]]):
            raise PolicyError(
                f"a user must be shown the same alone as in a batch, got {to_numpy(own)[0]} and "
                f"{slate[row[0]]}: does the policy mix users, or draw at random?"
            )
        state = after
        observation, *_ = env.step(slate)


def _started(policy: Policy, users: int) -> Any:
    state = policy.start(users)
    if not dataclasses.is_dataclass(state) and not hasattr(state, "ndim"):
        raise PolicyError(f"start must give a dataclass of arrays, got {type(state).__name__}")
    for name, array in _arrays(state).items():
        if array.ndim < 1 or array.shape[0] != users:
            raise PolicyError(
                f"the first axis of state.{name} must be the user ({users}), got shape "
                f"{tuple(array.shape)}"
            )
    return state


def _arrays(state: Any) -> dict[str, Array]:
    return leaves(state) if dataclasses.is_dataclass(state) else {"array": state}


def _acted(
    policy: Policy, observation: Observation, state: Any, env: RecommendationVectorEnv
) -> tuple[Array, Any]:
    before = {name: np.array(to_numpy(array)) for name, array in _arrays(state).items()}
    seen = {key: np.array(values) for key, values in observation.items()}
    simulation = env.simulation
    slate, after = policy.act(observation, state)
    items = checked_slates(slate, simulation.users, simulation.slate, len(simulation.catalogue))
    if simulation.offered is not None:
        check_offered(items, simulation.offered)
    for name, array in _arrays(state).items():
        if not np.array_equal(to_numpy(array), before[name], equal_nan=True):
            raise PolicyError(f"act must not change the state it is given: state.{name} changed")
    for key, values in observation.items():
        if not np.array_equal(values, seen[key]):
            raise PolicyError(f"act must not change the observation it is given: {key!r} changed")
    return items, after


def check_learner(learner: type[AnyLearner], config: Any = None) -> None:
    """Hold a learner to its contract, on a small population and with a small config.

    Its config is a dataclass that JSON can hold; `fit` gives a policy that conforms (see
    `check_policy`), says where it comes from, acts on another catalogue of as many features,
    refuses one of other features, and comes back from its file acting as before; the same config
    gives the same policy again.

    Args:
        learner: the class.
        config: a small one, of seconds; the learner's smoke size, or its defaults, if left out.

    Raises:
        LearnerError, PolicyError: at the first breach.
    """
    config = config if config is not None else _smallest(learner.config_type)
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise LearnerError(f"config_type must be a dataclass, got {type(config).__name__}")
    json.dumps(dataclasses.asdict(config))
    population = small_population()
    with tempfile.TemporaryDirectory() as folder:
        policy = learner(config).fit(population, folder)
        check_policy(policy, population)
        _check_about(policy, population)
        _check_catalogues(policy)
        again = learner(config).fit(population)
        if not _same(policy, again, population):
            raise LearnerError("the same config must give the same policy: is all luck seeded?")
        _check_file(policy, population, Path(folder))


def _smallest(config_type: type[Any]) -> Any:
    return config_type.of_size("smoke") if hasattr(config_type, "of_size") else config_type()


def _check_about(policy: LearnedPolicy, population: Population) -> None:
    missing = {"population", "config", "validation"} - set(policy.about)
    if missing:
        raise LearnerError(f"policy.about must say {sorted(missing)}, it says {list(policy.about)}")
    if policy.about["population"] != population.name:
        raise LearnerError(
            f"policy.about['population'] must be {population.name!r}, got "
            f"{policy.about['population']!r}"
        )
    json.dumps(policy.about)


def _check_catalogues(policy: LearnedPolicy) -> None:
    larger = small_population(items=45)
    check_policy(policy.on(larger.catalogue), larger)
    other = synthetic_catalogue(45, np.random.default_rng(0), dimension=9, topics=3)
    try:
        policy.on(other)
    except ValueError:
        return
    raise LearnerError("policy.on must refuse a catalogue of other features by a ValueError")


def _check_file(policy: LearnedPolicy, population: Population, folder: Path) -> None:
    from driftrec.meta.registry import load

    if not (folder / "policy.safetensors").exists():
        raise LearnerError("fit must write OUT/policy.safetensors, and has not")
    path = folder / "saved" / "policy.safetensors"
    policy.save(path)
    if not _same(policy, load(path), population):
        raise LearnerError("a policy that was saved and loaded must act as before")


def _same(one: LearnedPolicy, other: LearnedPolicy, population: Population) -> bool:
    first, second = (
        evaluate(partial(_on, policy), population, users=20).feedback for policy in (one, other)
    )
    return np.array_equal(first, second)


def _on(policy: LearnedPolicy, env: RecommendationVectorEnv) -> LearnedPolicy:
    return policy.on(env.simulation.catalogue, env.simulation.slate)
