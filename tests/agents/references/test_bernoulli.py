"""Policies for Bernoulli bandits earn what is known of them."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from driftrec.agents import renew
from driftrec.agents.pseudo_reward import pseudo_rewards, standard_error
from driftrec.agents.references import (
    ArmPolicy,
    BernoulliGittins,
    BernoulliGreedy,
    BernoulliIndex,
    BernoulliLookahead,
    BernoulliOptimal,
    BernoulliThompson,
    BernoulliUCB,
    bernoulli_optimum,
)
from driftrec.agents.references.arms import ArmCounts
from driftrec.agents.references.bernoulli import best_other
from driftrec.agents.references.finite_horizon import index_table
from driftrec.agents.references.gittins import boundary
from driftrec.envs import RecommendationVectorEnv, bernoulli_population


def made(kind: Callable[..., ArmPolicy], **options: Any) -> Callable[..., ArmPolicy]:
    def make(env: RecommendationVectorEnv) -> ArmPolicy:
        simulation = env.simulation
        return kind(len(simulation.catalogue), simulation.max_requests, **options)

    return make


def counts(*arms: tuple[int, int]) -> ArmCounts:
    """What is known of one user: successes and failures of each arm."""
    wins, losses = np.array(arms).T
    return ArmCounts((wins + losses)[None], wins[None].astype(float), np.zeros(1, np.int64))


# Computed with little noise for the table of Duan et al. 2016, whose own figures agree.
TABLE = [
    (5, 10, 20_000, {"thompson": 5.83, "ucb": 6.66, "greedy": 6.63}),
    (10, 10, 20_000, {"thompson": 5.58, "ucb": 6.72, "greedy": 6.69}),
    (50, 10, 8000, {"thompson": 5.13, "ucb": 6.70, "greedy": 6.71}),
    (
        5,
        100,
        5000,
        {"thompson": 74.96, "ucb": 78.18, "greedy": 75.80, "gittins": 78.3, "index": 78.59},
    ),
    (10, 100, 5000, {"thompson": 77.14, "ucb": 83.35, "greedy": 79.13, "gittins": 82.8}),
    (50, 100, 2000, {"thompson": 64.44, "ucb": 84.78, "greedy": 80.44, "gittins": 85.2}),
]
POLICIES = {
    "thompson": BernoulliThompson,
    "greedy": BernoulliGreedy,
    "ucb": BernoulliUCB,
    "gittins": BernoulliGittins,
    "index": BernoulliIndex,
}


@pytest.mark.parametrize(("arms", "pulls", "users", "row"), TABLE)
def test_the_table_of_rewards(arms: int, pulls: int, users: int, row: dict[str, float]) -> None:
    for name, expected in row.items():
        options = {"bonus": 0.1} if name == "ucb" and pulls == 10 else {}
        policy = made(POLICIES[name], **options)
        found = pseudo_rewards(policy, bernoulli_population(arms, pulls), users, 0)
        # Rounding of the table, and the noise of published Gittins rewards at 1000 trials.
        slack = 0.5 if name == "gittins" else 0.01
        assert abs(found.mean() - expected) < 3.5 * standard_error(found) + slack, name


@pytest.mark.parametrize("arms", [2, 5])
def test_looking_one_pull_ahead_is_all_that_there_is_to_two_pulls(arms: int) -> None:
    found = pseudo_rewards(made(BernoulliLookahead), bernoulli_population(arms, 2), 200_000, 0)
    assert abs(found.mean() - bernoulli_optimum(arms, 2)) < 3 * standard_error(found)


def test_lookahead_is_the_better_the_farther_it_looks_and_never_as_good_as_the_index() -> None:
    population = bernoulli_population(5, 100)
    one, eight, index = (
        pseudo_rewards(policy, population, 4000, 0)
        for policy in (
            made(BernoulliLookahead),
            made(BernoulliLookahead, ahead=(1, 2, 4, 8)),
            made(BernoulliIndex),
        )
    )
    gain, lost = eight - one, index - eight
    assert gain.mean() > 3 * standard_error(gain)
    assert -2 * standard_error(lost) < lost.mean() < 0.5


def test_lookahead_values_are_expectations_over_all_outcomes() -> None:
    """Checked by walking through every sequence of two pulls of the first arm."""
    policy = BernoulliLookahead(2, 10, ahead=(2,))
    state = counts((2, 1), (1, 0))
    left, rival, mean = 10 - 4, 2 / 3, 3 / 5
    staying = 2 * mean
    for wins, ways in ((0, 1), (1, 2), (2, 1)):
        chance = ways * _rising(3, wins) * _rising(2, 2 - wins) / _rising(5, 2)
        staying += (left - 2) * chance * max((3 + wins) / 7, rival)
    expected = max(left * mean, staying)
    assert policy.scores(state)[0, 0] == pytest.approx(expected)


def _rising(start: int, terms: int) -> int:
    return math.prod(range(start, start + terms))


def test_the_greedy_policy_takes_equals_at_random_and_no_others() -> None:
    policy = BernoulliGreedy(4, 100)
    users = 4000
    start = policy.start(users)
    start.pulls[:, 3] = 1
    chosen = np.bincount(policy.choose(start), minlength=4) / users
    np.testing.assert_allclose(chosen, [1 / 3, 1 / 3, 1 / 3, 0], atol=4 * 0.5 / math.sqrt(users))


def test_thompson_draws_from_the_beta_posterior() -> None:
    policy, state = BernoulliThompson(2, 10), counts((3, 1), (0, 2))
    drawn = np.concatenate([policy.scores(state) for _ in range(20_000)])
    np.testing.assert_allclose(drawn.mean(0), [4 / 6, 1 / 4], atol=0.01)
    np.testing.assert_allclose(drawn.var(0), [4 * 2 / 36 / 7, 3 / 16 / 5], rtol=0.06)


def test_the_last_pull_is_greedy() -> None:
    for policy in (BernoulliGittins(3, 10), BernoulliLookahead(3, 10), BernoulliOptimal(3, 10)):
        state = counts((3, 2), (1, 0), (2, 1))
        assert policy.choose(state)[0] == 1, type(policy).__name__


def test_unknown_arms_have_the_greater_index_the_longer_the_horizon() -> None:
    state = counts((0, 0), (4, 4), (40, 40))
    indices = np.concatenate(
        [BernoulliGittins(3, 90 + left).scores(state) for left in (2, 20, 500)]
    )
    assert (np.diff(indices, axis=0) > 0).all()
    assert (np.diff(indices, axis=1) < 0).all()
    assert (indices > 0.5).all()


@pytest.mark.parametrize("discount", [0.9, 0.95, 0.99])
@pytest.mark.parametrize(("arm", "slack"), [((6, 4), 0.04), ((20, 20), 0.01)])
def test_the_approximation_is_close_to_the_index_of_arms_that_are_known_somewhat(
    discount: float, arm: tuple[int, int], slack: float
) -> None:
    pulls = round((1 + discount) / (1 - discount)) + sum(arm) - 2
    state = counts((arm[0] - 1, arm[1] - 1))
    found = BernoulliGittins(1, pulls).scores(state)[0, 0]
    assert abs(found - exact_index(*arm, discount)) < slack


def exact_index(a: int, b: int, discount: float, depth: int = 400) -> float:
    """The pay of a sure arm that is worth as much as the arm with a chance to stop (Gittins 1979).

    By bisection over optimal stopping, cut off after `depth` pulls.
    """
    low, high = a / (a + b), 1.0
    while high - low > 1e-3:
        sure = (low + high) / 2
        wins = np.arange(depth + 1)
        value = np.maximum((a + wins) / (a + b + depth), sure) / (1 - discount)
        for played in reversed(range(depth)):
            mean = (a + wins[: played + 1]) / (a + b + played)
            going_on = mean * (1 + discount * value[1:]) + (1 - mean) * discount * value[:-1]
            value = np.maximum(going_on, sure / (1 - discount))
        low, high = (sure, high) if value[0] > sure / (1 - discount) + 1e-9 else (low, sure)
    return (low + high) / 2


def test_gittins_indices_of_the_tables() -> None:
    """Gittins 1989, table 8: the helper above is right where the approximation is judged by it."""
    assert exact_index(1, 1, 0.9) == pytest.approx(0.7029, abs=2e-3)
    assert exact_index(1, 1, 0.99) == pytest.approx(0.8699, abs=3e-3)


def test_the_boundary_has_the_published_values_and_pieces_that_nearly_meet() -> None:
    found = boundary(np.array([0, 0.08, 1, math.e**2, math.e**6]))
    middle = math.exp(-0.02645 * 4 + 0.89106 * 2 - 0.4873 - 1)
    limit = math.sqrt(12 - math.log(6) - math.log(16 * math.pi))
    np.testing.assert_allclose(found, [0, 0.2, math.exp(-0.4873), middle, limit], rtol=1e-12)
    for knot in (1 / 7, 100):
        below, above = boundary(np.array([knot, knot + 1e-9]))
        assert above == pytest.approx(below, rel=0.1)


@pytest.mark.parametrize("left", [1, 2, 3])
def test_finite_horizon_indices_by_hand(left: int) -> None:
    """The best rule goes on after successes; it stops at a failure, or so that no index is less."""
    table = index_table(12)
    for wins, losses in itertools.product(range(4), range(4)):
        a, b = 1 + wins, 1 + losses
        paid, pulled, chance, best = 0.0, 0.0, 1.0, 0.0
        for k in range(left):
            pulled += chance
            chance *= (a + k) / (a + b + k)
            paid += chance
            best = max(best, paid / pulled)
        found = table[left - 1, wins + losses, wins] / 512
        if left < 3:
            assert abs(found - best) < 1 / 512
        else:
            assert found > best - 1 / 512
    assert (np.diff(table[:10, 2, 1].astype(int)) > 0).all()


def test_the_finite_horizon_index_is_as_good_as_the_optimum_for_two_arms() -> None:
    population = bernoulli_population(2, 30)
    best, index = (
        pseudo_rewards(made(kind), population, 20_000, 0)
        for kind in (BernoulliOptimal, BernoulliIndex)
    )
    assert abs((best - index).mean()) < 0.01


def test_more_pulls_than_the_table_holds_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"pulls must lie in \[1, 250\] for exact indices, got 500"
    ):
        BernoulliIndex(5, 500)


def test_the_best_other_column_is_that_without_ones_own() -> None:
    values = np.random.default_rng(0).integers(4, size=(50, 5)).astype(float)
    expected = np.stack([np.delete(values, arm, axis=1).max(1) for arm in range(5)], axis=1)
    np.testing.assert_array_equal(best_other(values), expected)
    assert best_other(values[:, :1]).tolist() == [[-np.inf]] * 50


@pytest.mark.parametrize("kind", [BernoulliUCB, BernoulliOptimal, BernoulliGreedy])
def test_counts_are_those_of_the_user_also_after_others_took_the_row(
    kind: Callable[..., ArmPolicy],
) -> None:
    env = RecommendationVectorEnv(bernoulli_population(3, 6), 20)
    policy = made(kind)(env)
    observation, _ = env.reset(seed=0)
    state, earned = policy.start(20), np.zeros(20)
    for request in range(20):
        if observation["new_user"].any():
            state = renew(state, policy.start(20), observation["new_user"])
            earned[:] = 0
        before = state.pulls.copy()
        arms, after = policy.act(observation, state)
        np.testing.assert_array_equal(state.pulls, before)
        state = after
        assert (state.pulls.sum(1) == request % 6).all()
        np.testing.assert_array_equal(state.total.sum(1), earned)
        observation, reward, *_ = env.step(arms)
        earned += reward
