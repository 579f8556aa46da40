from dataclasses import replace

import numpy as np
import pytest

from driftrec.envs.logs import InteractionLog, LogError


def make_log(user, item, time, feedback, **rest):
    users, items = max(user) + 1, max(item) + 1
    values = {
        "name": "scripted",
        "user": np.array(user),
        "item": np.array(item),
        "time": np.array(time, dtype=np.float64),
        "feedback": np.array(feedback, dtype=np.float32),
        "user_ids": np.arange(users) + 100,
        "item_ids": np.arange(items) + 500,
        "topics": np.eye(items, dtype=np.float32),
        "topic_names": tuple(f"t{i}" for i in range(items)),
        "has_skips": True,
    }
    return InteractionLog(**(values | rest))


MINUTE = 1 / (24 * 60)


@pytest.fixture
def log():
    return make_log(
        user=[0, 0, 0, 1, 2, 2],
        item=[1, 0, 1, 2, 0, 2],
        time=[0.0, 29 * MINUTE, 60 * MINUTE, 60 * MINUTE, 0.5, 3.0],
        feedback=[1, 0, 0, 1, 1, 0],
        surface=np.array([1, 1, 0, 0, 1, 0]),
        watch_ratio=np.array([0.5, np.nan, 0, 1, 2, 0], dtype=np.float32),
    )


def test_counts_and_offsets(log):
    assert (log.num_events, log.num_users, log.num_items, log.num_topics) == (6, 3, 3, 3)
    assert log.events_per_user().tolist() == [3, 1, 2]
    assert log.events_per_item().tolist() == [2, 2, 2]
    assert log.user_offsets().tolist() == [0, 3, 4, 6]


def test_sessions_begin_after_a_longer_pause_and_at_each_user(log):
    # Pauses of user 0: 29 minutes (within 30), then 31; users 1 and 2 start anew.
    assert log.sessions().tolist() == [0, 0, 1, 2, 3, 4]
    assert log.sessions(gap_minutes=31.5).tolist() == [0, 0, 0, 1, 2, 3]
    assert log.sessions(gap_minutes=10_000).tolist() == [0, 0, 0, 1, 2, 2]
    assert log.sessions(gap_minutes=0).tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="gap_minutes must be 0 or more"):
        log.sessions(gap_minutes=float("nan"))


def test_subset_users_recodes_users_and_keeps_the_catalogue(log):
    part = log.subset_users(np.array([True, False, True]))
    assert part.user.tolist() == [0, 0, 0, 1, 1]
    assert part.user_ids.tolist() == [100, 102]
    assert part.item.tolist() == [1, 0, 1, 0, 2]
    assert part.item_ids.tolist() == [500, 501, 502]
    assert part.feedback.tolist() == [1, 0, 0, 1, 0]
    np.testing.assert_array_equal(part.time, log.time[[0, 1, 2, 4, 5]])
    np.testing.assert_array_equal(part.watch_ratio, log.watch_ratio[[0, 1, 2, 4, 5]])
    assert part.rating is None


def test_subset_events_drops_users_without_any(log):
    part = log.subset_events(log.surface == 1)
    assert part.user.tolist() == [0, 0, 1]
    assert part.user_ids.tolist() == [100, 102]
    assert part.surface.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.array([1, 0, 1]), "boolean"),
        (np.array([True, False]), r"shape \(3,\)"),
        (np.zeros(3, dtype=bool), "keeps no user"),
    ],
)
def test_masks_of_another_kind_are_refused(log, mask, message):
    with pytest.raises(ValueError, match=message):
        log.subset_users(mask)


def test_permutation_keeps_times_pairs_and_users():
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(40), 20)
    time = np.tile(np.arange(20.0), 40)
    item = rng.integers(0, 50, 800)
    item[:50] = np.arange(50)
    log = make_log(
        user.tolist(), item.tolist(), time, rng.integers(0, 2, 800), surface=np.arange(800)
    )
    mixed = log.permuted_within_user(np.random.default_rng(1))

    np.testing.assert_array_equal(mixed.user, log.user)
    np.testing.assert_array_equal(mixed.time, log.time)
    # surface numbers the events: each keeps its user, item and feedback, at another place.
    assert sorted(mixed.surface.tolist()) == list(range(800))
    np.testing.assert_array_equal(log.user[mixed.surface], mixed.user)
    np.testing.assert_array_equal(log.item[mixed.surface], mixed.item)
    np.testing.assert_array_equal(log.feedback[mixed.surface], mixed.feedback)
    assert np.mean(mixed.surface == log.surface) < 0.15
    again = log.permuted_within_user(np.random.default_rng(1))
    np.testing.assert_array_equal(again.item, mixed.item)


def test_permutation_is_uniform_within_a_user():
    log = make_log([0, 0, 0], [0, 1, 2], [0, 1, 2], [0, 0, 1])
    rng = np.random.default_rng(5)
    draws = [tuple(log.permuted_within_user(rng).item) for _ in range(3000)]
    counts = np.array([draws.count(order) for order in set(draws)])
    assert len(counts) == 6
    # Chi-square with 5 degrees of freedom: 20.5 is exceeded once in a thousand.
    assert np.sum((counts - 500) ** 2 / 500) < 20.5


def test_arrays_cannot_be_written(log):
    with pytest.raises(ValueError, match="read-only"):
        log.feedback[0] = 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"user": np.array([0, 1, 0])}, "sorted by user"),
        ({"user": np.array([0, 0, 2])}, "each code from 0"),
        ({"item": np.array([0, 1, 5])}, "item must hold codes"),
        ({"time": np.array([1.0, 0.0, 2.0])}, "sorted by user, then by time"),
        ({"time": np.array([0.0, np.nan, 2.0])}, "time must be finite"),
        ({"feedback": np.array([0, np.nan, 1])}, "feedback must be 0 or 1"),
        ({"feedback": np.array([0, 1])}, r"feedback must have shape \(3,\)"),
        ({"topics": np.ones((2, 2))}, "must sum to 1"),
        ({"topics": np.ones((3, 1))}, r"topics must have shape"),
        ({"titles": ("one",)}, "expected 2 titles"),
    ],
)
def test_a_log_that_is_not_well_formed_is_refused(change, message):
    good = make_log([0, 0, 1], [0, 1, 1], [0, 1, 0], [0, 1, 1])
    with pytest.raises(LogError, match=message):
        replace(good, **change)
