"""KuaiSim's viewers lose patience and return as its program says."""

from dataclasses import replace
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftrec.envs import RecommendationVectorEnv
from driftrec.envs.published.kuaisim import (
    DIMENSION,
    CrossSession,
    ReturnDay,
    WholeSession,
    kuaisim_population,
)
from driftrec.envs.testing import check_user_model

PUBLISHED = {
    "A2C": (0.5950, 14.02),
    "TD3": (0.6476, 14.63),
    "DDPG": (0.6841, 14.89),
    "HAC": (0.6895, 14.98),
}
"""Average reward and depth of the original's baselines."""

KINDS = pytest.mark.parametrize("kind", [WholeSession, CrossSession])


def shown(model, items):
    items = np.asarray(items)
    return model.default_catalogue().show(items, np.zeros(items.shape, np.uint8))


def logistic(x):
    return 1 / (1 + np.exp(-np.float64(x)))


@KINDS
@pytest.mark.parametrize("response", ["logistic", "shipped"])
def test_the_users_keep_the_contract(kind, response):
    check_user_model(kind(items=40, response=response))


@pytest.mark.parametrize("response", ["logistic", "shipped"])
def test_clicks_are_those_of_the_equations_one_by_one(response):
    model = WholeSession(items=30, correlation=0.7, response=response)
    catalogue, state = model.default_catalogue(), model.sample(3, np.random.default_rng(0))
    items = [[1, 2, 3, 4], [5, 6, 7, 8], [2, 11, 0, 29]]
    mean = model.respond(state, shown(model, items)).mean
    alone = model.click_probability(state, catalogue)
    unit = catalogue.features / np.linalg.norm(catalogue.features, axis=1)[:, None]
    for user, slate in enumerate(items):
        for rank, item in enumerate(slate):
            liking = logistic(
                state.level[user]
                + catalogue.quality[item]
                + sum(state.taste[user] * catalogue.features[item])
            )
            if response == "shipped":
                liking = logistic(liking)
            alike = np.mean([np.mean(unit[item] * unit[other]) for other in slate])
            assert mean[user, rank] == pytest.approx(liking - 0.7 * alike, abs=1e-6)
            assert alone[user, item] == pytest.approx(liking - 0.7 / DIMENSION, abs=1e-6)


def test_the_logistic_function_of_a_chance_lies_between_a_half_and_three_quarters():
    model = CrossSession(response="shipped")
    state = model.sample(500, np.random.default_rng(0))
    chance = model.click_probability(state, model.default_catalogue())
    assert chance.min() > 0.5
    assert chance.max() < logistic(1)


def test_viewers_click_on_random_items_as_often_as_those_of_kuairand():
    model = CrossSession()
    state = model.sample(4000, np.random.default_rng(0))
    chance = model.click_probability(state, model.default_catalogue())
    assert chance.mean() == pytest.approx(0.442, abs=0.02)
    assert state.level.std() == pytest.approx(0.65, rel=0.03)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.floats(0, 1))
def test_patience_runs_out_when_it_does_in_exact_arithmetic(seed, slate, share):
    model = WholeSession(items=10)
    state = model.sample(1, np.random.default_rng(0))
    rng, patience = np.random.default_rng(seed), Fraction(20)
    requests = 0
    while patience >= 1:
        requests += 1
        clicks = rng.random((1, slate)) < share
        state = model.react(state, None, clicks.astype(np.float32))
        patience -= min(max(2 - Fraction(int(clicks.sum()), slate), 0), 2)
        assert state.patience[0] == pytest.approx(float(patience), abs=1e-4)
        assert model.leave(state)[0] == (patience < 1)
    assert 10 <= requests <= 20


def depth_by_the_rule(chance):
    """Mean requests until patience is below 1, where each of six items is clicked by chance.

    After n requests patience is 20 - 2n + (clicks so far) / 6, so that a user is still there if the
    clicks, binomial, are 6 (2n - 19) or more.
    """
    depth = 0.0
    for n in range(20):
        for clicks in range(max(6 * (2 * n - 19), 0), 6 * n + 1):
            depth += comb(6 * n, clicks) * chance**clicks * (1 - chance) ** (6 * n - clicks)
    return depth


@pytest.mark.parametrize("algorithm", PUBLISHED)
def test_sessions_are_as_deep_as_the_published_ones_of_the_same_reward(algorithm):
    reward, published = PUBLISHED[algorithm]
    population = kuaisim_population(
        items=10,
        intercept=np.log(reward / (1 - reward)),
        level_sd=0.0,
        taste_sd=0.0,
        quality_sd=0.0,
        correlation=0.0,
    )
    env = RecommendationVectorEnv(population, 4000, autoreset_mode="Disabled")
    env.reset(seed=0)
    slate = np.tile(np.arange(6), (4000, 1))
    clicks = np.zeros(4000)
    for _ in range(population.max_requests):
        clicks += env.step(slate)[1]
    trials = env.simulation.trials
    assert trials.churned.all()
    depth = trials.request
    assert clicks.sum() / depth.sum() / 6 == pytest.approx(reward, abs=0.005)
    error = 4 * depth.std() / 4000**0.5
    assert depth.mean() == pytest.approx(depth_by_the_rule(reward), abs=error)
    assert depth_by_the_rule(reward) == pytest.approx(published, abs=0.15)


def chances_of_days(chance, longest=10):
    """Of one day, two, and so on, written out."""
    weights = [chance * (1 - chance) ** k for k in range(longest)]
    return np.array(weights) / sum(weights)


@given(st.floats(0.001, 0.999), st.integers(1, 30))
def test_days_until_the_return_are_a_geometric_law_cut_off(chance, longest):
    uniform = (np.arange(2000, dtype=np.float32) + 0.5) / 2000
    law = ReturnDay.of(np.full(2000, chance, np.float32), longest)
    days = law.draw(uniform)
    assert set(days) <= set(range(1, longest + 1))
    expected = chances_of_days(chance, longest)
    found = np.bincount(days.astype(int), minlength=longest + 1)[1:] / 2000
    assert found == pytest.approx(expected, abs=0.001)
    for day in (-1, 0, 0.5, 1, 2.7, longest - 1, longest, 99):
        away = expected[max(int(day), 0) :].sum()
        assert law.survival(day)[0] == pytest.approx(away, abs=1e-4)
    assert expected[: int(law.median[0])].sum() >= 0.5 - 1e-4
    assert expected[: int(law.median[0]) - 1].sum() <= 0.5 + 1e-4


def test_some_rows_of_the_law_are_the_law_of_these_users():
    law = ReturnDay.of(np.float32([0.1, 0.5, 0.9]), 10)
    part = law.rows(np.array([2, 0]))
    np.testing.assert_array_equal(part.chance, law.chance[[2, 0]])
    np.testing.assert_array_equal(part.median, law.median[[2, 0]])
    np.testing.assert_array_equal(part.never, [0, 0])


def test_what_was_liked_of_the_last_slate_alone_brings_users_back():
    model = CrossSession(items=10)
    state = model.sample(4, np.random.default_rng(0))
    state = replace(state, habit=np.float32([0, 0.2, -2, 2]))
    for clicks in (np.ones((4, 6)), np.zeros((4, 6)), np.float32([[1, 1, 1, 0, 0, 0]] * 4)):
        state = model.react(state, None, np.float32(clicks))
    law = model.return_after(state)
    assert law.chance == pytest.approx([0.45, 0.65, 0.001, 0.999], abs=1e-6)
    assert (law.never == 0).all()


def test_a_trial_is_six_sessions_of_five_requests_that_begin_after_whole_days():
    population = kuaisim_population("CrossSession", items=20)
    env = RecommendationVectorEnv(population, 3000, autoreset_mode="Disabled")
    env.reset(seed=1)
    slate = np.tile(np.arange(6), (3000, 1))
    days = []
    for request in range(1, 31):
        *_, terminated, truncated, _ = env.step(slate)
        trials = env.simulation.trials
        assert not terminated.any()
        assert (truncated == (request == 30)).all()
        assert (trials.returned == (request % 5 == 0)).all()
        assert (trials.session == request // 5).all()
        if request % 5 == 0:
            days.append(trials.elapsed)
            law = population.model.return_after(env.simulation.state)
    assert set(np.concatenate(days)) == set(range(1, 11))
    expected = np.mean([chances_of_days(np.float64(chance)) for chance in law.chance], axis=0)
    found = np.bincount(days[-1].astype(int), minlength=11)[1:] / 3000
    assert found == pytest.approx(expected, abs=4 * 0.5 / 3000**0.5)


@pytest.mark.parametrize("task", ["WholeSession", "CrossSession"])
def test_torch_runs_the_trials_that_numpy_runs(task):
    torch = pytest.importorskip("torch")
    population = kuaisim_population(task)
    one, two = (
        RecommendationVectorEnv(population, 20, array_library=name) for name in ("numpy", "torch")
    )
    one.reset(seed=2), two.reset(seed=2)
    rng = np.random.default_rng(0)
    for _ in range(30):
        slate = np.stack([rng.permutation(1000)[:6] for _ in range(20)])
        first, second = one.step(slate), two.step(torch.as_tensor(slate))
        for key, values in first[0].items():
            np.testing.assert_allclose(values, second[0][key].numpy(), atol=1e-4)
        for left, right in zip(first[1:4], second[1:4], strict=True):
            np.testing.assert_array_equal(left, right.numpy())


def test_users_of_other_items_are_shown_another_catalogue():
    population = kuaisim_population(items=50)
    usual, other = (population.split(name).catalogue for name in ("test", "ood-items"))
    assert not np.isin(usual.features, other.features).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"response": "none"}, "response must be logistic or shipped"),
        ({"level_sd": -1.0}, "level_sd must not be negative"),
        ({"patience": 0.5}, "patience must be 1 or more"),
        ({"return_base": 0.0}, r"return_base must lie in \(0, 1\]"),
        ({"return_sd": -1.0}, "return_sd must not be negative"),
        ({"longest": 0}, "longest must be a whole number"),
    ],
)
def test_bad_parameters_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        CrossSession(**change)


def test_an_unknown_task_is_refused_by_the_names_of_those_that_are():
    with pytest.raises(ValueError, match="task must be one of WholeSession, CrossSession"):
        kuaisim_population("Request")
