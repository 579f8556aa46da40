"""Every bandit keeps the contract, learns, and comes back from its file."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from driftrec.agents import evaluate
from driftrec.agents.bandits import METHODS
from driftrec.agents.bandits.methods import LEARNED
from driftrec.agents.registry import POLICIES
from driftrec.agents.testing import check_policy
from driftrec.envs import (
    DriftingUser,
    Population,
    RecommendationVectorEnv,
    default_personas,
    make_population,
    synthetic_catalogue,
)

NAMES = list(METHODS)
TRAINED = [name for name in NAMES if METHODS[name].trains]


def small(slate=1, items=40):
    """Users of strong tastes and nothing else, of which much can be learned in few requests."""
    catalogue = synthetic_catalogue(items, np.random.default_rng(items), dimension=3, topics=2)
    users = DriftingUser(
        personas=default_personas(3, 3),
        topics=2,
        taste_sd=2.5,
        mood_sd=0,
        whim_sd=0,
        satiation=0,
        repeat_penalty=0,
        churn=0,
    )
    return Population("Small", users, catalogue, slate=slate, max_requests=30, repeats=True)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """What each method has learned from the small population."""
    found = {}
    for name, method in METHODS.items():
        found[name] = tmp_path_factory.mktemp(name)
        method.fit(small(), found[name], seed=0, size="smoke")
    return found


@pytest.mark.parametrize("kind", ["unseen", "slate", "offered"])
@pytest.mark.parametrize("name", NAMES)
def test_every_bandit_conforms(folders, name, kind):
    population = {
        "unseen": replace(small(), repeats=False),
        "slate": replace(small(slate=3), repeats=False),
        "offered": replace(small(slate=2), candidates=6),
    }[kind]
    check_policy(METHODS[name].policy(folders[name]), population, requests=7)


@pytest.mark.parametrize("name", NAMES)
def test_every_bandit_learns_what_its_users_like(folders, name):
    """More clicks than most-popular gets, and more in the end than at first."""
    population = small()
    run = evaluate(METHODS[name].policy(folders[name]), population, users=200, split="validation")
    popular = evaluate(POLICIES["most-popular"], population, users=200, split="validation")
    rate, least = (each.feedback.sum() / each.active.sum() for each in (run, popular))
    assert rate > least + 0.05
    assert run.feedback[:, 20:].mean() > run.feedback[:, :5].mean()


@pytest.mark.parametrize("name", NAMES)
def test_predictions_come_nearer_to_the_truth_with_every_click(folders, name):
    """Of all items, not of those chosen, which are overrated by whoever chose them."""
    users = 100
    population = replace(small(items=200), repeats=False)
    env = RecommendationVectorEnv(
        population, users, split="validation", autoreset_mode="Disabled", by_number=True
    )
    policy = METHODS[name].policy(folders[name])(env)
    observation, _ = env.reset(seed=0)
    true = env.simulation.click_probability()
    every = np.tile(np.arange(200), (users, 1))
    state, errors = policy.start(users), []
    for _ in range(21):
        items, state = policy.act(observation, state)
        errors.append(np.square(policy.predict(state, every) - true).mean())
        observation, *_ = env.step(items)
    assert errors[20] < 0.95 * errors[5] < 0.95**2 * errors[0]


@pytest.mark.parametrize("name", TRAINED)
def test_training_is_reproduced_by_its_seed(folders, name, tmp_path):
    method = METHODS[name]
    cost = method.fit(small(), tmp_path, seed=0, size="smoke")
    assert cost["users"] == 100
    assert cost["user_steps"] == 100 * 30
    assert (tmp_path / LEARNED).read_bytes() == (folders[name] / LEARNED).read_bytes()
    method.fit(small(), tmp_path, seed=1, size="smoke")
    assert (tmp_path / LEARNED).read_bytes() != (folders[name] / LEARNED).read_bytes()


@pytest.mark.parametrize("name", TRAINED)
def test_what_was_learned_serves_another_catalogue_of_as_many_features(folders, name):
    factory = pickle.loads(pickle.dumps(METHODS[name].policy(folders[name])))
    check_policy(factory, small(items=25), requests=4)
    env = RecommendationVectorEnv("Feed", 2)
    with pytest.raises(ValueError, match="must have"):
        factory(env)


@pytest.mark.parametrize("name", TRAINED)
def test_a_method_that_was_not_trained_says_so(name, tmp_path):
    with pytest.raises(ValueError, match=f"{name} must be trained first"):
        METHODS[name].policy(tmp_path)(RecommendationVectorEnv("Feed", 2))


def test_models_of_clicks_are_unsuited_to_other_feedback():
    gaussian = make_population("GaussianBandit-k5-n500")
    unsuited = {name for name in NAMES if METHODS[name].unsuited(gaussian)}
    assert unsuited == {"logistic-ts", "hierarchical-bayes", "hierarchical-static"}
    assert "feedback lies in" in METHODS["logistic-ts"].unsuited(gaussian)
    assert not any(METHODS[name].unsuited(make_population("Feed")) for name in NAMES)


def test_names_are_those_of_the_methods():
    assert all(method.name == name for name, method in METHODS.items())
