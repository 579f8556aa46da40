"""RECGym's users follow its equations, and return what its authors' notebook says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftrec.envs import RecommendationVectorEnv, Stream
from driftrec.envs.published.recgym import (
    TASKS,
    PreferenceState,
    RecGymUser,
    RecGymVectorEnv,
    recgym_population,
)
from driftrec.envs.testing import check_user_model

MODEL = RecGymUser()
RANDOM = (-0.771902, -0.173648)
"""95% interval of a random policy's return over 100 trials, of the authors' notebook."""


def shown(catalogue, items):
    items = np.asarray(items)
    return catalogue.show(items, np.zeros(items.shape, np.float32))


def their_users(seed=12345):
    """The hundred users of `RECEnv-v0`, as its program draws and scales them."""
    users = np.random.RandomState(seed).uniform(-1, 1, (100, 5))
    return users / np.linalg.svd(users)[1][0]


def their_items(seed=12345, items=5):
    """Its items, drawn after the users."""
    rng = np.random.RandomState(seed)
    rng.uniform(-1, 1, (100, 5))
    drawn = rng.uniform(-1, 1, (items, 5))
    return drawn / np.linalg.svd(drawn)[1][0]


def one_by_one(user, items, step=1.0):
    """Rewards without noise of one user who is shown items in turn, and the last preference."""
    rewards = []
    for item in items:
        worth = sum(a * b for a, b in zip(user, item, strict=True))
        moved = [a + step * worth * b for a, b in zip(user, item, strict=True)]
        length = sum(a * a for a in moved) ** 0.5
        user = [a / length for a in moved]
        rewards.append(worth)
    return rewards, user


def total(preference, choose, model=MODEL):
    """Rewards without noise of users to whom `choose` shows items, `(users,)`."""
    catalogue, users = model.default_catalogue(), len(preference)
    state = PreferenceState(preference.astype(np.float32), np.zeros((users, 5), np.float32))
    found = np.zeros(users)
    for _ in range(10):
        worth = model.click_probability(state, catalogue)
        items = choose(worth)[:, None]
        found += np.take_along_axis(worth, items, 1)[:, 0]
        state = model.react(state, shown(catalogue, items), None)
    return found


@pytest.mark.parametrize("change", [{}, {"response": "binary"}, {"scaling": "unit"}])
@pytest.mark.parametrize("task", TASKS)
def test_the_users_keep_the_contract(task, change):
    check_user_model(RecGymUser(**TASKS[task] | change))


def test_hidden_users_keep_the_contract():
    model = RecGymUser(observed=False)
    check_user_model(model)
    assert model.context_size == 0


@pytest.mark.parametrize("items", [5, 100])
def test_the_items_are_those_of_the_program(items):
    features = RecGymUser(items=items).default_catalogue().features
    assert features == pytest.approx(their_items(items=items), abs=1e-6)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 1.0]))
def test_a_user_of_a_batch_is_one_who_is_alone(seed, step):
    rng = np.random.default_rng(seed)
    model = RecGymUser(step=step, seed=seed)
    catalogue, shows = model.default_catalogue(), rng.integers(5, size=(12, 3))
    first = state = model.sample(3, rng)
    rewards = []
    for items in shows:
        slate = shown(catalogue, items[:, None])
        rewards.append(model.respond(state, slate).mean[:, 0])
        state = model.react(state, slate, None)
    for user in range(3):
        alone, last = one_by_one(
            first.preference[user].astype(float), catalogue.features[shows[:, user]], step
        )
        assert np.array(rewards)[:, user] == pytest.approx(alone, abs=1e-5)
        assert state.preference[user] == pytest.approx(last, abs=1e-5)


def test_random_items_return_to_the_authors_users_what_they_published():
    rng = np.random.default_rng(0)
    users = np.repeat(their_users(), 200, axis=0)
    found = total(users, lambda worth: rng.integers(5, size=len(users))).mean()
    assert found == pytest.approx(-0.29, abs=0.05)
    assert RANDOM[0] < found < RANDOM[1]


def test_items_that_please_most_return_to_the_authors_users_5_40():
    catalogue = MODEL.default_catalogue().features.astype(float)
    found = total(their_users(), lambda worth: worth.argmax(1))
    returns = []
    for user in their_users():
        alone = 0.0
        for _ in range(10):
            item = catalogue[(catalogue @ user).argmax()]
            (worth,), user = one_by_one(user, [item])
            alone += worth
        returns.append(alone)
    assert found == pytest.approx(returns, abs=1e-4)
    assert np.mean(returns) == pytest.approx(5.40, abs=0.005)


def test_the_best_item_throughout_returns_more_than_greed():
    anew = MODEL.sample(20_000, np.random.default_rng(0)).preference
    for users, greedy, best, slack in (
        (their_users(), 5.40, 5.65, 0.006),
        (anew, 5.70, 6.02, 0.05),
    ):
        each = [total(users, lambda worth, i=i: np.full(len(worth), i)) for i in range(5)]
        assert np.max(each, axis=0).mean() == pytest.approx(best, abs=slack)
        assert total(users, lambda worth: worth.argmax(1)).mean() == pytest.approx(
            greedy, abs=slack
        )


def test_of_a_hundred_short_items_those_that_please_most_return_less():
    model = RecGymUser(items=100)
    anew = model.sample(5000, np.random.default_rng(0)).preference
    for users, expected in ((their_users(), 2.106), (anew, 2.07)):
        found = total(users, lambda worth: worth.argmax(1), model).mean()
        assert found == pytest.approx(expected, abs=0.01)


def test_random_items_are_worth_nothing_to_users_drawn_anew():
    env = RecommendationVectorEnv(
        recgym_population(), 20_000, split="test", autoreset_mode="Disabled"
    )
    env.reset(seed=0)
    rng, found = np.random.default_rng(1), np.zeros(20_000)
    for _ in range(10):
        found += env.step(rng.integers(5, size=20_000))[1]
    assert found.mean() == pytest.approx(0, abs=4 * found.std() / 20_000**0.5)


def test_an_item_shown_on_and_on_is_worth_its_length_or_minus_that():
    users = MODEL.sample(200, np.random.default_rng(0)).preference
    catalogue = MODEL.default_catalogue()
    state = PreferenceState(users, np.zeros_like(users))
    for _ in range(400):
        state = MODEL.react(state, shown(catalogue, np.full((200, 1), 2)), None)
    worth = MODEL.click_probability(state, catalogue)[:, 2]
    length = np.linalg.norm(catalogue.features[2])
    assert abs(worth) == pytest.approx(length, rel=1e-4)
    assert (np.sign(worth) == np.sign(users @ catalogue.features[2])).all()


def test_unit_scaling_makes_all_of_norm_1():
    model = RecGymUser(scaling="unit", items=30)
    lengths = np.linalg.norm(model.default_catalogue().features, axis=1)
    assert lengths == pytest.approx(1, abs=1e-6)
    users = model.sample(50, np.random.default_rng(0)).preference
    assert np.linalg.norm(users, axis=1) == pytest.approx(1, abs=1e-6)


def test_first_preferences_are_uniform_and_as_short_as_the_program_has_them():
    users = MODEL.sample(50_000, np.random.default_rng(0)).preference
    assert users.std() == pytest.approx(3**-0.5 / 6.345296, rel=0.01)
    assert abs(users).max() == pytest.approx(1 / 6.345296, rel=0.001)


def test_binary_feedback_is_a_click_by_the_logistic_function():
    model = RecGymUser(response="binary")
    assert model.feedback_range == (0, 1)
    catalogue = model.default_catalogue()
    users = np.tile(np.float32([0.5, -0.5, 0.5, 0.5, 0]), (20_000, 1))
    state = PreferenceState(users, np.zeros_like(users))
    law = model.respond(state, shown(catalogue, np.full((20_000, 1), 3)))
    chance = 1 / (1 + np.exp(-float(users[0] @ catalogue.features[3])))
    assert law.mean == pytest.approx(chance, abs=1e-6)
    assert law.draw(Stream(np.random.SeedSequence(0))).mean() == pytest.approx(chance, abs=0.015)
    assert model.click_probability(state, catalogue)[0, 3] == pytest.approx(chance, abs=1e-6)


def test_the_context_is_the_preference_or_near_it():
    env = RecGymVectorEnv(5000, autoreset_mode="Disabled")
    noisy = RecGymVectorEnv(5000, task="NoisyPreference", autoreset_mode="Disabled")
    for each, sight in ((env, 0.0), (noisy, 0.3)):
        observation = each.reset(seed=0)[0]
        for _ in range(3):
            off = observation["context"] - each.simulation.hidden_state().preference
            inside = abs(observation["context"]) < 1
            assert off[inside].std() == pytest.approx(sight, rel=0.1, abs=1e-7)
            observation = each.step(np.zeros(5000, np.int64))[0]


def test_torch_runs_the_trials_that_numpy_runs():
    torch = pytest.importorskip("torch")
    population = recgym_population("NoisyPreference")
    one, two = (
        RecommendationVectorEnv(population, 30, array_library=name) for name in ("numpy", "torch")
    )
    one.reset(seed=2), two.reset(seed=2)
    rng = np.random.default_rng(0)
    for _ in range(20):
        slate = rng.integers(100, size=30)
        first, second = one.step(slate), two.step(torch.as_tensor(slate))
        np.testing.assert_allclose(first[1], second[1].numpy(), atol=1e-5)
        np.testing.assert_allclose(first[0]["context"], second[0]["context"].numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": 1.5}, r"step must lie in \[0, 1\]"),
        ({"noise": 0.0}, "sd must be positive"),
        ({"sight": -0.1}, "sight must be finite and 0 or more"),
        ({"response": "discrete"}, "response must be continuous or binary"),
        ({"scaling": "none"}, "scaling must be shipped or unit"),
        ({"items": 0}, "items must be a whole number"),
    ],
)
def test_bad_parameters_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        RecGymUser(**change)


def test_an_unknown_task_is_refused_by_the_names_of_those_that_are():
    with pytest.raises(ValueError, match="task must be one of Preference, NoisyPreference"):
        recgym_population("RECEnv-v0")
