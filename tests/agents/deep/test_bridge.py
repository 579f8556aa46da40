"""The bridge against Stable-Baselines3's own way, and against the batch that it steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gymnasium.spaces import flatten
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

from driftrec.agents.deep.bridge import RecommendationVecEnv
from driftrec.envs import RecommendationEnv, RecommendationVectorEnv, make_population

USERS = 7


def actions_of(env, steps, seed=0):
    rng = np.random.default_rng(seed)
    items, slate = len(env.env.simulation.catalogue), env.env.simulation.slate
    drawn = rng.random((steps, env.num_envs, items)).argsort(-1)[..., :slate]
    return drawn[..., 0] if slate == 1 else drawn


def assert_same(one, other):
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], other[key], err_msg=key)


@pytest.mark.parametrize("population", ["feed", "feed_of_slates"])
def test_a_batch_of_one_is_dummy_vec_env_of_one(population, request):
    population = request.getfixturevalue(population)
    ours = RecommendationVecEnv(population, 1)
    theirs = DummyVecEnv([lambda: Monitor(RecommendationEnv(population))])
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    for seed in range(10):
        assert ours.seed(seed) == theirs.seed(seed) == [seed]
        assert_same(ours.reset(), theirs.reset())
        done = False
        for actions in actions_of(ours, 12, seed):
            observation, reward, dones, infos = ours.step(actions)
            expected, their_reward, their_dones, their_infos = theirs.step(actions)
            assert reward.dtype == their_reward.dtype
            assert dones.dtype == their_dones.dtype
            np.testing.assert_array_equal(reward, their_reward)
            np.testing.assert_array_equal(dones, their_dones)
            done = bool(dones[0])
            if done:
                # What follows is another user, whom each draws in its own way.
                info, their_info = infos[0], their_infos[0]
                assert_same(info["terminal_observation"], their_info["terminal_observation"])
                assert info["TimeLimit.truncated"] == their_info["TimeLimit.truncated"]
                assert info["episode"].keys() == their_info["episode"].keys()
                assert info["episode"]["r"] == their_info["episode"]["r"]
                assert info["episode"]["l"] == their_info["episode"]["l"]
                break
            assert_same(observation, expected)
            assert infos == [{}]
        assert done


def test_rows_are_those_of_the_vector_environment(feed):
    ours, batch = RecommendationVecEnv(feed, USERS), RecommendationVectorEnv(feed, USERS)
    ours.seed(5)
    observation, (expected, _) = ours.reset(), batch.reset(seed=5)
    assert_same(observation, expected)
    returns, lengths, kinds = np.zeros(USERS), np.zeros(USERS, int), set()
    for actions in actions_of(ours, 60):
        observation, reward, dones, infos = ours.step(actions)
        expected, their_reward, terminated, truncated, info = batch.step(actions)
        returns, lengths = returns + their_reward, lengths + 1
        assert_same(observation, expected)
        np.testing.assert_array_equal(reward, their_reward)
        np.testing.assert_array_equal(dones, terminated | truncated)
        for row in range(USERS):
            if not dones[row]:
                assert infos[row] == {}
                continue
            assert_same(infos[row]["terminal_observation"], info["final_obs"][row])
            assert infos[row]["TimeLimit.truncated"] == truncated[row]
            assert infos[row]["episode"]["r"] == pytest.approx(returns[row])
            assert infos[row]["episode"]["l"] == lengths[row]
            kinds.add(bool(truncated[row]))
            returns[row] = lengths[row] = 0
    assert kinds == {True, False}


@pytest.mark.parametrize("population", ["feed", "feed_of_slates"])
def test_flat_observations_are_those_of_gymnasium(population, request):
    population = request.getfixturevalue(population)
    flat = RecommendationVecEnv(population, USERS, flat=True)
    plain = RecommendationVecEnv(population, USERS)
    space = plain.observation_space
    flat.seed(3)
    plain.seed(3)
    rows, observation = flat.reset(), plain.reset()
    for actions in actions_of(flat, 15):
        for row in range(USERS):
            alone = {key: values[row] for key, values in observation.items()}
            np.testing.assert_array_equal(rows[row], flatten(space, alone))
            assert flat.observation_space.contains(rows[row])
        rows, _, dones, infos = flat.step(actions)
        observation, _, _, their_infos = plain.step(actions)
        for row in dones.nonzero()[0]:
            last = their_infos[row]["terminal_observation"]
            np.testing.assert_array_equal(infos[row]["terminal_observation"], flatten(space, last))


def test_a_seed_brings_the_same_users_once(feed):
    env = RecommendationVecEnv(feed, USERS)
    actions = actions_of(env, 1)[0]

    def rewards():
        env.reset()
        return np.concatenate([env.step((actions + step) % 30)[1] for step in range(10)])

    env.seed(4)
    first, second = rewards(), rewards()
    env.seed(4)
    np.testing.assert_array_equal(rewards(), first)
    assert (first != second).any()


def test_masks_are_of_what_was_shown(feed):
    env = RecommendationVecEnv(feed, USERS)
    env.seed(0)
    env.reset()
    assert is_masking_supported(env)
    shown = [set() for _ in range(USERS)]
    for actions in actions_of(env, 20):
        dones = env.step(actions)[2]
        masks = get_action_masks(env)
        for row in range(USERS):
            shown[row] = set() if dones[row] else shown[row] | {actions[row]}
            assert set(np.flatnonzero(~masks[row])) == shown[row]
    np.testing.assert_array_equal(env.env_method("action_masks", indices=[2, 5]), masks[[2, 5]])


def test_maskable_ppo_never_shows_an_item_twice(feed):
    env = RecommendationVecEnv(feed, 4)
    agent = MaskablePPO("MultiInputPolicy", env, n_steps=24, batch_size=48, n_epochs=1, seed=0)
    agent.learn(96)
    simulation = env.env.simulation
    np.testing.assert_array_equal(simulation.shown.sum(1), simulation.trials.request)


def test_candidates_are_places_or_numbers():
    population = make_population("recsim.InterestEvolution")
    places = RecommendationVecEnv(population, 3)
    numbers = RecommendationVecEnv(population, 3, by_number=True)
    assert places.action_space.nvec[0] == population.candidates
    assert numbers.action_space.nvec[0] == len(population.catalogue)
    assert places.observation_space.keys() - numbers.observation_space.keys() == {"candidates"}
    with pytest.raises(ValueError, match="cannot hold numbers"):
        RecommendationVecEnv(population, 3, flat=True, by_number=True)


def test_stable_baselines_evaluates_without_a_wrapper(feed):
    """It would warn of an environment whose episodes it could not trust."""
    env = RecommendationVecEnv(replace(feed, max_requests=3), 4, flat=True)
    agent = MaskablePPO("MlpPolicy", env, seed=0)
    env.seed(1)
    returns, lengths = evaluate_policy(agent, env, 20, return_episode_rewards=True)
    assert len(returns) == 20
    assert all(0 <= total <= length <= 3 for total, length in zip(returns, lengths, strict=True))


def test_what_belongs_to_the_batch_belongs_to_each(feed):
    env = RecommendationVecEnv(feed, 3, flat=True)
    assert env.get_attr("population") == [feed] * 3
    assert env.get_attr("population", indices=1) == [feed]
    assert env.get_attr("observation_space") == [env.observation_space] * 3
    assert env.env_is_wrapped(Monitor) == [True] * 3
    assert not env.has_attr("nothing_of_the_kind")
    env.set_attr("note", 5)
    assert env.get_attr("note") == [5] * 3
    with pytest.raises(ValueError, match="one batch"):
        env.set_attr("note", 6, indices=[0])
    with pytest.raises(AttributeError, match="action_masks"):
        env.env_method("render")
    env.set_options({"user": 3})
    with pytest.raises(ValueError, match="no reset options"):
        env.reset()
