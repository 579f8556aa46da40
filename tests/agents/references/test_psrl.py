"""Posterior sampling counts, plans and earns as it should."""

from typing import Any

import numpy as np
import pytest

from driftrec.agents import renew
from driftrec.agents.pseudo_reward import pseudo_rewards, standard_error
from driftrec.agents.references import PSRL, reference_policies
from driftrec.envs import (
    DriftingUser,
    RecommendationVectorEnv,
    TabularMDP,
    bernoulli_population,
    tabular_population,
)


def earned(name: str, episodes: int, users: int) -> np.ndarray:
    population = tabular_population(episodes)
    return pseudo_rewards(reference_policies(population.model)[name], population, users, 0)


@pytest.mark.parametrize(
    ("name", "episodes", "published", "slack"),
    [
        # Duan et al. 2016, table 2; the slack is for their own error and, for OPSRL, for a number
        # of draws that they tuned and did not publish.
        ("psrl", 10, 138.1, 1.5),
        ("psrl", 25, 408.8, 4.0),
        ("opsrl", 10, 144.1, 4.0),
    ],
)
def test_published_rewards(name: str, episodes: int, published: float, slack: float) -> None:
    found = earned(name, episodes, 1500)
    error = standard_error(found)
    assert error < 0.7 * episodes / 10
    assert abs(found.mean() - published) < 2 * error + slack


def test_in_few_episodes_optimism_helps_and_the_means_alone_help_more() -> None:
    one, many, means = (earned(name, 10, 1500) for name in ("psrl", "opsrl", "psrl-means"))
    for better, worse in ((many, one), (means, many)):
        gain = better - worse
        assert gain.mean() > 3 * standard_error(gain)


def plan_by_loops(reward: np.ndarray, chance: np.ndarray, steps: int) -> np.ndarray:
    """Optimal actions of one process, `(steps, states)`, by the definition."""
    states, actions = reward.shape
    value, plan = [0.0] * states, np.zeros((steps, states), int)
    for step in reversed(range(steps)):
        worth = [
            [
                reward[s, a] + sum(chance[s, a, t] * value[t] for t in range(states))
                for a in range(actions)
            ]
            for s in range(states)
        ]
        plan[step] = np.argmax(worth, axis=1)
        value = np.max(worth, axis=1).tolist()
    return plan


@pytest.mark.parametrize("draws", [1, 3])
def test_of_a_process_that_is_known_the_plan_is_optimal(draws: int) -> None:
    model = TabularMDP(states=4, actions=3, steps=5)
    state = model.sample(20, np.random.default_rng(0))
    chance = np.diff(state.reach, axis=-1, prepend=0)
    visits = np.full(state.reward.shape, 1e7, np.float32)
    found = PSRL(model, draws).plan(chance * 1e7, visits, state.reward * 1e7)
    for user in range(20):
        expected = plan_by_loops(state.reward[user], chance[user], model.steps)
        np.testing.assert_array_equal(found[user], expected)


def test_draws_are_from_the_posterior() -> None:
    """Dirichlet and normal moments by their formulas."""
    model = TabularMDP(states=3, actions=1, sd=2.0)
    users = 40_000
    counts = np.array([5.0, 0.0, 2.0], np.float32)
    moves = np.tile(counts, (users, 3, 1, 1))
    visits, total = np.full((users, 3, 1), 7, np.float32), np.full((users, 3, 1), 21, np.float32)
    policy = PSRL(model, prior_mean=-1.0)
    reward, chance = policy._draw(moves, visits, total)
    mean = (1 + counts) / (3 + 7)
    np.testing.assert_allclose(chance.mean((0, 1, 2)), mean, atol=0.003)
    np.testing.assert_allclose(chance.var((0, 1, 2)), mean * (1 - mean) / 11, rtol=0.03)
    precision = 1 + 7 / 4
    assert reward.mean() == pytest.approx((-1 + 21 / 4) / precision, abs=0.01)
    assert reward.var() == pytest.approx(1 / precision, rel=0.03)
    sure, _ = PSRL(model, prior_mean=-1.0, spread=0.0)._draw(moves, visits, total)
    np.testing.assert_allclose(sure, (-1 + 21 / 4) / precision, rtol=1e-5)


def test_counts_are_those_of_the_user_and_no_move_leads_to_the_next_episode() -> None:
    model = TabularMDP(states=3, actions=2, steps=4)
    env = RecommendationVectorEnv(tabular_population(2, 3, 2, 4), 10)
    policy = PSRL(model)
    observation, _ = env.reset(seed=0)
    state: Any = policy.start(10)
    expected, paid = np.zeros((10, 3, 2, 3)), np.zeros(10)
    for request in range(20):
        if observation["new_user"].any():
            state = renew(state, policy.start(10), observation["new_user"])
            expected[:], paid[:] = 0, 0
        before = state.moves.copy()
        now = observation["context"].argmax(1)
        action, after = policy.act(observation, state)
        np.testing.assert_array_equal(state.moves, before)
        state = after
        np.testing.assert_array_equal(state.moves, expected)
        assert (state.visits.sum((1, 2)) == request % 8).all()
        np.testing.assert_allclose(state.total.sum((1, 2)), paid, atol=1e-4)
        observation, reward, *_ = env.step(action)
        paid += reward
        if request % 4 < 3:
            expected[np.arange(10), now, action[:, 0], observation["context"].argmax(1)] += 1


def test_the_plan_stands_for_the_episode() -> None:
    env = RecommendationVectorEnv(tabular_population(2), 10)
    policy = PSRL(TabularMDP())
    observation, _ = env.reset(seed=0)
    state, plans = policy.start(10), []
    for _ in range(20):
        action, state = policy.act(observation, state)
        plans.append(state.plan)
        observation, *_ = env.step(action)
    for request in range(1, 20):
        assert np.array_equal(plans[request], plans[request - 1]) == (request != 10)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="draws must be at least 1 and spread 0 or more, got 0"):
        PSRL(TabularMDP(), draws=0)
    with pytest.raises(ValueError, match="spread 0 or more, got 1 and -1"):
        PSRL(TabularMDP(), spread=-1.0)
    make = reference_policies(TabularMDP())["psrl"]
    with pytest.raises(ValueError, match="needs users of a TabularMDP, got BernoulliBandit"):
        make(RecommendationVectorEnv(bernoulli_population(), 2))


def test_users_without_references_have_none() -> None:
    assert reference_policies(DriftingUser()) == {}
