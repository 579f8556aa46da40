from dataclasses import replace

import numpy as np
import pytest

from driftrec.agents.benchmark.scenarios import jumping_feed
from driftrec.agents.evaluation import join
from driftrec.agents.groups import group_means, members, minority, worst_group
from driftrec.agents.harness import evaluate
from driftrec.agents.metrics import METRICS, user_ctr
from driftrec.agents.registry import POLICIES
from driftrec.agents.statistics import user_weights
from driftrec.envs import Population, RecommendationVectorEnv, feed_population
from driftrec.envs.bernoulli_bandit import bernoulli_population
from driftrec.envs.finite_users import finite_users

VALUES = np.array([0.2, 0.4, 0.9, 0.1, 0.3])
GROUP = np.array([0, 0, 1, 3, 3])
BELONGS = members(GROUP, 5, 4)
ONE = np.ones((1, 5))


def test_each_group_has_its_mean() -> None:
    np.testing.assert_allclose(
        group_means(VALUES, BELONGS, ONE)[0], [0.3, 0.9, np.nan, 0.2], rtol=1e-6
    )
    weighted = group_means(VALUES, BELONGS, np.array([[1.0, 3, 0, 1, 1]]))
    np.testing.assert_allclose(weighted[0], [0.35, np.nan, np.nan, 0.2], rtol=1e-6)
    assert worst_group(VALUES, BELONGS, ONE) == pytest.approx(0.2)
    assert minority(VALUES, BELONGS, ONE) == pytest.approx(0.9)


def test_groups_add_up_to_everyone() -> None:
    rng = np.random.default_rng(0)
    group, values = rng.integers(0, 5, 200), rng.random(200)
    belongs = members(group, 200, 5)
    weights = user_weights(np.zeros(200, int), 3, rng)
    means = group_means(values, belongs, weights)
    sizes = weights @ belongs
    np.testing.assert_allclose((means * sizes).sum(1), weights @ values, rtol=1e-4)


def test_users_who_will_jump_are_grouped_by_the_persona_that_they_begin_with() -> None:
    population = jumping_feed()
    plain = replace(population, model=population.model.model)
    jumping, still = (
        evaluate(POLICIES["random"], one, users=60, batch=60) for one in (population, plain)
    )
    assert jumping.group_names == still.group_names
    assert len(set(jumping.group)) > 5
    np.testing.assert_array_equal(jumping.group, still.group)


def test_without_groups_all_are_one() -> None:
    assert worst_group(VALUES, members(None, 5, 0), ONE) == pytest.approx(VALUES.mean())
    assert minority(VALUES, members(None, 5, 0), ONE) == pytest.approx(VALUES.mean())


@pytest.mark.parametrize("population", [feed_population(), finite_users(feed_population(), 30)])
def test_users_are_grouped_by_their_persona_at_first_contact(population: Population) -> None:
    got = evaluate(POLICIES["random"], population, split="train", users=50, batch=30, seed=3)
    assert got.group_names == tuple(f"persona {number}" for number in range(12))
    numbers = np.random.SeedSequence([3, 0]).generate_state(1, np.uint64)
    env = RecommendationVectorEnv(population, 30, split="train")
    env.reset(seed=int(numbers[0] >> np.uint64(1)))
    assert got.group is not None
    np.testing.assert_array_equal(got.group[:30], env.simulation.state.persona)
    assert METRICS["ctr-worst-group"].measure(got, np.ones((1, 50))) <= user_ctr(got).mean()


def test_other_users_are_one_group() -> None:
    population = bernoulli_population()
    got = evaluate(POLICIES["random"], population, users=4, batch=2)
    assert got.group_names == ("everyone",)
    assert got.group is not None
    assert not got.group.any()
    assert (
        join([got, evaluate(POLICIES["random"], population, users=4, batch=2, seed=1)]).users == 8
    )
