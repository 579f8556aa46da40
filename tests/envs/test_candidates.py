"""Candidates: what is offered, and slates that are chosen from it."""

from collections import Counter

import numpy as np
import pytest

from driftrec.agents import evaluate
from driftrec.agents.harness import PolicyError
from driftrec.agents.popular import MostPopular
from driftrec.agents.registry import make_policy, policy_names
from driftrec.envs import RecommendationEnv, RecommendationVectorEnv, recsim_population
from driftrec.envs.candidates import Candidates, check_offered


def population(**changes):
    from dataclasses import replace

    return replace(recsim_population("InterestExploration", documents=40), **changes)


def batch(users=50, **options):
    env = RecommendationVectorEnv(population(), users, split="test", **options)
    return env, env.reset(seed=3)[0]


@pytest.mark.parametrize(("users", "count"), [(1, 3), (700, 3), (3, 10)])
def test_candidates_are_distinct_items(users, count):
    drawn = Candidates(np.random.default_rng(0), users, 10, count)
    for _ in range(70):
        one = drawn.draw()
        assert one.shape == (users, count)
        assert one.dtype == np.int64
        assert one.min() >= 0
        assert one.max() < 10
        assert all(len(set(row)) == count for row in one.tolist())


def test_each_set_is_as_likely_as_the_others():
    drawn = Candidates(np.random.default_rng(1), 40_000, 5, 2).draw()
    times = Counter(tuple(sorted(row)) for row in drawn.tolist())
    assert len(times) == 10
    # Each is binomial with mean 4000 and standard deviation 60.
    assert max(abs(count - 4000) for count in times.values()) < 240


def test_both_libraries_are_offered_the_same():
    torch = pytest.importorskip("torch")
    import array_api_compat.torch as xp

    one, two = (Candidates(np.random.default_rng(2), 7, 100, 10, library) for library in (np, xp))
    for _ in range(80):
        assert torch.equal(torch.as_tensor(one.draw()), two.draw())


def test_an_action_is_places_among_the_candidates():
    env, observation = batch()
    offered = env.simulation.offered.copy()
    table = env.simulation.catalogue.table
    np.testing.assert_array_equal(observation["candidates"], table[offered])
    after, *_ = env.step(np.tile([4, 9], (50, 1)))
    np.testing.assert_array_equal(env.simulation.trials.items, offered[:, [4, 9]])
    np.testing.assert_array_equal(after["slate"], table[offered[:, [4, 9]]])
    assert (env.simulation.offered != offered).any(1).all()
    assert env.action_masks().all()
    assert env.action_masks().shape == (50, 10)


def test_by_number_the_same_trial_is_played_by_item():
    places, _ = batch()
    numbers, observation = batch(by_number=True)
    for _ in range(5):
        offered = observation["offered"]
        np.testing.assert_array_equal(offered, places.simulation.offered)
        first = places.step(np.tile([0, 7], (50, 1)))
        observation, *rest = numbers.step(offered[:, [0, 7]])
        np.testing.assert_array_equal(first[0]["feedback"], observation["feedback"])
        np.testing.assert_array_equal(first[1], rest[0])
    assert "candidates" not in observation


@pytest.mark.parametrize("by_number", [False, True])
def test_observations_are_in_their_space(by_number):
    env, observation = batch(users=4, by_number=by_number)
    assert observation in env.observation_space
    env.action_space.seed(0)
    for _ in range(3):
        action = observation["offered"][:, :2] if by_number else env.action_space.sample()
        observation, *_ = env.step(action)
        assert observation in env.observation_space


def test_one_user_is_a_batch_of_one():
    alone = RecommendationEnv(population(), split="test")
    many = RecommendationVectorEnv(population(), 1, split="test")
    one, _ = alone.reset(seed=5)
    all_, _ = many.reset(seed=5)
    for _ in range(4):
        assert one in alone.observation_space
        assert set(one) == set(all_)
        for key, values in one.items():
            np.testing.assert_array_equal(values, all_[key][0])
        one, *_ = alone.step(np.array([2, 5]))
        all_, *_ = many.step(np.array([[2, 5]]))


def test_new_users_are_offered_something_after_an_autoreset():
    env = RecommendationVectorEnv(population(max_requests=2), 3)
    env.reset(seed=0)
    env.step(np.tile([0, 1], (3, 1)))
    observation, *_, info = env.step(np.tile([0, 1], (3, 1)))
    assert observation["new_user"].all()
    assert observation["candidates"].shape == (3, 10, 3)
    assert info["final_obs"][1]["candidates"].shape == (10, 3)


def test_what_is_not_offered_is_refused():
    env, observation = batch(users=2, by_number=True)
    missing = np.setdiff1d(np.arange(40), observation["offered"][1])[0]
    slates = observation["offered"][:, :2].copy()
    slates[1, 0] = missing
    with pytest.raises(ValueError, match="must be among those offered: user 1 is offered"):
        env.step(slates)
    check_offered(observation["offered"][:, :2], observation["offered"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"candidates": 1}, "candidates must be 0, or lie in"),
        ({"candidates": 41}, "candidates must be 0, or lie in"),
        ({"repeats": False}, "repeats must be True"),
    ],
)
def test_a_population_says_what_candidates_may_be(changes, message):
    with pytest.raises(ValueError, match=message):
        population(**changes)


BY_FILTER = {"filter-greedy", "filter-thompson", "filter-ucb", "core-oracle"}


@pytest.mark.parametrize("name", [name for name in policy_names() if name not in BY_FILTER])
def test_policies_show_what_is_offered(name):
    played = evaluate(
        lambda env: make_policy(name, env), population(max_requests=5), users=20, regret=True
    )
    assert played.active.all()
    # Of what is offered nothing is better than the best slate, to which regret is.
    assert (played.best >= played.expected - 1e-6).all()


def test_the_clairvoyant_shows_the_best_on_offer():
    played = evaluate(
        lambda env: make_policy("clairvoyant", env), population(max_requests=5), users=20,
        regret=True,
    )  # fmt: skip
    np.testing.assert_allclose(played.best, played.expected, rtol=1e-5)


def test_a_policy_that_knows_nothing_of_offers_is_told():
    with pytest.raises(PolicyError, match="must be among those offered"):
        evaluate(
            lambda env: MostPopular(env.simulation.catalogue, 2), population(max_requests=5),
            users=5,
        )  # fmt: skip
