"""The comparison of two logs: the same world passes, another one does not."""

from dataclasses import replace

import numpy as np
import pytest

from driftrec.envs.fitting.realism import _compare, on_catalogue
from driftrec.envs.fitting.statistics import LogStatistics


def compared(real, simulated):
    logs = [real, simulated]
    statistics = [LogStatistics(log) for log in logs]
    return [
        *_compare([one.on_items for one in statistics], logs, 0),
        *_compare([one.on_visits for one in statistics], logs, 0),
    ]


@pytest.fixture(scope="module")
def real(worlds):
    return worlds.world(users=500, seed=1, level_sd=0.8, mood_sd=0.8, quality_sd=0.5)


def test_a_log_agrees_with_itself(real):
    found = compared(real, real)
    assert len(found) >= 25
    assert all(one.inside and one.real == one.simulated for one in found)
    assert len({one.name for one in found}) == len(found)


def test_other_users_of_the_same_world_agree(worlds, real):
    other = worlds.world(users=500, seed=2, level_sd=0.8, mood_sd=0.8, quality_sd=0.5)
    found = compared(real, other)
    assert sum(one.inside for one in found) >= 0.85 * len(found)


def test_users_of_another_world_fall_short_where_they_differ(worlds, real):
    other = worlds.world(
        users=500,
        seed=2,
        level_sd=0.3,
        quality_sd=0.5,
        intercept=0.4,
        return_days=0.15,
        session_requests=6.0,
    )
    marks = {one.name: one.inside for one in compared(real, other)}
    for name in (
        "click rate", "user effect, SD", "covariance of clicks, 1-10 min",
        "covariance of clicks, >6 h", "gap p50, days", "events a user, mean",
    ):  # fmt: skip
        assert not marks[name], name
    assert marks["events of the top 10% of items"]


def test_statistics_are_those_of_a_log_that_holds_users_as_often_as_they_weigh(real):
    users = np.arange(real.num_users)
    weights = (users % 3).astype(np.float64)
    kept = np.concatenate([np.flatnonzero(weights >= 1), np.flatnonzero(weights >= 2)])
    events = [np.flatnonzero(real.user == user) for user in kept]
    rows = np.concatenate(events)
    code = np.repeat(np.arange(len(kept)), [len(part) for part in events])
    twice = replace(
        real,
        user=code, user_ids=np.arange(len(kept)), item=real.item[rows], time=real.time[rows],
        feedback=real.feedback[rows],
    )  # fmt: skip
    weighted = LogStatistics(real).on_visits(weights)
    repeated = LogStatistics(twice).on_visits(np.ones(twice.num_users))
    assert weighted == pytest.approx(repeated)
    popular = LogStatistics(real).on_items(weights)["Gini of items"]
    assert popular == pytest.approx(
        LogStatistics(twice).on_items(np.ones(len(kept)))["Gini of items"]
    )


def test_gini_and_shares_of_a_log_written_by_hand(real):
    counts = np.array([1, 1, 1, 1, 1, 1, 1, 1, 1, 11])
    events = int(counts.sum())
    log = replace(
        real,
        user=np.arange(events), user_ids=np.arange(events), time=np.zeros(events),
        item=np.repeat(np.arange(10), counts), item_ids=np.arange(10), topics=real.topics[:10],
        feedback=(np.arange(events) % 2).astype(np.float32),
    )  # fmt: skip
    found = LogStatistics(log).on_items(np.ones(events))
    assert found["click rate"] == 0.5
    assert found["events of the top 10% of items"] == pytest.approx(11 / 20)
    pairs = np.abs(counts[:, None] - counts).sum() / (2 * 10 * 20)
    assert found["Gini of items"] == pytest.approx(pairs)


def test_on_catalogue_numbers_items_in_the_given_order(real):
    items = np.array([7, 3, 250])
    kept = on_catalogue(real, items)
    assert set(real.item_ids[items]) == set(kept.item_ids)
    mask = np.isin(real.item, items)
    assert np.array_equal(kept.item_ids[kept.item], real.item_ids[real.item[mask]])
    assert np.array_equal(kept.topics, real.topics[items])
