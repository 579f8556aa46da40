"""Learners take a recsim-ng story as they take any population: RL² and Stable-Baselines3."""

import gymnasium
import numpy as np
import pytest

from driftrec.envs import RecommendationVectorEnv
from driftrec.envs.recsim_ng import story_population

pytest.importorskip("recsim_ng")
torch = pytest.importorskip("torch")
pytest.importorskip("stable_baselines3")

from stable_baselines3 import PPO  # noqa: E402
from stable_baselines3.common.env_util import make_vec_env  # noqa: E402

from driftrec.meta import RL2, PPOConfig, RL2Config  # noqa: E402

ID = "DriftRec/RecSimNG-v0"


def returns(policy=None, users=256):
    """What users of the test split watch in a trial, of slates by a policy or by chance."""
    env = RecommendationVectorEnv(story_population(), users, split="test")
    env.action_space.seed(0)
    observation, _ = env.reset(seed=3)
    state, total = policy and policy.start(users), np.zeros(users)
    for _ in range(100):
        if policy is None:
            slate = env.action_space.sample()
        else:
            slate, state = policy.act(observation, state)
        observation, reward, *_ = env.step(slate)
        total += reward
    return total


def rl2(**options):
    config = RL2Config(
        users=64,
        hidden=16,
        learning_rate=3e-3,
        validation_users=64,
        ppo=PPOConfig(epochs=2, minibatches=2),
        **options,
    )
    return RL2(config).fit(story_population())


def test_rl2_learns_from_rewards_what_keeps_users_watching():
    policy = rl2(iterations=4, validate_every=4, probes=0, filter=False, expected_rewards=False)
    # By chance they watch for 49 (of a hundred documents of length 2); never more than 200.
    assert returns(policy).mean() > returns().mean() + 20


def test_rl2_learns_with_labels_of_the_storys_own_choice_model():
    policy = rl2(iterations=1, validate_every=1, probes=4)
    assert np.isfinite(returns(policy, users=64)).all()
    assert policy.about["population"] == "RecSimNG.InterestEvolution"


def distinct(slate):
    """The slate, with the next document in place of one that it shows twice."""
    first, second = slate
    return np.array([first, (second + (first == second)) % 100])


def wrapped():
    env = gymnasium.make(ID)
    return gymnasium.wrappers.TransformAction(
        env, distinct, gymnasium.spaces.MultiDiscrete([100, 100])
    )


def test_ppo_of_stable_baselines3_learns_on_it():
    model = PPO(
        "MultiInputPolicy",
        make_vec_env(wrapped, 4, seed=0),
        n_steps=100,
        batch_size=100,
        n_epochs=4,
        seed=0,
        device="cpu",
    )
    before = {name: value.clone() for name, value in model.policy.state_dict().items()}
    model.learn(1600)
    after = model.policy.state_dict()
    assert all(torch.isfinite(value).all() for value in after.values())
    assert any((after[name] != value).any() for name, value in before.items())
    # Four trials of 100 requests in each environment, each watched as by chance or better.
    episodes = model.ep_info_buffer
    assert [episode["l"] for episode in episodes] == [100] * 16
    watched = np.array([episode["r"] for episode in episodes])
    chance = returns()
    error = np.sqrt(watched.var() / len(watched) + chance.var() / len(chance))
    assert watched.mean() > chance.mean() - 3 * error
