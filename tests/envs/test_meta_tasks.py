"""Tasks for meta-learners have the laws that their papers state."""

import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from driftrec.envs import (
    SPLITS,
    BernoulliBandit,
    GaussianBandit,
    LinearBandit,
    Population,
    RecommendationVectorEnv,
    Simulation,
    Stream,
    TabularMDP,
    UserModel,
    bernoulli_population,
    gaussian_population,
    linear_population,
    make_population,
    population_names,
    tabular_population,
)
from driftrec.envs.arrays import leaves, to_numpy
from driftrec.envs.testing import check_user_model

MODELS: dict[str, UserModel] = {
    "Bernoulli": BernoulliBandit(7),
    "Gaussian": GaussianBandit(),
    "linear": LinearBandit(),
    "tabular": TabularMDP(),
    "tabular, short": TabularMDP(states=3, actions=4, steps=2, sd=0.1),
}
POPULATIONS = {
    "bernoulli": bernoulli_population(),
    "gaussian": gaussian_population(pulls=8),
    "linear": linear_population(pulls=8),
    "tabular": tabular_population(episodes=3, steps=4),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_the_models_keep_the_contract(model: UserModel) -> None:
    check_user_model(model)


@pytest.mark.parametrize("population", POPULATIONS.values(), ids=POPULATIONS.keys())
def test_torch_runs_the_trials_that_numpy_runs(population: Population) -> None:
    torch = pytest.importorskip("torch")
    one, two = (
        RecommendationVectorEnv(population, 30, array_library=name) for name in ("numpy", "torch")
    )
    first, second = one.reset(seed=2)[0], two.reset(seed=2)[0]
    rng = np.random.default_rng(0)
    items = len(population.catalogue)
    for _ in range(20):
        assert set(first) == set(second)
        for key, values in first.items():
            assert isinstance(second[key], torch.Tensor)
            np.testing.assert_allclose(values, to_numpy(second[key]), rtol=1e-4, atol=1e-5)
        chance = to_numpy(two.simulation.click_probability())
        np.testing.assert_allclose(one.simulation.click_probability(), chance, atol=1e-5)
        action = rng.integers(items, size=30)
        (first, *rest), (second, *others) = one.step(action), two.step(action)
        for before, after in zip(rest[:3], others[:3], strict=True):
            np.testing.assert_allclose(before, to_numpy(after), rtol=1e-4, atol=1e-5)


def drawn(population: Population, users: int, seed: int = 0) -> Any:
    simulation = Simulation(population.split("test"), users)
    simulation.reset(seed)
    return simulation.hidden_state()


def moments(array: np.ndarray, mean: float, variance: float, kurtosis: float) -> None:
    """Mean and variance within 4.5 standard errors, those of a law of this kurtosis."""
    error = math.sqrt(variance / array.size)
    assert abs(array.mean(dtype=float) - mean) < 4.5 * error
    spread = math.sqrt((kurtosis - 1) / array.size)
    assert abs(array.var(dtype=float) / variance - 1) < 4.5 * spread


def test_bandits_are_drawn_from_the_stated_laws() -> None:
    moments(drawn(bernoulli_population(10), 20_000).probability, 1 / 2, 1 / 12, 1.8)
    moments(drawn(gaussian_population(), 20_000).mean, 1 / 2, 1 / 12, 1.8)
    moments(drawn(linear_population(), 50_000).weights, 0, 1 / 2, 3)
    moments(drawn(linear_population(dimension=5), 20_000).weights, 0, 1 / 5, 3)
    moments(linear_population(arms=5000).catalogue.features, 0, 1 / 2, 3)


def test_all_users_and_splits_of_a_linear_bandit_share_its_arms() -> None:
    population = linear_population()
    assert population.catalogue.features.shape == (10, 2)
    same = linear_population().catalogue.features
    np.testing.assert_array_equal(population.catalogue.features, same)
    for split in SPLITS:
        assert population.split(split).catalogue is population.catalogue
    others = linear_population(arms_seed=1).catalogue.features
    assert not np.isclose(others, same).any()


def test_decision_processes_are_drawn_from_the_stated_laws() -> None:
    state = drawn(tabular_population(), 2000)
    moments(state.reward, 1, 1, 3)
    chance = np.diff(state.reach, axis=-1, prepend=0)
    np.testing.assert_allclose(state.reach[..., -1], 1, atol=1e-5)
    # Flat over ten states: each probability is Beta(1, 9), of variance 9 / 1100.
    assert abs(chance.mean() - 0.1) < 1e-6
    assert abs(chance.var() / (9 / 1100) - 1) < 0.01
    assert abs((chance < 0.1).mean() - (1 - 0.9**9)) < 0.002


def test_the_next_state_follows_the_transition_probabilities() -> None:
    model, users = TabularMDP(states=4, actions=2), 100_000
    state = model.sample(1, np.random.default_rng(0))
    for array in leaves(state).values():
        array.resize((users, *array.shape[1:]), refcheck=False)
        array[:] = array[0]
    state.now[:], state.action[:], state.step[:] = 2, 1, 1
    stream = Stream(np.random.SeedSequence(0))
    after = model.drift(state, np.zeros(users, np.float32), stream)
    chance = np.diff(state.reach[0, 2, 1], prepend=0)
    found = np.bincount(after.now, minlength=4) / users
    np.testing.assert_allclose(found, chance, atol=4.5 * 0.5 / math.sqrt(users))


def test_a_session_is_an_episode_that_starts_in_the_first_state() -> None:
    env = RecommendationVectorEnv(tabular_population(episodes=3, steps=4), 200)
    observation, _ = env.reset(seed=0)
    rng = np.random.default_rng(0)
    for request in range(12):
        assert (observation["position"] == request % 4).all()
        assert (observation["new_session"] == (request % 4 == 0)).all()
        assert (observation["new_user"] == (request == 0)).all()
        assert (observation["context"].sum(1) == 1).all()
        np.testing.assert_array_equal(observation["context"].argmax(1), env.simulation.state.now)
        in_first = observation["context"][:, 0] == 1
        assert in_first.all() if request % 4 == 0 else not in_first.all()
        gap = 86400.0 if request and request % 4 == 0 else 30.0 if request else 0.0
        np.testing.assert_allclose(observation["log_elapsed"], np.log1p(gap), rtol=1e-6)
        observation, _, terminated, truncated, info = env.step(rng.integers(5, size=200))
        assert not terminated.any()
        assert truncated.all() == (request == 11)
    last = info["final_obs"][0]
    assert last["context"].tolist() == [1] + [0] * 9
    assert last["new_session"].tolist() == [1]


def test_the_reward_is_that_of_the_action_in_the_state_before() -> None:
    env = RecommendationVectorEnv(tabular_population(sd=1e-6), 500)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(25):
        action = rng.integers(5, size=500)
        expected = np.take_along_axis(env.simulation.click_probability(), action[:, None], 1)
        _, reward, *_ = env.step(action)
        np.testing.assert_allclose(reward, expected[:, 0], atol=1e-4)


def test_random_play_earns_the_mean_reward_of_every_step() -> None:
    """Duan et al. 2016, table 2: 100.1 over 100 steps, where chance would have 100."""
    users = 4000
    env = RecommendationVectorEnv(tabular_population(), users, split="test")
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    total = sum(env.step(rng.integers(5, size=users))[1].astype(float) for _ in range(100))
    error = total.std() / math.sqrt(users)
    assert error < 0.35
    assert abs(total.mean() - 100) < 4 * error


def test_ids_take_the_sizes_of_the_task() -> None:
    many = gym.make_vec("DriftRec/meta.BernoulliBandit-v0", num_envs=3, arms=50, pulls=2)
    assert many.single_action_space.n == 50
    many.reset(seed=0)
    assert not many.step(np.zeros(3, int))[3].any()
    assert many.step(np.zeros(3, int))[3].all()
    env = gym.make("DriftRec/meta.TabularMDP-v0", episodes=25, states=4, actions=3, steps=6)
    assert env.action_space.n == 3
    assert env.observation_space["context"].shape == (4,)
    assert env.unwrapped.population.max_requests == 150
    env = gym.make("DriftRec/meta.LinearBandit-v0", arms=6, dimension=3, split="test")
    assert env.observation_space["slate"].shape == (1, 5)
    env = gym.make("DriftRec/meta.GaussianBandit-v0", arms=6, sd=0.5, pulls=7)
    assert env.action_space.n == 6
    assert env.unwrapped.population.model.sd == 0.5


def test_published_sizes_are_known_by_name() -> None:
    made = [bernoulli_population(50, 100), gaussian_population(), linear_population(),
            tabular_population(75)]  # fmt: skip
    assert {population.name for population in made} <= set(population_names())
    for population in made:
        again = make_population(population.name)
        assert again.name == population.name
        assert again.max_requests == population.max_requests
        assert len(again.catalogue) == len(population.catalogue)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (BernoulliBandit, {"arms": 0}, "arms must be a whole number, 1 or more, got 0"),
        (GaussianBandit, {"arms": 2.5}, "arms must be a whole number, 1 or more, got 2.5"),
        (GaussianBandit, {"sd": 0.0}, "sd must be positive and finite, got 0.0"),
        (LinearBandit, {"dimension": -1}, "dimension must be a whole number, 1 or more, got -1"),
        (LinearBandit, {"sd": math.inf}, "sd must be positive and finite, got inf"),
        (TabularMDP, {"states": 0}, "states must be a whole number, 1 or more, got 0"),
        (TabularMDP, {"sd": -1.0}, "sd must be positive and finite, got -1.0"),
        (tabular_population, {"episodes": 0}, "episodes must be a whole number, 1 or more, got 0"),
    ],
)
def test_sizes_out_of_range_are_refused(make: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_item_values_of_a_decision_process_are_those_of_backward_induction():
    model = TabularMDP(states=3, actions=2, steps=4)
    state = model.sample(5, np.random.default_rng(0))
    state.step[:] = [0, 1, 2, 3, 3]
    state.now[:] = [0, 1, 2, 0, 1]
    found = model.item_values(state, model.default_catalogue())
    chance = np.diff(state.reach, axis=-1, prepend=0)
    for user in range(5):

        def worth(now, action, left, user=user):
            after = sum(
                chance[user, now, action, then] * max(worth(then, a, left - 1) for a in range(2))
                for then in range(3)
                if left > 1
            )
            return state.reward[user, now, action] + after

        left = 4 - state.step[user]
        expected = np.array([worth(state.now[user], action, left) for action in range(2)])
        np.testing.assert_allclose(found[user], expected - expected.mean(), atol=1e-5)


def test_whoever_follows_the_item_values_earns_more_than_who_takes_the_reward_of_the_moment():
    population = tabular_population(episodes=5)
    totals = {}
    for name in ("item_values", "click_probability"):
        env = RecommendationVectorEnv(population, 4000, split="test", autoreset_mode="Disabled")
        env.reset(seed=1)
        model, totals[name] = env.simulation.model, np.zeros(4000)
        for _ in range(50):
            worth = getattr(model, name)(env.simulation.state, env.simulation.catalogue)
            totals[name] += env.step(worth.argmax(1))[1]
    gain = totals["item_values"] - totals["click_probability"]
    assert gain.mean() > 4 * gain.std() / len(gain) ** 0.5
    assert totals["click_probability"].mean() > 100


@pytest.mark.parametrize(
    ("name", "parameters", "items", "requests"),
    [
        ("BernoulliBandit", {"arms": 7}, 7, 10),
        ("GaussianBandit", {"arms": 3, "sd": 0.1}, 3, 500),
        ("LinearBandit", {"dimension": 4}, 10, 200),
        ("TabularMDP", {"actions": 3, "steps": 4}, 3, 40),
    ],
)
def test_parameters_make_the_tasks_of_their_own_population(
    name: str, parameters: dict[str, Any], items: int, requests: int
) -> None:
    env: Any = gym.make(f"DriftRec/meta.{name}-v0", parameters=parameters).unwrapped
    population = env.population
    assert (len(population.catalogue), population.max_requests) == (items, requests)
    expected = population.model.default_catalogue().table
    assert np.array_equal(population.catalogue.table, expected)
    with pytest.raises(ValueError, match=r"has no parameter \['arm'\]; it has"):
        gym.make(f"DriftRec/meta.{name}-v0", parameters={"arm": 3})
