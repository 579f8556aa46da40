"""A user's own classes, by name, by gin, with what they show, rate and draw for themselves."""

import re
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from driftrec.envs import RecommendationVectorEnv, make_population, populations
from driftrec.envs.recsim_ng import (
    INTEREST_EVOLUTION,
    RecSimNGVectorEnv,
    Story,
    register_story,
    resolve_story,
    story,
)
from driftrec.envs.recsim_ng.library import library
from driftrec.envs.user_model import UserModelError

pytest.importorskip("recsim_ng")

ID = "DriftRec/RecSimNG-v0"


@pytest.fixture
def tiring(own_story):
    return resolve_story(own_story)


@pytest.fixture
def registries(monkeypatch):
    """Registrations of a test end with it."""
    monkeypatch.setattr(populations, "_populations", dict(populations._populations))
    monkeypatch.setattr(story, "_stories", dict(story._stories))


def variant(of, **changes):
    """A story with some of its fields changed."""
    return replace(of, **changes)


def test_a_story_is_found_by_where_it_is(own_story):
    env = gymnasium.make(ID, story=own_story)
    assert env.action_space.nvec.tolist() == [20, 20]
    users = gymnasium.make_vec(ID, num_envs=32, story=own_story, split="test")
    observation, _ = users.reset(seed=0)
    # Three features, one topic, no quality; and what users show of themselves.
    assert observation["slate"].shape == (32, 2, 5)
    assert observation["context"].shape == (32, 1)
    assert set(np.unique(observation["context"])) == {0, 1}


def test_a_registered_story_is_found_by_its_name(tiring, registries):
    register_story(tiring)
    assert gymnasium.make(ID, story="Tiring").unwrapped.population.name == "RecSimNG.Tiring"
    population = make_population("RecSimNG.Tiring")
    env = RecommendationVectorEnv(population, 8)
    env.reset(seed=0)
    assert env.step(np.tile([0, 1], (8, 1)))[1].shape == (8,)


def test_it_does_what_its_classes_say(tiring):
    env = RecSimNGVectorEnv(4000, story=tiring)
    env.reset(seed=0)
    model, features = env.simulation.model, env.population.catalogue.features
    before = model.hidden(env.simulation.state)
    _, reward, *_, info = env.step(np.tile([3, 8], (4000, 1)))
    after = model.hidden(env.simulation.state)
    choice, rating = info["response"]["choice"], info["response"]["rating"]
    liking = before["user state.taste"] @ features[[3, 8]].T
    watched = choice < 2
    # Choices by the softmax, ratings around what is liked, the reward that of this very step.
    odds = np.exp(liking)
    chance = odds / (1 + odds.sum(1, keepdims=True))
    assert watched.mean() == pytest.approx(chance.sum(1).mean(), abs=0.02)
    off = rating[watched] - liking[watched, choice[watched]]
    assert off.mean() == pytest.approx(0, abs=0.04)
    assert off.std() == pytest.approx(0.5, abs=0.03)
    np.testing.assert_allclose(reward, np.where(watched, rating, 0), rtol=1e-6)
    np.testing.assert_array_equal(after["user state.tired"], watched.astype(np.float32))
    drift = after["user state.taste"] - before["user state.taste"]
    assert drift.std() == pytest.approx(0.05, rel=0.05)
    np.testing.assert_array_equal(after["user state.on_phone"], before["user state.on_phone"])


def test_gin_binds_the_classes_and_is_as_it_was_afterwards(tiring, tmp_path):
    from_text = variant(tiring, gin="TiringUser.no_click = 50.0")
    env = RecSimNGVectorEnv(64, story=from_text)
    gin = library().gin
    gin.parse_config("TiringUser.rest = 0.25")
    before = gin.config_str()
    env.reset(seed=0)
    reward = env.step(np.tile([0, 1], (64, 1)))[1]
    assert (reward == 0).all()
    assert gin.config_str() == before
    gin.clear_config()
    path = tmp_path / "calm.gin"
    path.write_text("TiringUser.no_click = -50.0\n")
    env = RecSimNGVectorEnv(64, story=variant(tiring, gin=str(path)))
    env.reset(seed=0)
    assert (env.step(np.tile([0, 1], (64, 1)))[1] != 0).all()
    assert gin.config_str() == ""


def test_gin_gives_the_choice_model(tiring):
    text = "import tiring\nInterestEvolutionUser.choice_model_ctor = @StubbornChoice"
    env = RecSimNGVectorEnv(1000, story=replace(INTEREST_EVOLUTION, gin=text))
    env.reset(seed=0)
    distance = np.linalg.norm(
        env.population.catalogue.features[[0, 1]][None]
        - env.simulation.model.hidden(env.simulation.state)["user state.interest.state"][:, None],
        axis=2,
    )
    odds = np.exp(2 - distance - 9)
    chance = (odds / (1 + odds.sum(1, keepdims=True))).sum()
    chosen = (env.step(np.tile([0, 1], (1000, 1)))[1] > 0).sum()
    assert abs(chosen - chance) < 4 * np.sqrt(chance)


def test_the_examples_of_the_page_run(own_story, registries):
    page = Path(__file__).parents[2] / "docs" / "guide" / "recsim-ng.md"
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.M | re.S)
    names = {}
    for code in blocks:
        # Training has tests of its own.
        if "RL2" not in code and "PPO" not in code:
            exec(compile(code, page.name, "exec"), names)
    assert names["env"].unwrapped.population.name == "RecSimNG.InterestEvolution"
    assert names["users"].unwrapped.population.name == "RecSimNG.Tiring"
    assert names["tiring"].TiringUser.__name__ == "TiringUser"


def test_a_story_without_metrics_pays_a_click(tiring):
    env = RecSimNGVectorEnv(64, story=variant(tiring, metrics=None))
    env.reset(seed=0)
    observation, reward, *_, info = env.step(np.tile([0, 1], (64, 1)))
    np.testing.assert_array_equal(reward, info["response"]["choice"] < 2)
    assert set(np.unique(observation["feedback"])) == {0, 1}
    assert env.single_observation_space["feedback"].high.tolist() == [1, 1]


def test_a_choice_of_several_runs_and_says_that_its_law_is_not_known(tiring):
    env = RecSimNGVectorEnv(64, story=variant(tiring, user="tiring:GreedyUser", metrics=None))
    env.reset(seed=0)
    observation, reward, *_, info = env.step(np.tile([0, 1], (64, 1)))
    choice = info["response"]["choice"]
    assert choice.shape == (64, 2)
    chosen = np.stack([(choice == slot).any(1) for slot in (0, 1)], axis=1)
    np.testing.assert_array_equal(observation["feedback"], chosen)
    np.testing.assert_array_equal(reward, chosen.sum(1))
    model = env.simulation.model
    assert model.observed_only
    slate = env.simulation.catalogue.show(np.tile([0, 1], (64, 1)), np.zeros((64, 2)))
    with pytest.raises(UserModelError, match="the law of feedback in the story 'Tiring' is not"):
        _ = model.respond(env.simulation.state, slate).mean


# Bad input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": {"num_docs": 3, "slate_size": 2}}, "config needs num_topics"),
        ({"config": {"num_topics": 1, "num_docs": 0, "slate_size": 1}}, "num_docs, .* got 0"),
        (
            {"config": {"num_topics": 1, "num_docs": 3, "slate_size": 1, "num_users": 2}},
            "num_users is the size of the batch",
        ),
        ({"horizon": 0}, "horizon must be at least 1, got 0"),
    ],
)
def test_a_story_that_is_none_is_refused(tiring, changes, message):
    with pytest.raises(ValueError, match=message):
        variant(tiring, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"choice": "click"}, r"must have a field 'click' .* got \['choice', 'rating'\]"),
        ({"features": ("colour",)}, r"no field \['colour'\]; they have \['doc_features'\]"),
        ({"user": "tiring:Nobody"}, "expected 'package.module:attribute', got 'tiring:Nobody'"),
    ],
)
def test_classes_that_do_not_fit_are_refused(tiring, changes, message):
    with pytest.raises(ValueError, match=message):
        RecSimNGVectorEnv(4, story=variant(tiring, **changes))


def test_a_story_object_needs_no_registration(tiring):
    assert isinstance(tiring, Story)
    assert RecSimNGVectorEnv(4, story=tiring).population.name == "RecSimNG.Tiring"
