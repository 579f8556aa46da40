"""Preferences move on the sphere as biased assimilation says."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftrec.envs import RecommendationVectorEnv
from driftrec.envs.published.preference_dynamics import (
    BiasedAssimilation,
    Preference,
    PreferenceDynamicsEnv,
    PreferenceDynamicsVectorEnv,
    preference_dynamics_population,
)
from driftrec.envs.testing import check_user_model

MODEL = BiasedAssimilation()


def shown(catalogue, items):
    return catalogue.show(np.asarray(items), np.zeros(np.shape(items), np.uint8))


def moved_by_hand(preference, influence, item):
    """One user after one item, number by number."""
    rating = sum(a * b for a, b in zip(preference, item, strict=True))
    to = [a + influence * rating * b for a, b in zip(preference, item, strict=True)]
    norm = math.sqrt(sum(a * a for a in to))
    return rating, [a / norm for a in to]


@pytest.mark.parametrize("model", [MODEL, BiasedAssimilation(dimension=2, items=8, sd=0.01)])
def test_the_users_keep_the_contract(model):
    check_user_model(model)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 5]))
def test_users_move_as_one_user_does_by_hand_and_stay_on_the_sphere(seed, dimension):
    rng = np.random.default_rng(seed)
    model = BiasedAssimilation(dimension=dimension, items=12, influence=(0, 2))
    catalogue = model.default_catalogue()
    first = state = model.sample(4, rng)
    items = rng.integers(12, size=(15, 4, 1))
    ratings = []
    for item in items:
        slate = shown(catalogue, item)
        ratings.append(model.respond(state, slate).mean[:, 0])
        state = model.react(state, slate, ratings[-1][:, None])
    assert np.linalg.norm(state.preference, axis=1) == pytest.approx(1, abs=1e-5)
    for user in range(4):
        preference = first.preference[user].astype(float).tolist()
        for request, item in enumerate(items[:, user, 0]):
            rating, preference = moved_by_hand(
                preference, float(first.influence[user]), catalogue.features[item].astype(float)
            )
            assert ratings[request][user] == pytest.approx(rating, abs=1e-4)
        assert state.preference[user] == pytest.approx(preference, abs=1e-4)


def test_one_item_shown_for_ever_is_rated_by_the_closed_form_to_the_end_that_its_sign_decides():
    model = BiasedAssimilation(influence=(0.1, 0.1))
    catalogue = model.default_catalogue()
    state = model.sample(50, np.random.default_rng(0))
    items = np.arange(50)[:, None]
    slate = shown(catalogue, items)
    start = model.respond(state, slate).mean[:, 0].astype(float)
    for request in range(151):
        rating = model.respond(state, slate).mean[:, 0]
        grown = start * 1.1**request
        assert rating == pytest.approx(grown / np.sqrt(grown**2 + 1 - start**2), abs=1e-3)
        state = model.react(state, slate, rating[:, None])
    assert (np.sign(rating) == np.sign(start)).all()
    assert abs(rating).min() > 0.999


def test_an_orthogonal_item_leaves_the_user_as_they_are_and_one_along_the_preference_too():
    model = BiasedAssimilation(dimension=2, items=2)
    state = Preference(np.float32([[1, 0], [0, -1], [1, 0]]), np.float32([0.5, 0.5, 0.5]))
    slate = shown(model.default_catalogue(), [[0], [0], [0]])
    slate.features = np.float32([[[0, 1]], [[0, 1]], [[-1, 0]]])
    after = model.react(state, slate, np.zeros((3, 1), np.float32))
    assert after.preference == pytest.approx(state.preference, abs=1e-6)


def test_always_showing_one_liked_item_has_the_bounded_regret_of_a_geometric_sum():
    influence, users = 0.2, 40
    population = preference_dynamics_population(influence=(influence, influence))
    env = RecommendationVectorEnv(population, users, autoreset_mode="Disabled")
    env.reset(seed=0)
    first = np.asarray(env.simulation.click_probability())
    items = first.argmax(1)
    start = first.max(1).astype(float)
    regret = np.zeros(users)
    for _ in range(100):
        rating = np.asarray(env.simulation.click_probability())[np.arange(users), items]
        regret += 1 - rating
        env.step(items)
    # 1 - cos θ is at most tan² θ / 2, which shrinks by (1 + η)² each time.
    tangent = (1 - start**2) / start**2
    assert (regret < tangent / 2 / (1 - (1 + influence) ** -2) + 1e-3).all()
    assert (abs(1 - rating) < 1e-4).all()


def test_users_and_items_are_uniform_on_the_sphere_and_influence_on_its_range():
    state = MODEL.sample(50_000, np.random.default_rng(0))
    for unit in (state.preference, BiasedAssimilation(items=50_000).default_catalogue().features):
        assert np.linalg.norm(unit, axis=1) == pytest.approx(1, abs=1e-6)
        assert unit.mean(0) == pytest.approx(np.zeros(5), abs=0.01)
        assert np.cov(unit.T) == pytest.approx(np.eye(5) / 5, abs=0.01)
    assert np.quantile(state.influence, [0, 0.5, 1]) == pytest.approx([0, 0.1, 0.2], abs=0.002)


def test_other_items_come_in_the_split_of_that_name():
    population = preference_dynamics_population()
    one, other = (population.split(name).catalogue.features for name in ("test", "ood-items"))
    assert not np.isclose(one, other).any(1).all()


def test_one_user_alone_is_a_batch_of_one():
    alone, batch = PreferenceDynamicsEnv(), PreferenceDynamicsVectorEnv()
    alone.reset(seed=5), batch.reset(seed=5)
    for item in range(30):
        assert alone.step(item)[1] == batch.step(np.array([item]))[1][0]


def test_torch_runs_the_trials_that_numpy_runs():
    torch = pytest.importorskip("torch")
    population = preference_dynamics_population()
    one, two = (
        RecommendationVectorEnv(population, 30, array_library=name) for name in ("numpy", "torch")
    )
    one.reset(seed=2), two.reset(seed=2)
    rng = np.random.default_rng(0)
    for _ in range(20):
        items = rng.integers(100, size=30)
        first, second = one.step(items)[1], two.step(torch.as_tensor(items))[1]
        np.testing.assert_allclose(first, second.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dimension": 0}, "dimension must be a whole number"),
        ({"items": 0}, "items must be a whole number"),
        ({"sd": 0.0}, "sd must be positive"),
        ({"influence": (-0.1, 0.1)}, "influence must be"),
        ({"influence": (0.2, 0.1)}, "influence must be"),
    ],
)
def test_bad_parameters_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        BiasedAssimilation(**change)


def test_an_unknown_task_is_refused_by_the_names_of_those_that_are():
    with pytest.raises(ValueError, match="task must be one of BiasedAssimilation"):
        preference_dynamics_population("Polarisation")
