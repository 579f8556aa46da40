"""Facts about policies in general, and about those that do not learn."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from driftrec.agents import (
    POLICIES,
    MostPopular,
    ParticleFilter,
    RandomPolicy,
    SatiationAwarePopular,
    make_policy,
    policy_names,
    renew,
)
from driftrec.agents.memory import top_unseen
from driftrec.envs import Catalogue, RecommendationVectorEnv, make_population, synthetic_catalogue

ORACLES = {"core-oracle", "clairvoyant"}
RANDOMISED = {"random", "filter-thompson", "particle"}
FAST = [name for name in POLICIES if name != "particle"]


def small_particle(env):
    simulation = env.simulation
    return ParticleFilter(simulation.model, simulation.catalogue, simulation.slate, particles=8)


def factory(name):
    return small_particle if name == "particle" else partial(make_policy, name)


def play(make_policy, requests, users=6, population="Feed", seed=1):
    """Observations and actions of some requests, `(requests, users, slate)`."""
    env = RecommendationVectorEnv(population, users, autoreset_mode="Disabled")
    observation, _ = env.reset(seed=seed)
    policy = make_policy(env)
    state, observations, actions = policy.start(users), [], []
    for _ in range(requests):
        items, state = policy.act(observation, state)
        observations.append(observation)
        actions.append(items)
        observation = env.step(items)[0]
    return observations, np.stack(actions)


def replay(policy, observations):
    """What a policy does when it is told this history."""
    state, actions = policy.start(len(observations[0]["feedback"])), []
    for observation in observations:
        items, state = policy.act(observation, state)
        actions.append(items)
    return np.stack(actions)


@pytest.mark.parametrize("population", ["Feed", "Slate"])
@pytest.mark.parametrize("name", policy_names())
def test_nothing_is_shown_twice_in_a_trial(name, population):
    _, actions = play(factory(name), 40, users=4, population=population)
    for user in range(4):
        shown = actions[:, user].ravel()
        assert len(np.unique(shown)) == len(shown)


@pytest.mark.parametrize("name", sorted(set(FAST) - ORACLES))
def test_actions_follow_from_the_public_history_alone(name):
    observations, actions = play(partial(make_policy, name), 30, seed=1)
    others = RecommendationVectorEnv("Feed", 6, autoreset_mode="Disabled")
    others.reset(seed=1)  # Its own draws follow from this seed,
    policy = make_policy(name, others)
    others.reset(seed=2)  # and it meets others than in the history.
    np.testing.assert_array_equal(replay(policy, observations), actions)


@pytest.mark.parametrize("name", sorted(RANDOMISED & set(FAST)))
def test_each_batch_of_users_meets_draws_of_its_own(name):
    env = RecommendationVectorEnv("Feed", 6, autoreset_mode="Disabled")
    observation, _ = env.reset(seed=1)
    chosen = {}
    for seed in (1, 1, 2):
        env.reset(seed=seed)
        policy = factory(name)(env)
        items = policy.act(observation, policy.start(6))[0]
        chosen.setdefault(seed, []).append(items)
    np.testing.assert_array_equal(*chosen[1])
    assert (chosen[1][0] != chosen[2][0]).any()


@pytest.mark.parametrize("name", sorted(ORACLES))
def test_oracles_look_at_their_own_users(name):
    observations, actions = play(partial(make_policy, name), 5, seed=1)
    others = RecommendationVectorEnv("Feed", 6, autoreset_mode="Disabled")
    others.reset(seed=2)
    assert (replay(make_policy(name, others), observations) != actions).any()


@pytest.mark.parametrize("name", sorted(set(FAST) - ORACLES - RANDOMISED))
def test_batch_of_one_is_the_row_of_a_batch(name):
    observations, actions = play(partial(make_policy, name), 30)
    env = RecommendationVectorEnv("Feed", 1)
    for user in range(6):
        rows = [{k: v[user : user + 1] for k, v in each.items()} for each in observations]
        np.testing.assert_array_equal(replay(make_policy(name, env), rows)[:, 0], actions[:, user])


@pytest.mark.parametrize("name", sorted(set(FAST) - ORACLES - RANDOMISED))
def test_a_renewed_row_acts_as_for_a_new_user(name):
    observations, actions = play(partial(make_policy, name), 12)
    policy = make_policy(name, RecommendationVectorEnv("Feed", 6))
    state = policy.start(6)
    for observation in observations:
        _, state = policy.act(observation, state)
    mask = np.array([[1], [0], [1], [0], [0], [1]], np.float32)
    state = renew(state, policy.start(6), mask)
    new = mask[:, 0] > 0
    items, _ = policy.act(observations[0], state)
    np.testing.assert_array_equal(items[new], actions[0][new])
    assert (items[~new] != actions[0][~new]).all()


@pytest.mark.parametrize("name", policy_names())
def test_acting_leaves_the_given_state_as_it_was(name):
    env = RecommendationVectorEnv("Feed", 3)
    observation, _ = env.reset(seed=0)
    policy = factory(name)(env)
    items, state = policy.act(observation, policy.start(3))
    observation = env.step(items)[0]
    before = pickle.dumps(state)
    policy.act(observation, state)
    assert pickle.dumps(state) == before


@pytest.mark.parametrize("count", [1, 3])
def test_top_unseen_is_the_sorted_head_of_the_unseen(count):
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((20, 12)).astype(np.float32)
    shown = (rng.random((20, 12)) < 0.5).astype(np.uint8)
    shown[0] = 1
    shown[1], shown[1, 4] = 1, 0
    expected = [
        sorted(range(12), key=lambda item: (shown[user, item], -scores[user, item]))[:count]
        for user in range(20)
    ]
    np.testing.assert_array_equal(top_unseen(scores, shown, count), expected)


def catalogue_of(topics, quality):
    return Catalogue(
        np.zeros((len(quality), 1)), np.eye(max(topics) + 1)[topics], np.array(quality)
    )


def observe(catalogue, items, elapsed_days):
    """What is seen after `items` were shown to one user each, with no click."""
    users = len(items)
    return {
        "slate": catalogue.table[np.array(items)][:, None],
        "feedback": np.zeros((users, 1), np.float32),
        "new_user": np.zeros((users, 1), np.float32),
        "log_elapsed": np.log1p(np.full((users, 1), elapsed_days * 86400, np.float32)),
    }


def nothing(users, slate=1):
    """The first observation of a trial, as far as the baselines read it."""
    return {"slate": np.zeros((users, slate, 3)), "log_elapsed": np.zeros((users, 1))}


def test_random_shows_every_item_once_and_starts_anew():
    catalogue = synthetic_catalogue(7, np.random.default_rng(0))
    policy = RandomPolicy(catalogue, slate=2)
    state, shown = policy.start(50), []
    for _ in range(7):
        items, state = policy.act(nothing(50, 2), state)
        assert (items[:, 0] != items[:, 1]).all()
        shown.append(items)
    counts = np.stack([np.bincount(row, minlength=7) for row in np.concatenate(shown, axis=1)])
    assert (counts == 2).all()


def test_random_is_uniform():
    catalogue = synthetic_catalogue(5, np.random.default_rng(0))
    policy = RandomPolicy(catalogue)
    items, _ = policy.act(nothing(20_000), policy.start(20_000))
    counts = np.bincount(items[:, 0], minlength=5)
    assert ((counts - 4000) ** 2 / 4000).sum() < 18.5  # 99.9% of chi-square with 4 degrees


def test_most_popular_goes_down_the_list():
    quality = [0.3, -1.0, 2.0, 0.9]
    policy = MostPopular(catalogue_of([0, 0, 0, 0], quality))
    state, order = policy.start(1), []
    for _ in range(5):
        items, state = policy.act(nothing(1), state)
        order.append(int(items[0, 0]))
    assert order == [2, 3, 0, 1, 2]


def test_satiation_aware_leaves_a_topic_until_it_is_forgotten():
    catalogue = catalogue_of([0, 0, 0, 1], [1.0, 0.9, 0.8, 0.5])
    policy = SatiationAwarePopular(catalogue, penalty=0.5, hours=12)
    first, state = policy.act(observe(catalogue, [0], 0) | {"slate": np.zeros((1, 1, 4))},
                              policy.start(1))  # fmt: skip
    assert first[0, 0] == 0
    # The other topic wins while .5 exp(-elapsed / 12 h) > .9 - .5: up to 2.68 hours.
    for hours, expected in ((2.6, 3), (2.75, 1)):
        items, _ = policy.act(observe(catalogue, [0], hours / 24), state)
        assert items[0, 0] == expected


def test_satiation_aware_without_penalty_is_most_popular():
    def make(env):
        return SatiationAwarePopular(env.simulation.catalogue, penalty=0)

    np.testing.assert_array_equal(
        play(make, 20)[1], play(partial(make_policy, "most-popular"), 20)[1]
    )


def test_unknown_policy_is_named_with_the_known_ones():
    env = RecommendationVectorEnv("Feed", 1)
    with pytest.raises(ValueError, match=r"one of random, most-popular.*got 'popular'"):
        make_policy("popular", env)


def test_factories_travel_to_other_processes():
    env = RecommendationVectorEnv("Feed", 2)
    for name, make in POLICIES.items():
        assert type(pickle.loads(pickle.dumps(make))(env)) is type(make_policy(name, env))


@pytest.mark.parametrize("options", [{"penalty": -1.0}, {"hours": 0.0}])
def test_satiation_options_out_of_range(options):
    with pytest.raises(ValueError, match="penalty must not be negative and hours must be positive"):
        SatiationAwarePopular(catalogue_of([0], [0.0]), **options)


@pytest.mark.parametrize("name", ["most-popular", "linucb", "filter-greedy", "clairvoyant"])
def test_items_are_repeated_where_the_population_allows_it_and_only_there(name):
    short = replace(make_population("Feed"), catalogue=synthetic_catalogue(9, _rng()), variants={})
    for repeats in (False, True):
        population = replace(short, repeats=repeats)
        _, actions = play(factory(name), 8, population=population)
        shown = [len(set(actions[:, user, 0])) for user in range(6)]
        assert (max(shown) < 8) if repeats else (min(shown) == 8)


def _rng():
    return np.random.default_rng(4)
