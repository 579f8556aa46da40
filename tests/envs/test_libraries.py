"""The dynamics are written once: numpy and torch run the same trials given the same draws."""

from typing import Any

import numpy as np
import pytest

from driftrec.envs import RecommendationVectorEnv, Simulation, feed_population
from driftrec.envs.arrays import leaves, library, to_numpy
from driftrec.envs.observation import observe

torch = pytest.importorskip("torch")

SLATE = {"slate": 4, "max_requests": 60, "max_days": 60.0}
TASTES = {
    "feed": ({}, {"max_requests": 60}),
    "slate": ({"slot_bias": -0.3, "influence": 0.05}, SLATE),
    "multinomial": ({"choice": "multinomial", "life_events_per_year": 300.0}, SLATE),
}


def slates(simulation: Simulation, rng: np.random.Generator) -> np.ndarray:
    return np.argsort(rng.random((simulation.users, 500)), axis=1)[:, : simulation.slate]


@pytest.mark.parametrize("taste", TASTES)
@pytest.mark.parametrize("users", [1, 100])
def test_whole_trials_are_the_same_to_rounding(taste, users):
    parameters, options = TASTES[taste]
    split = feed_population().replace_parameters(**parameters).split("test")
    numpy, tensors = (
        Simulation(split, users, array_library=name, **options) for name in ("numpy", "torch")
    )
    numpy.reset(5)
    tensors.reset(5)
    rng = np.random.default_rng(0)
    for _ in range(60):
        items = slates(numpy, rng)
        numpy.step(items)
        tensors.step(torch.from_numpy(items))
        close(numpy.trials, tensors.trials)
        close(numpy.state, tensors.state)
        one, two = observe(numpy), observe(tensors)
        for key, values in one.items():
            assert isinstance(two[key], torch.Tensor)
            assert to_numpy(two[key]).dtype == values.dtype
            np.testing.assert_allclose(
                values, to_numpy(two[key]), rtol=1e-4, atol=1e-5, err_msg=key
            )
    np.testing.assert_allclose(
        numpy.click_probability(), to_numpy(tensors.click_probability()), atol=1e-5
    )


def close(one: Any, other: Any) -> None:
    found = leaves(to_numpy(other))
    for name, array in leaves(one).items():
        assert found[name].dtype == array.dtype, name
        np.testing.assert_allclose(array, found[name], rtol=1e-3, atol=5e-5, err_msg=name)


def test_vector_environments_agree_through_many_resets():
    numpy, tensors = (
        RecommendationVectorEnv(
            "Feed", 20, array_library=name, reward={"clicks": 1, "retention": 3}
        )
        for name in ("numpy", "torch")
    )
    numpy.reset(seed=1)
    tensors.reset(seed=1)
    rng = np.random.default_rng(0)
    ended = 0
    for _ in range(150):
        items = rng.integers(500, size=20)
        one, two = numpy.step(items), tensors.step(torch.from_numpy(items))
        for before, after in zip(one[:4], two[:4], strict=True):
            pairs = before.items() if isinstance(before, dict) else [("", before)]
            for key, values in pairs:
                tensor = after[key] if key else after
                assert isinstance(tensor, torch.Tensor)
                np.testing.assert_allclose(values, to_numpy(tensor), rtol=1e-4, atol=1e-5)
        assert set(one[4]) == set(two[4])
        if one[4]:
            for row in np.flatnonzero(one[4]["_final_obs"]):
                ended += 1
                for key, values in one[4]["final_obs"][row].items():
                    tensor = two[4]["final_obs"][row][key]
                    np.testing.assert_allclose(values, to_numpy(tensor), rtol=1e-4, atol=1e-5)
    assert ended > 20


def test_the_torch_environment_takes_numpy_actions_and_masks_too():
    env = RecommendationVectorEnv("Feed", 3, array_library="torch", autoreset_mode="Disabled")
    env.reset(seed=0)
    observation, *_ = env.step(np.array([1, 2, 3]))
    assert observation["slate"].shape == (3, 1, 19)
    observation, _ = env.reset(options={"reset_mask": np.array([True, False, False])})
    assert observation["new_user"].ravel().tolist() == [1, 0, 0]


def test_torch_draws_on_the_cpu_are_those_of_numpy():
    from driftrec.envs import RandomStreams

    one, two = RandomStreams(3), RandomStreams(3, library("torch"))
    for shape in ((5,), (5, 2), (700, 3)):
        np.testing.assert_array_equal(one.drift.normal(*shape), two.drift.normal(*shape).numpy())
        np.testing.assert_array_equal(one.visits.uniform(*shape), two.visits.uniform(*shape))
        np.testing.assert_array_equal(one.response.logistic(*shape), two.response.logistic(*shape))
