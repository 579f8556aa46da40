"""Recommenders as methods: what they leave, whom they serve, and that they learn."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from driftrec.agents.harness import evaluate
from driftrec.agents.policy import renew
from driftrec.agents.recommenders import METHODS
from driftrec.agents.recommenders.collaborative import ALS, BPR, ItemKNN, UserKNN
from driftrec.agents.recommenders.mixed import interleaved
from driftrec.agents.recommenders.recommender import TRAINING_USERS
from driftrec.agents.recommenders.scoring import ScoringPolicy
from driftrec.agents.recommenders.sequential import GRU4Rec
from driftrec.agents.recommenders.storage import FILE, load
from driftrec.envs import (
    DriftingUser,
    Population,
    RecommendationVectorEnv,
    make_population,
    synthetic_catalogue,
)

NAMES = (
    "user-knn",
    "item-knn",
    "als",
    "bpr",
    "content-attributes",
    "content-keywords",
    "weighted-hybrid",
    "mixed-collaborative",
    "mixed-content",
    "gru4rec",
)


COLOURS = ("red", "blue", "green", "grey")


def tasteful(items=60, dimension=3, **options):
    """Users whose lasting tastes differ widely, in a small catalogue with titles."""
    catalogue = synthetic_catalogue(
        items, np.random.default_rng(5), dimension=dimension, topics=4, quality_sd=0.3
    )
    topics = catalogue.topics.argmax(1)
    titles = tuple(f"{COLOURS[topic]} {item}" for item, topic in enumerate(topics))
    other = synthetic_catalogue(
        items, np.random.default_rng(6), dimension=dimension, topics=4, quality_sd=0.3
    )
    model = DriftingUser(
        personas=np.zeros((1, dimension)),
        topics=4,
        taste_sd=2.5,
        whim_sd=0.0,
        mood_sd=0.0,
        satiation=0.0,
        churn=0.0001,
    )
    return Population(
        "Tasteful",
        model,
        replace(catalogue, titles=titles),
        variants={"ood-items": (model, replace(other, titles=titles))},
        max_requests=30,
        **options,
    )


POPULATION = tasteful()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Each method trained at size smoke."""
    folders = {}
    for name, method in METHODS.items():
        folders[name] = tmp_path_factory.mktemp(name)
        method.fit(POPULATION, folders[name], seed=0, size="smoke")
    return folders


def test_names_are_those_of_the_benchmark():
    assert tuple(METHODS) == NAMES
    assert all(method.trains and method.family == "recommender" for method in METHODS.values())
    assert all(pickle.loads(pickle.dumps(method)) == method for method in METHODS.values())


@pytest.mark.parametrize("name", NAMES)
def test_training_is_reproduced_by_its_seed(name, folders, tmp_path):
    METHODS[name].fit(POPULATION, tmp_path, seed=0, size="smoke")
    assert [file.name for file in tmp_path.iterdir()] == [FILE]
    first, second = load(folders[name]), load(tmp_path)
    assert first.keys() == second.keys()
    for key, array in first.items():
        np.testing.assert_array_equal(array, second[key])


@pytest.mark.parametrize("name", NAMES)
def test_a_user_is_served_as_if_alone_and_history_is_not_rewritten(name, folders):
    """What is shown depends on the row alone, and an old state still says what it said."""
    env = RecommendationVectorEnv(POPULATION, 5, autoreset_mode="Disabled", by_number=True)
    alone = RecommendationVectorEnv(POPULATION, 1, autoreset_mode="Disabled", by_number=True)
    make = pickle.loads(pickle.dumps(METHODS[name].policy(folders[name])))
    policy, other = make(env), make(alone)
    observation, _ = env.reset(seed=1)
    state, single = policy.start(5), other.start(1)
    for _ in range(8):
        one = {key: values[2:3].copy() for key, values in observation.items()}
        items, after = policy.act(observation, state)
        again, _ = policy.act(observation, state)
        np.testing.assert_array_equal(items, again)
        item, single = other.act(one, single)
        np.testing.assert_array_equal(item[0], items[2])
        state = after
        observation = env.step(items)[0]


@pytest.mark.parametrize("name", NAMES)
def test_new_users_are_shown_what_the_log_says_is_popular(name, folders):
    env = RecommendationVectorEnv(POPULATION, 3, autoreset_mode="Disabled", by_number=True)
    policy = METHODS[name].policy(folders[name])(env)
    observation, _ = env.reset(seed=0)
    # Whatever the rows held before, a new user's feedback is meaningless and must not count.
    state = renew(policy.start(3), policy.start(3), observation["new_user"])
    observation["feedback"][:] = 1
    items, _ = policy.act(observation, state)
    rates = load(folders[name])["rates"]
    if name == "gru4rec":
        # Its biases begin at the log-odds of popularity, and are learned on.
        assert (rates[items] > np.quantile(rates, 0.8)).all()
    else:
        np.testing.assert_array_equal(items, rates.argmax())


@pytest.mark.parametrize("name", NAMES)
def test_another_catalogue_is_served_by_content_alone(name, folders):
    env = RecommendationVectorEnv(POPULATION, 4, split="ood-items", by_number=True)
    make = METHODS[name].policy(folders[name])
    if name.startswith("content"):
        policy = make(env)
        observation, _ = env.reset(seed=0)
        items, _ = policy.act(observation, policy.start(4))
        best = env.simulation.catalogue.quality.argmax()
        np.testing.assert_array_equal(items, best)
    else:
        with pytest.raises(ValueError, match=r"trained on \(60 items\)"):
            make(env)


def test_unsuited_users_are_named():
    assert "titles" in METHODS["content-keywords"].unsuited(make_population("Feed"))
    assert "feedback ranges" in METHODS["als"].unsuited(make_population("GaussianBandit-k5-n500"))
    assert not METHODS["als"].unsuited(make_population("Feed"))
    with pytest.raises(ValueError, match="content-keywords reads titles"):
        METHODS["content-keywords"].fit(make_population("Feed"), None, seed=0, size="smoke")


def test_policy_without_training_says_what_to_do(tmp_path):
    env = RecommendationVectorEnv(POPULATION, 1)
    with pytest.raises(ValueError, match="call fit"):
        METHODS["als"].policy(tmp_path)(env)


@pytest.mark.parametrize("name", ["weighted-hybrid", "gru4rec"])
def test_predicted_clicks_are_near_the_true_chances(name, folders):
    env = RecommendationVectorEnv(
        POPULATION, 200, split="validation", autoreset_mode="Disabled", by_number=True
    )
    policy = METHODS[name].policy(folders[name])(env)
    observation, _ = env.reset(seed=0)
    state = policy.start(200)
    for _ in range(15):
        items, state = policy.act(observation, state)
        observation = env.step(items)[0]
    _, state = policy.act(observation, state)
    everything = np.tile(np.arange(60), (200, 1))
    unseen = env.simulation.shown == 0
    predicted = policy.predict(state, everything)[unseen]
    chance = env.simulation.click_probability()[unseen]
    assert abs(predicted.mean() - chance.mean()) < 0.05
    rates = np.broadcast_to(load(folders[name])["rates"], unseen.shape)[unseen]
    # Nearer than those of somebody who knows nothing of the user.
    assert ((predicted - chance) ** 2).mean() < ((rates - chance) ** 2).mean()


def test_lists_are_interleaved_without_an_item_twice():
    first = np.array([[1, 2, 3], [1, 2, 3], [4, 5, 6]])
    second = np.array([[4, 5, 6], [1, 3, 9], [4, 6, 7]])
    expected = [[1, 4, 2], [1, 2, 3], [4, 5, 6]]
    np.testing.assert_array_equal(interleaved(first, second), expected)


def test_mixed_hybrid_shows_the_head_of_both_lists_in_turn(folders):
    env = RecommendationVectorEnv(
        replace(POPULATION, slate=4), 6, autoreset_mode="Disabled", by_number=True
    )
    policies = [
        METHODS[name].policy(folders[folder])(env)
        for name, folder in (
            ("mixed-content", "mixed-content"),
            ("als", "als"),
            ("content-attributes", "content-attributes"),
        )
    ]
    observation, _ = env.reset(seed=0)
    states = [policy.start(6) for policy in policies]
    for turn in range(4):
        answers = [p.act(observation, s) for p, s in zip(policies, states, strict=True)]
        (mixed, after), (first, one), (second, two) = answers
        begins, follows = (first, second) if turn % 2 == 0 else (second, first)
        np.testing.assert_array_equal(mixed[:, 0], begins[:, 0])
        assert (mixed == follows[:, :1]).any(1).all()
        # The parts are told what the hybrid showed.
        states = [after, replace(one, memory=after.memory), replace(two, memory=after.memory)]
        observation = env.step(mixed)[0]


@pytest.mark.parametrize("name", ["item-knn", "mixed-content", "gru4rec"])
def test_only_offered_items_are_shown(name, folders, tmp_path):
    population = replace(POPULATION, candidates=6, repeats=True, slate=2, max_requests=12)
    METHODS[name].fit(population, tmp_path, seed=0, size="smoke")
    # The harness refuses whatever was not offered.
    done = evaluate(METHODS[name].policy(tmp_path), population, users=20, split="validation")
    assert done.active.any()


def rate(evaluation):
    return evaluation.feedback.sum() / evaluation.active.sum()


@pytest.mark.parametrize(
    "method",
    [ItemKNN(), UserKNN(), ALS(), BPR(rate=0.05, online_rate=1.0), GRU4Rec(epochs=8)],
    ids=lambda method: method.name,
)
def test_what_is_learned_of_a_user_beats_popularity(method, tmp_path, monkeypatch):
    monkeypatch.setitem(TRAINING_USERS, "smoke", 800)
    method.fit(POPULATION, tmp_path, seed=0, size="smoke")
    users = {"users": 400, "split": "validation"}
    rates = load(tmp_path)["rates"]
    popular = evaluate(lambda env: Popular(rates), POPULATION, **users)
    learned = evaluate(method.policy(tmp_path), POPULATION, **users)
    assert rate(learned) > rate(popular) + 0.03


class Popular(ScoringPolicy):
    """What recommenders show before the first click, all the time."""

    def __init__(self, rates):
        super().__init__(METHODS["user-knn"].scorer({"clicks": np.zeros((1, 60))}, None), rates, 60)

    def act(self, observation, state):
        items, state = super().act({**observation, "feedback": 0 * observation["feedback"]}, state)
        return items, state
