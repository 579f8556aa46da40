"""Spaces of slates without an item twice."""

import itertools
import pickle
from collections import Counter

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector.utils import batch_space, iterate

import driftrec.envs  # noqa: F401 (registers the ids)
from driftrec.envs.actions import SlateBatchSpace, SlateSpace, action_space, checked_slates


def test_one_item_a_request_is_a_number_and_more_are_a_slate():
    assert action_space(7, 1) == gym.spaces.Discrete(7)
    assert action_space(7, 3) == SlateSpace(7, 3)
    assert isinstance(action_space(7, 3), gym.spaces.MultiDiscrete)
    assert SlateSpace(7, 3) != gym.spaces.MultiDiscrete([7] * 3)
    assert batch_space(SlateSpace(7, 3), 4) == SlateBatchSpace(7, 3, 4)
    assert SlateBatchSpace(7, 3, 4) != gym.spaces.Box(0, 6, (4, 3), np.int64)


def samples(space: gym.Space, count: int, **options: object) -> list[tuple[int, ...]]:
    drawn = [np.atleast_2d(space.sample(**options)) for _ in range(count)]
    return [tuple(row.tolist()) for batch in drawn for row in batch]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("batch", [False, True])
def test_every_slate_without_a_repeat_comes_as_often_as_any_other(batch, masked):
    """Chi-squared over the 60 ordered triples of 5 items."""
    items = [1, 2, 4, 5, 6] if masked else range(5)
    space = SlateSpace(8 if masked else 5, 3, seed=0)
    mask = np.isin(np.arange(8), items) if masked else None
    if batch:
        space, mask = batch_space(space, 50), None if mask is None else np.tile(mask, (50, 1))
    drawn = samples(space, 240 if batch else 12_000, mask=mask)
    counts = Counter(drawn)
    assert set(counts) == set(itertools.permutations(items, 3))
    expected = len(drawn) / 60
    statistic = sum((count - expected) ** 2 / expected for count in counts.values())
    # Mean 59, standard deviation 10.9.
    assert 59 - 4 * 10.9 < statistic < 59 + 5 * 10.9


def test_a_slate_of_the_whole_catalogue_is_a_permutation():
    assert sorted(SlateSpace(9, 9, seed=0).sample()) == list(range(9))


@pytest.mark.parametrize("space", [SlateSpace(500, 5), SlateBatchSpace(500, 5, 3)])
def test_a_seed_reproduces_samples_which_lie_in_the_space(space):
    space.seed(4)
    first = [space.sample() for _ in range(200)]
    space.seed(4)
    assert all(np.array_equal(space.sample(), sample) for sample in first)
    assert all(sample.dtype == np.int64 and space.contains(sample) for sample in first)
    twin = pickle.loads(pickle.dumps(space))
    assert twin == space
    assert np.array_equal(twin.sample(), space.sample())


def test_a_slate_with_an_item_twice_is_none():
    space = SlateSpace(9, 3)
    assert space.contains(np.array([8, 0, 3]))
    assert space.contains([8, 0, 3])
    for slate in ([1, 2, 1], [1, 2, 9], [-1, 2, 3], [1, 2], [0.5, 1, 2], "abc"):
        assert not space.contains(slate)
    batch = batch_space(space, 2)
    assert batch.contains(np.array([[1, 2, 3], [3, 2, 1]]))
    assert not batch.contains(np.array([[1, 2, 3], [3, 2, 3]]))
    assert not batch.contains(np.array([[1, 2, 3], [3, 2, 9]]))


def test_one_user_and_many_are_checked_alike():
    for slate in ([3, 3, 1], [0, 1, 5], [-1, 0, 1]):
        for users in (1, 2):
            with pytest.raises(ValueError, match=r"twice|numbered"):
                checked_slates([np.array(slate)] * users, users, 3, 5)
    action = np.array([4, 0, 2])
    chosen = checked_slates([action], 1, 3, 5)
    action[:] = 0
    np.testing.assert_array_equal(chosen, [[4, 0, 2]])
    for one in ([4, 0, 2], np.array([4, 0, 2], np.int32)):
        np.testing.assert_array_equal(checked_slates([one], 1, 3, 5), [[4, 0, 2]])


def test_an_item_that_ends_one_slate_and_starts_the_next_is_twice_in_neither():
    slates = np.array([[4, 2], [7, 4], [7, 9]])
    np.testing.assert_array_equal(checked_slates(slates, 3, 2, 10), slates)
    with pytest.raises(ValueError, match="twice"):
        checked_slates(np.array([[4, 2], [7, 4], [9, 9]]), 3, 2, 10)


def test_a_batch_is_its_rows():
    batch = batch_space(SlateSpace(9, 3, seed=1), 4)
    sample = batch.sample()
    rows = list(iterate(batch, sample))
    assert len(rows) == 4
    assert all(SlateSpace(9, 3).contains(row) for row in rows)


def test_masks_that_cannot_be_met_and_probabilities_are_refused():
    space, batch = SlateSpace(6, 3), SlateBatchSpace(6, 3, 2)
    few = np.array([1, 1, 0, 0, 0, 0], np.int8)
    with pytest.raises(ValueError, match="leave at least 3 items for a slate, got 2"):
        space.sample(mask=few)
    with pytest.raises(ValueError, match="leave at least 3 items for a slate, got 2"):
        batch.sample(mask=np.array([np.ones(6), few]))
    with pytest.raises(ValueError, match=r"one array of shape \(6,\).* got a tuple"):
        space.sample(mask=(few, few, few))
    with pytest.raises(ValueError, match=r"one array of shape \(2, 6\).* got \(6,\)"):
        batch.sample(mask=few)
    with pytest.raises(ValueError, match="drawn uniformly"):
        space.sample(probability=np.full(6, 1 / 6))


def test_sampled_slates_are_stepped_for_as_long_as_one_likes():
    """Were slots drawn one by one, a batch of 100 would fail at once."""
    env = gym.make_vec("DriftRec/Slate-v0", num_envs=100, vectorization_mode="vector_entry_point")
    env.action_space.seed(0)
    env.reset(seed=0)
    for _ in range(50):
        env.step(env.action_space.sample())
    masks = env.unwrapped.action_masks()
    slates = env.action_space.sample(mask=masks)
    assert np.take_along_axis(masks, slates, axis=1).all()


def test_agents_that_draw_slot_by_slot_are_told_and_can_be_helped():
    sb3 = pytest.importorskip("stable_baselines3")

    def distinct(slate):
        slate = list(slate)
        for slot in range(1, len(slate)):
            while slate[slot] in slate[:slot]:
                slate[slot] = (slate[slot] + 1) % 500
        return np.array(slate)

    options = {"n_steps": 512, "device": "cpu", "seed": 0, "n_epochs": 1}
    env = gym.make("DriftRec/Slate-v0")
    with pytest.raises(ValueError, match="must not show an item twice"):
        sb3.PPO("MultiInputPolicy", env, **options).learn(512)
    slates = gym.spaces.MultiDiscrete([500] * 5)
    helped = gym.wrappers.TransformAction(env, distinct, slates)
    agent = sb3.PPO("MultiInputPolicy", helped, **options).learn(512)
    assert agent.num_timesteps == 512
