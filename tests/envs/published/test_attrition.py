"""Departing users bring the clicks that geometric sums say, and never return."""

import itertools

import numpy as np
import pytest

from driftrec.envs import RandomStreams, RecommendationVectorEnv
from driftrec.envs.published.attrition import (
    REQUESTS,
    TASKS,
    Attrition,
    AttritionEnv,
    AttritionVectorEnv,
    TypedUser,
    attrition_population,
)
from driftrec.envs.testing import check_user_model

TWO = Attrition(**TASKS["TwoTypes"])


def sequence_value(model, way, then):
    """Expected clicks of showing categories in an order, and another one ever after, by hand.

    What is clicked does not change what is shown, so that survival is a product.
    """
    total = 0.0
    for kind, share in enumerate(model.prior):
        alive = share
        for category in way:
            click, departure = model.clicks[category][kind], model.departures[category][kind]
            total += alive * click
            alive *= 1 - (1 - click) * departure
        click, departure = model.clicks[then][kind], model.departures[then][kind]
        total += alive * click / ((1 - click) * departure)
    return total


def run(task, way, then, users=8000):
    """Clicks and requests of users who are shown a sequence, `(users,)` each."""
    env = AttritionVectorEnv(users, task=task, autoreset_mode="Disabled")
    env.reset(seed=0)
    clicks = np.zeros(users)
    for request in range(REQUESTS):
        category = way[request] if request < len(way) else then
        clicks += env.step(np.full(users, category))[1]
        if env.simulation.over.all():
            break
    return clicks, env.simulation.trials.request


def assert_mean(drawn, expected):
    error = drawn.std() / len(drawn) ** 0.5
    assert drawn.mean() == pytest.approx(expected, abs=4 * error)


@pytest.mark.parametrize("task", TASKS)
def test_the_users_keep_the_contract(task):
    check_user_model(Attrition(**TASKS[task]), slate=2)


@pytest.mark.parametrize(("category", "worth"), [(0, 10), (1, 7.5), (2, 14 / 3)])
def test_a_category_shown_for_ever_brings_p_over_one_minus_p_times_l(category, worth):
    model = Attrition()
    assert model.values[0, category] == pytest.approx(worth, rel=1e-6)
    clicks, requests = run("SingleType", (), category)
    assert_mean(clicks, worth)
    click, departure = model.clicks[category][0], model.departures[category][0]
    lost = (1 - click) * departure
    assert_mean(requests, 1 / lost)
    for after in (1, 5, 15):
        assert (requests > after).mean() == pytest.approx((1 - lost) ** after, abs=0.02)


def test_for_one_type_one_category_is_best_for_ever_and_not_the_one_clicked_most():
    model = Attrition()
    plans = {
        (way, then): sequence_value(model, way, then)
        for way in itertools.product(range(3), repeat=5)
        for then in range(3)
    }
    best = max(plans, key=lambda plan: plans[plan])
    assert best == ((0,) * 5, 0)
    assert plans[best] == pytest.approx(model.values.max(), rel=1e-6)
    assert np.argmax(model.clicks) == np.argmin(model.values)


@pytest.mark.parametrize("category", [0, 1])
def test_a_fixed_category_brings_two_types_the_mean_of_their_sums(category):
    by_type = [TWO.clicks[category][kind] / (1 - TWO.clicks[category][kind]) for kind in (0, 1)]
    expected = 0.1 * by_type[0] + 0.9 * by_type[1]
    assert sequence_value(TWO, (), category) == pytest.approx(expected)
    assert TWO.values[:, category] == pytest.approx(by_type, rel=1e-5)
    assert_mean(run("TwoTypes", (), category)[0], expected)


def test_two_types_are_best_shown_what_both_like_four_times_and_then_what_one_does():
    plans = {
        (way, then): sequence_value(TWO, way, then)
        for way in itertools.product(range(2), repeat=8)
        for then in range(2)
    }
    best = max(plans, key=lambda plan: plans[plan])
    assert best == ((1,) * 4 + (0,) * 4, 0)
    assert plans[best] == pytest.approx(2.744, abs=0.001)
    assert_mean(run("TwoTypes", (1,) * 4, 0)[0], plans[best])
    fixed = max(sequence_value(TWO, (), then) for then in range(2))
    # Who shows what is most likely clicked, by the belief that clicks bring about, turns late.
    odds = 1 / 9 * (0.9 / 0.6) ** np.arange(100)
    turn = int(np.argmax(odds * 0.95 + 0.1 > odds * 0.9 + 0.6))
    assert turn == 12
    assert fixed < sequence_value(TWO, (1,) * turn, 0) < plans[best] - 0.1


@pytest.mark.parametrize("task", TASKS)
def test_the_values_of_items_are_those_of_bellmans_equation(task):
    model = Attrition(**TASKS[task])
    kinds = len(model.prior)
    state = TypedUser(np.arange(kinds), np.zeros(kinds, np.float32))
    values = model.item_values(state, model.default_catalogue())
    best = values.max(1)
    assert best == pytest.approx(model.values.max(1), rel=1e-5)
    clicks, departures = np.array(model.clicks).T, np.array(model.departures).T
    missed = (1 - clicks) * (1 - departures) * best[:, None]
    assert values == pytest.approx(clicks * (1 + best[:, None]) + missed, rel=1e-5)


@pytest.mark.parametrize("task", TASKS)
def test_a_trial_is_that_of_one_user_stepped_by_hand(task):
    population = attrition_population(task)
    model, items = population.model, len(population.catalogue)
    env = AttritionEnv(task)
    rng = np.random.default_rng(0)
    for seed in range(20):
        env.reset(seed=seed)
        kind = int(env.privileged().kind[0])
        streams = RandomStreams(population.split("train").entropy(seed))
        departed = False
        while not departed:
            category = int(rng.integers(items))
            click = streams.response.uniform(1, 1).item() < model.clicks[category][kind]
            chance = 0.0 if click else model.departures[category][kind]
            departed = streams.visits.uniform(1, 2)[0, 0].item() < chance
            observation, reward, terminated, truncated, _ = env.step(category)
            assert (reward, terminated, truncated) == (click, departed, False)
            assert observation["new_session"][0] == departed


def test_types_come_as_often_as_the_prior_says():
    model = Attrition(((0.5, 0.4, 0.3),), ((1.0, 1.0, 1.0),), (0.2, 0.5, 0.3))
    kind = model.sample(50_000, np.random.default_rng(0)).kind
    assert np.bincount(kind) / 50_000 == pytest.approx(model.prior, abs=0.01)


def test_of_several_categories_each_that_is_not_clicked_may_drive_away():
    model = Attrition()
    slate = model.default_catalogue().show(np.array([[0, 1, 2]]), np.zeros((1, 3), np.uint8))
    state = model.sample(1, np.random.default_rng(0))
    after = model.react(state, slate, np.float32([[0, 1, 0]]))
    assert model.leave(after) == pytest.approx([1 - 0.9 * 0.5])


@pytest.mark.parametrize("task", TASKS)
def test_torch_runs_the_trials_that_numpy_runs(task):
    torch = pytest.importorskip("torch")
    population = attrition_population(task)
    one, two = (
        RecommendationVectorEnv(population, 30, array_library=name) for name in ("numpy", "torch")
    )
    one.reset(seed=2), two.reset(seed=2)
    rng = np.random.default_rng(0)
    for _ in range(20):
        arms = rng.integers(len(population.catalogue), size=30)
        first, second = one.step(arms), two.step(torch.as_tensor(arms))
        assert np.array_equal(first[1], second[1].numpy())
        assert np.array_equal(first[2], second[2].numpy())
    model, catalogue = population.model, population.catalogue
    values = model.item_values(one.simulation.state, catalogue)
    assert np.array_equal(values, model.item_values(two.simulation.state, catalogue).numpy())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clicks": ((0.5,), (1.0,), (0.7,))}, r"clicks must lie in \[0, 1\)"),
        ({"departures": ((0.5,), (0.0,), (0.7,))}, r"departures must lie in \(0, 1\]"),
        ({"departures": ((0.5,), (0.2,))}, "departures must have a row for each of 3 categories"),
        ({"clicks": ()}, "clicks must have a row"),
        ({"prior": (0.5, 0.5)}, "column for each of 2 types"),
        ({"prior": (0.9,)}, "prior must be non-negative and sum to one"),
        ({"prior": (float("nan"),)}, "prior must be non-negative and sum to one"),
    ],
)
def test_bad_parameters_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Attrition(**change)


def test_an_unknown_task_is_refused_by_the_names_of_those_that_are():
    with pytest.raises(ValueError, match="task must be one of SingleType"):
        attrition_population("ThreeTypes")
