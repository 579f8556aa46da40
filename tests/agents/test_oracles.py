"""What the oracles know, and what knowing is worth."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from driftrec.agents import Clairvoyant, CoreOracle, make_policy
from driftrec.envs import RecommendationVectorEnv, UserModel, population_of


def test_clairvoyant_shows_the_likeliest_unseen_item():
    env = RecommendationVectorEnv("Feed", 20)
    observation, _ = env.reset(seed=0)
    policy = Clairvoyant(env.simulation)
    state = policy.start(20)
    for _ in range(5):
        chance = np.where(env.action_masks(), env.simulation.click_probability(), 0)
        items, state = policy.act(observation, state)
        np.testing.assert_array_equal(items[:, 0], chance.argmax(1))
        observation = env.step(items)[0]


@pytest.mark.parametrize("population", ["Feed", "Slate"])
def test_without_mood_and_whims_the_core_is_all_there_is_to_know(population):
    still = {"mood_sd": 0.0, "whim_sd": 0.0}
    env = RecommendationVectorEnv(population, 20, parameters=still)
    observation, _ = env.reset(seed=0)
    knows_all, knows_core = Clairvoyant(env.simulation), CoreOracle(env.simulation)
    state = knows_all.start(20)
    for _ in range(30):
        items, after = knows_all.act(observation, state)
        # Items of the same chance may change places by rounding.
        chance = env.simulation.click_probability()
        others = knows_core.act(observation, state)[0]
        best, chosen = (np.take_along_axis(chance, found, axis=1) for found in (items, others))
        np.testing.assert_allclose(chosen, best, atol=1e-6)
        observation, state = env.step(items)[0], after


def test_core_oracle_wants_a_drifting_user():
    class Plain(UserModel):
        def sample(self, users, rng):
            return None

        def respond(self, state, slate):
            raise AssertionError("the policies are refused before anything is shown")

    env = RecommendationVectorEnv(population_of(Plain(), "plain"), 1)
    with pytest.raises(ValueError, match="core of a DriftingUser, got Plain: use the clairvoyant"):
        make_policy("core-oracle", env)
    with pytest.raises(ValueError, match="got Plain: use a ParticleFilter"):
        make_policy("filter-ucb", env)


def click_through(name, users=400):
    """Clicks a request of each user of Feed-v0's test split."""
    env = RecommendationVectorEnv("Feed", users, split="test", autoreset_mode="Disabled")
    observation, _ = env.reset(seed=5)
    policy = make_policy(name, env)
    state, clicks, requests = policy.start(users), np.zeros(users), np.zeros(users)
    while not env.simulation.trials.over.all():
        live = ~env.simulation.trials.over
        items, state = policy.act(observation, state)
        observation, reward, *_ = env.step(items)
        clicks, requests = clicks + reward, requests + live
    return clicks / requests


def test_whoever_knows_more_is_clicked_more():
    order = ["random", "most-popular", "linucb", "filter-greedy", "core-oracle", "clairvoyant"]
    rates = [click_through(name) for name in order]
    for worse, better in pairwise(rates):
        gain = better - worse
        assert gain.mean() > 3 * gain.std() / np.sqrt(len(gain))
