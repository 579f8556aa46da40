"""The planning oracle looks ahead in the users' own model, and leaves the users alone."""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from driftrec.agents import POLICIES, evaluate
from driftrec.agents.planning import (
    WINDOW,
    PlanningOracle,
    Rule,
    _share_of_last,
    default_rules,
    planning_oracle,
)
from driftrec.envs import (
    Catalogue,
    IndependentClicks,
    Population,
    RecommendationVectorEnv,
    UserModel,
    WorthOfClicks,
    attrition_population,
    make_population,
    rebounding_population,
    recgym_population,
    recsim_population,
    sardine_population,
)
from driftrec.envs.arrays import leaves
from driftrec.envs.published.sardine import NEVER

SLATES = sardine_population("SlateTopK-Bored", items=30)


def mean_return(population, users=40, **options):
    met = evaluate(partial(planning_oracle, **options), population, users=users)
    return met.feedback.sum(1).mean()


def test_with_one_greedy_rule_it_is_the_clairvoyant():
    population = sardine_population("SlateTopK-Uncertain", items=60, patience=NEVER)
    greedy = evaluate(partial(planning_oracle, rules=[Rule()]), population, users=30)
    clairvoyant = evaluate(POLICIES["clairvoyant"], population, users=30)
    assert np.array_equal(greedy.items, clairvoyant.items)


def test_it_waits_until_a_topic_bores_no_more():
    # Who is always shown the best clicks five times, and is then bored for five requests.
    population = sardine_population("SingleItem-BoredInf", items=200)
    assert mean_return(population, rules=[Rule()]) < 52
    assert mean_return(population, horizon=10, rollouts=2) > 72


def test_a_rule_caps_topics_by_the_clicks_of_its_window():
    population = sardine_population("SlateTopK-Bored")
    env = RecommendationVectorEnv(population, 20, split="test", autoreset_mode="Disabled")
    observation, _ = env.reset(seed=0)
    oracle = planning_oracle(env, rules=[Rule(cap=3, window=2)], horizon=1, rollouts=1)
    state, topic = oracle.start(20), population.catalogue.topics.argmax(1)
    clicks = np.zeros((WINDOW, 20, 10))
    for _ in range(6):
        items, state = oracle.act(observation, state)
        shown = np.stack([np.bincount(topic[row], minlength=10) for row in items])
        room = np.maximum(3 - clicks[:2].sum(0), 0)
        assert (shown <= np.maximum(room, 0) + (room.sum(1) < 10)[:, None] * 10).all()
        observation, *_ = env.step(items)
        news = [
            np.bincount(topic[row], weights=yes, minlength=10)
            for row, yes in zip(items, observation["feedback"], strict=True)
        ]
        clicks = np.concatenate([[news], clicks[:-1]])


def test_planning_leaves_the_users_and_their_luck_as_they_were():
    population = sardine_population("SingleItem-BoredInf", items=50)
    one, other = (
        RecommendationVectorEnv(population, 5, split="test", autoreset_mode="Disabled")
        for _ in range(2)
    )
    observation, _ = one.reset(seed=4)
    other.reset(seed=4)
    oracle = planning_oracle(one, horizon=3, rollouts=2)
    state = oracle.start(5)
    for _ in range(8):
        items, state = oracle.act(observation, state)
        observation, reward, *_ = one.step(items)
        assert np.array_equal(other.step(items)[1], reward)
    mine, theirs = leaves(one.simulation.state), leaves(other.simulation.state)
    assert all(np.array_equal(mine[name], theirs[name]) for name in mine)


def test_plans_of_a_user_meet_the_same_luck():
    population = sardine_population("SlateTopK-Uncertain", items=50)
    env = RecommendationVectorEnv(population, 4, split="test", autoreset_mode="Disabled")
    env.reset(seed=0)
    oracle = planning_oracle(env, horizon=5, rollouts=3, rules=[Rule(), Rule(), Rule(cap=1)])
    same = np.zeros((4, 2), int)
    _, worth = oracle._follow(oracle.start(4), same, same)
    assert np.array_equal(worth[:, 0], worth[:, 1])
    assert np.ptp(worth[0, 0]) > 0


def test_it_plans_for_users_who_leave_and_are_shown_nothing_twice():
    population = make_population("Retention")
    met = evaluate(
        partial(planning_oracle, horizon=2, rollouts=1, rules=[Rule(), Rule(cap=1, window=1)]),
        population,
        users=6,
    )
    for user in range(6):
        items = met.items[user][met.active[user]].ravel()
        assert len(set(items)) == len(items)


def test_a_cap_holds_however_large_the_quality_and_the_feedback():
    topics = np.eye(2)[[0] * 6 + [1] * 6]
    catalogue = Catalogue(np.zeros((12, 1)), topics, np.r_[np.full(6, 3.0), np.full(6, -3.0)])
    population = Population("Steep", Steady(), catalogue, slate=4, max_requests=3, repeats=True)
    env = RecommendationVectorEnv(population, 3, autoreset_mode="Disabled")
    observation, _ = env.reset(seed=0)
    oracle = planning_oracle(env, rules=[Rule(tilt=4.0, cap=3, window=1)], horizon=1, rollouts=1)
    state = oracle.start(3)
    # All is clicked: 3 and 1 items at first, then there is room for 0 and 2, and the better topic
    # fills up; then for 1 and 1, and it fills up again.
    for of_the_best in (3, 2, 3):
        items, state = oracle.act(observation, state)
        assert ((items < 6).sum(1) == of_the_best).all()
        observation, *_ = env.step(items)


@dataclass(frozen=True, eq=False)
class Steady(UserModel):
    """Gives 100 for every item."""

    feedback_range = (0.0, 100.0)

    def sample(self, users, rng):
        return SteadyState(np.ones((users, 1), np.float32))

    def respond(self, state, slate):
        sure = IndependentClicks(np.ones(slate.items.shape, np.float32))
        return WorthOfClicks(sure, np.full(slate.items.shape, 100.0, np.float32))


@dataclass
class SteadyState:
    one: np.ndarray


def test_rules_tilt_only_where_items_differ_in_quality():
    assert {rule.tilt for rule in default_rules(10, np.zeros(5))} == {0.0}
    assert len({rule.tilt for rule in default_rules(1, np.arange(5.0))}) == 8


@pytest.mark.parametrize("options", [{"horizon": 0}, {"rollouts": 0}, {"rules": []}])
def test_there_must_be_something_to_plan(options):
    env = RecommendationVectorEnv(sardine_population("SingleItem-Static", items=20), 2)
    with pytest.raises(ValueError, match="must be at least 1"):
        PlanningOracle(env.simulation, **options)


@pytest.mark.slow
def test_it_earns_what_was_asked_on_slates_that_bore():
    got = evaluate(
        partial(planning_oracle, horizon=12, rollouts=4),
        sardine_population("SlateTopK-Bored"),
        users=100,
    )
    assert got.feedback.sum(1).mean() > 420


def gain_over_greed(population, users):
    """Mean and standard error of what planning earns more than greed, on the same users."""
    planned = evaluate(planning_oracle, population, users=users).feedback.sum(1)
    gain = planned - evaluate(POLICIES["clairvoyant"], population, users=users).feedback.sum(1)
    return gain.mean(), gain.std() / users**0.5


@pytest.mark.parametrize(
    "population",
    [rebounding_population("Rebounding-Deterministic"), recgym_population("Preference")],
    ids=["rebounding", "recgym"],
)
def test_where_what_is_shown_wears_off_or_grows_on_users_it_earns_more_than_greed(population):
    gain, error = gain_over_greed(population, 120)
    assert gain > 3 * error > 0


def test_rules_let_items_rest_or_keep_them():
    env = RecommendationVectorEnv(recgym_population("Preference"), 30, autoreset_mode="Disabled")
    for rule in (Rule(rest=2), Rule(keep=True)):
        observation, _ = env.reset(seed=1)
        oracle = planning_oracle(env, rules=[rule], horizon=1, rollouts=1)
        state, shown = oracle.start(30), []
        for _ in range(6):
            items, state = oracle.act(observation, state)
            shown.append(items[:, 0])
            observation, *_ = env.step(items)
        same = [(one == other).mean() for one, other in pairwise(shown)]
        assert same == ([1] * 5 if rule.keep else [0] * 5)
        if rule.rest:
            assert not any((shown[k] == shown[k + 2]).any() for k in range(4))


def test_clicks_count_up_to_a_number_the_last_ones_first():
    clicks = np.array([[3.0, 4, 0, 2, 1]])
    shares = [_share_of_last(clicks, np.array([most]))[0] for most in (np.inf, 7, 5, 2)]
    expected = [[1, 1, 0, 1, 1], [1, 1, 0, 0, 0], [1, 0.5, 0, 0, 0], [2 / 3, 0, 0, 0, 0]]
    np.testing.assert_allclose(np.array(shares) * (clicks > 0), expected)


def test_items_can_rest_only_where_one_of_all_is_shown_again_and_again():
    with pytest.raises(ValueError, match="rest, or keep"):
        evaluate(partial(planning_oracle, rules=[Rule(rest=1)]), SLATES, users=2)
    with pytest.raises(ValueError, match="numpy"):
        planning_oracle(RecommendationVectorEnv(SLATES, 2, array_library="torch"))


def test_where_a_model_says_what_lasts_it_is_followed():
    """Short sight earns 4.67 until a user departs; the category that is best for ever earns 10."""
    got = evaluate(
        partial(planning_oracle, horizon=20, rollouts=2), attrition_population("SingleType"),
        users=100,
    )  # fmt: skip
    clicks = got.feedback.sum(1)
    assert abs(clicks.mean() - 10) < 3 * clicks.std() / 10
    assert clicks.mean() > 6.5


def test_among_candidates_a_greedy_rule_is_the_clairvoyant():
    population = recsim_population("InterestExploration", documents=50)
    greedy = evaluate(partial(planning_oracle, rules=[Rule()]), population, users=20)
    clairvoyant = evaluate(POLICIES["clairvoyant"], population, users=20)
    assert np.array_equal(greedy.items, clairvoyant.items)


def test_among_candidates_it_forgoes_what_wears_satisfaction_out():
    population = recsim_population("LongTermSatisfaction", sensitivity=0.3)
    # Random documents earn 999, those that engage most now 486, and never clickbait 1657.
    assert mean_return(population, rules=[Rule()]) < 600
    assert mean_return(population, horizon=10, rollouts=4) > 1500


def test_among_candidates_there_is_nothing_to_cap():
    population = recsim_population("InterestExploration", documents=50)
    with pytest.raises(ValueError, match="cap of 0"):
        evaluate(partial(planning_oracle, rules=[Rule(cap=2)]), population, users=2)
    with pytest.raises(ValueError, match="not be lasting"):
        evaluate(partial(planning_oracle, rules=[Rule(lasting=True)]), population, users=2)
