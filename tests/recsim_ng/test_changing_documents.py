"""Documents that change, and what all users share: recsim-ng's ecosystem of providers."""

import numpy as np
import pytest

from driftrec.envs.recsim_ng import RecSimNGVectorEnv, Story
from driftrec.envs.user_model import UserModelError

pytest.importorskip("recsim_ng")

APPLICATION = "recsim_ng.applications.ecosystem_simulation"
PROVIDERS = np.float32([[0, 1], [1, 0], [-1, -1]])
DISCOUNT = 0.96
ECOSYSTEM = Story(
    name="Ecosystem",
    user=f"{APPLICATION}.user:ClusteredNormalUser",
    documents=f"{APPLICATION}.corpus:ViableCorpus",
    metrics=f"{APPLICATION}.metrics:UtilityAsRewardMetrics",
    config={
        "num_topics": 2, "num_docs": 15, "slate_size": 3,
        "num_providers": 3, "provider_means": PROVIDERS,
    },
    horizon=20,
    documents_change=True,
)  # fmt: skip
USERS = 50


@pytest.fixture
def env():
    env = RecSimNGVectorEnv(USERS, story=ECOSYSTEM)
    env.reset(seed=0)
    return env


def world(env):
    state, fields = env.simulation.state, env.simulation.model._sketch.world
    return {f.name: rows[0] for f, rows in fields.read(state.world_numbers, state.world_whole)}


def slates(seed):
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(15)[:3] for _ in range(USERS)])


def test_observations_show_the_documents_there_are_now(env):
    observation, _ = env.reset(seed=1)
    # Interests of the users are public in this story; then a provider and two features each.
    assert observation["context"].shape == (USERS, 2 + 15 + 15 * 2)
    interests = env.simulation.model.hidden(env.simulation.state)["user state.user_interests"]
    np.testing.assert_array_equal(observation["context"][:, :2], interests)
    after = env.step(slates(0))[0]["context"]
    for context in (observation["context"], after):
        assert (context[:, 2:] == context[:1, 2:]).all()
    assert (after[0, 17:] != observation["context"][0, 17:]).all()
    np.testing.assert_array_equal(after[0, 2:17], world(env)["provider_id"])
    np.testing.assert_array_equal(after[0, 17:].reshape(15, 2), world(env)["doc_features"])


def test_choices_are_among_the_documents_that_were_seen_and_feed_their_providers(env):
    provider = world(env)["provider_id"]
    counts = np.zeros(3)
    for seed in range(3):
        provider, items = world(env)["provider_id"], slates(seed)
        choice = env.step(items)[4]["response"]["choice"]
        assert (choice < 3).all()
        chosen = np.take_along_axis(items, choice[:, None], axis=1)[:, 0]
        counts = DISCOUNT * counts + np.bincount(provider[chosen], minlength=3)
        np.testing.assert_allclose(world(env)["provider_click_count"], counts, rtol=1e-5)


def test_the_reward_is_that_of_the_storys_metrics(env):
    utilities = env.simulation.model.hidden(env.simulation.state)["user state.utilities"]
    observation, reward, *_ = env.step(slates(0))
    np.testing.assert_array_equal(reward, utilities)
    utilities = env.simulation.model.hidden(env.simulation.state)["user state.utilities"]
    assert (utilities != 0).all()
    observation, reward, *_ = env.step(slates(1))
    np.testing.assert_allclose(observation["feedback"].sum(1), utilities, rtol=1e-6)
    np.testing.assert_allclose(reward, utilities, rtol=1e-6)


def test_users_of_one_world_begin_together(env):
    for seed in range(20):
        truncated = env.step(slates(seed))[3]
    assert truncated.all()
    np.testing.assert_array_equal(world(env)["provider_click_count"], 0)
    env.step(slates(0))
    env.reset(options={"reset_mask": np.arange(USERS) < 5})
    with pytest.raises(UserModelError, match="live in one world, and these do not: reset all"):
        env.step(slates(1))
