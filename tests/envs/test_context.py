"""The public context of a user is that of the user and the moment, in every kind of environment."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest

from driftrec.envs import (
    Catalogue,
    IndependentClicks,
    Population,
    RecommendationEnv,
    RecommendationVectorEnv,
    UserModel,
    UserModelError,
)
from driftrec.envs.arrays import as_float32, namespace, to_numpy
from driftrec.envs.observation import KEYS


@dataclass
class Place:
    name: Any
    step: Any


@dataclass(frozen=True, eq=False)
class Walker(UserModel):
    """A user whose name, a number, and steps so far are public; even items are clicked."""

    context_size: ClassVar[int] = 2

    def sample(self, users: int, rng: np.random.Generator) -> Place:
        return Place(rng.random(users, dtype=np.float32) + 1, np.zeros(users, np.float32))

    def respond(self, state: Place, slate: Any) -> IndependentClicks:
        return IndependentClicks(as_float32(slate.items % 2 == 0))

    def react(self, state: Place, slate: Any, feedback: Any) -> Place:
        return replace(state, step=state.step + 1)

    def context(self, state: Place) -> Any:
        return namespace(state.name).stack([state.name, state.step], axis=1)


def population(**options: Any) -> Population:
    catalogue = Catalogue(np.eye(4), np.ones((4, 1)), np.zeros(4))
    return Population("walkers", Walker(), catalogue, max_requests=3, **options)


LIBRARIES = pytest.mark.parametrize("library", ["numpy", "torch"])


def columns(observation: Any) -> tuple[np.ndarray, np.ndarray]:
    context = to_numpy(observation["context"])
    assert context.dtype == np.float32
    return context[:, 0], context[:, 1]


@LIBRARIES
def test_new_users_take_their_context_with_them_at_an_autoreset(library: str) -> None:
    if library == "torch":
        pytest.importorskip("torch")
    env = RecommendationVectorEnv(population(), 4, array_library=library)
    observation, _ = env.reset(seed=0)
    first, step = columns(observation)
    np.testing.assert_array_equal(first, to_numpy(env.simulation.state.name))
    assert len(set(first)) == 4
    assert step.tolist() == [0] * 4
    for expected in (1, 2):
        observation, *_, info = env.step(np.zeros(4, np.int64))
        name, step = columns(observation)
        np.testing.assert_array_equal(name, first)
        assert step.tolist() == [expected] * 4
        assert info == {}
    observation, *_, info = env.step(np.zeros(4, np.int64))
    name, step = columns(observation)
    np.testing.assert_array_equal(name, to_numpy(env.simulation.state.name))
    assert not set(name) & set(first)
    assert step.tolist() == [0] * 4
    for row, last in enumerate(info["final_obs"]):
        assert to_numpy(last["context"]).tolist() == [first[row], 3]
        assert set(last) == set(env.single_observation_space)


@LIBRARIES
def test_rows_that_are_over_keep_their_context_and_a_masked_reset_renews_it(library: str) -> None:
    if library == "torch":
        pytest.importorskip("torch")
    env = RecommendationVectorEnv(population(), 3, array_library=library, autoreset_mode="Disabled")
    first, _ = columns(env.reset(seed=0)[0])
    for expected in (1, 2, 3, 3):
        name, step = columns(env.step(np.zeros(3, np.int64))[0])
        np.testing.assert_array_equal(name, first)
        assert step.tolist() == [expected] * 3
    observation, _ = env.reset(options={"reset_mask": np.array([False, True, False])})
    name, step = columns(observation)
    assert (name == first).tolist() == [True, False, True]
    assert step.tolist() == [3, 0, 3]


def test_a_single_environment_shows_the_context_of_the_batch_of_one() -> None:
    env = RecommendationEnv(population())
    batch = RecommendationVectorEnv(population(), 1, autoreset_mode="Disabled")
    observation, batched = env.reset(seed=3)[0], batch.reset(seed=3)[0]
    for expected in range(4):
        assert env.observation_space.contains(observation)
        assert observation["context"].shape == (2,)
        assert observation["context"][1] == expected
        np.testing.assert_array_equal(observation["context"], batched["context"][0])
        if expected < 3:
            observation, batched = env.step(1)[0], batch.step(np.array([1]))[0]


def test_the_context_handed_out_is_not_the_users_own() -> None:
    class Bare(Walker):
        context_size: ClassVar[int] = 1

        def context(self, state: Place) -> Any:
            return state.step[:, None]

    env = RecommendationVectorEnv(replace(population(), model=Bare()), 2)
    observation, _ = env.reset(seed=0)
    observation["context"][...] = 7
    assert env.simulation.state.step.tolist() == [0, 0]


def test_a_context_of_another_shape_is_refused() -> None:
    class Broken(Walker):
        def context(self, state: Place) -> Any:
            return state.step

    env = RecommendationVectorEnv(replace(population(), model=Broken()), 2)
    with pytest.raises(
        UserModelError, match=r"Broken.context must have shape \(2, 2\), got \(2,\)"
    ):
        env.reset(seed=0)


def test_there_is_no_such_key_without_one() -> None:
    env = gym.make("DriftRec/Feed-v0")
    assert tuple(env.observation_space) == tuple(sorted(KEYS))
    assert tuple(env.reset(seed=0)[0]) == KEYS
    assert env.unwrapped.population.model.context(env.unwrapped.privileged()).shape == (1, 0)
