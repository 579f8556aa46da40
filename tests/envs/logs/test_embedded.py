"""The embedded logs carry the facts that were measured on them."""

import subprocess
import sys

import numpy as np
import pytest

from driftrec.envs.logs import load_log, read_kuairand_pure, read_movietweetings


@pytest.fixture(scope="module")
def kuairand():
    return load_log("KuaiRand")


@pytest.fixture(scope="module")
def movies():
    return load_log("Movies")


def test_kuairand_before_cleaning():
    events = read_kuairand_pure().events
    assert events.height == 228_329
    assert events["feedback"].mean() == pytest.approx(0.442, abs=5e-4)
    by_tab = dict(events.group_by("surface").agg(_mean_feedback()).iter_rows())
    reference = {0: 0.086, 1: 0.494, 2: 0.481, 4: 0.596, 6: 0.149}
    assert {tab: round(by_tab[tab], 3) for tab in reference} == reference


def _mean_feedback():
    import polars as pl

    return pl.col("feedback").mean()


def test_kuairand_after_cleaning(kuairand):
    log, report = kuairand
    assert report["exact duplicates"].changed == 5_877
    assert log.num_events == 228_329 - 5_877
    assert (log.num_users, log.num_items) == (25_156, 6_361)
    # The duplicates lie on surfaces with few clicks, so that their absence raises the rate.
    assert log.feedback.mean(dtype=np.float64) == pytest.approx(0.4496, abs=5e-5)
    feed = log.surface == 1
    assert feed.sum() == 173_008
    assert log.feedback[feed].mean(dtype=np.float64) == pytest.approx(0.4939, abs=5e-5)
    assert log.feedback[log.surface == 6].mean() == pytest.approx(0.151, abs=5e-4)


def test_kuairand_features(kuairand):
    log, report = kuairand
    assert report["missing tags"].changed == 78
    assert log.num_topics == 13
    assert log.topic_names[0] == "39"
    assert log.topic_names[-1] == "other"
    assert np.nanmax(log.watch_ratio) <= 10
    # Lengths of 0 (3,568 before cleaning) and ratios above 10 (49) are unknown, but for copies.
    assert np.isnan(log.watch_ratio).sum() == report["impossible watch ratios"].changed == 3_616
    assert log.has_skips
    assert 13 < log.time.max() < 14.5


def test_movietweetings(movies):
    log, report = movies
    assert (log.num_events, log.num_users, log.num_items) == (100_000, 16_554, 10_506)
    assert report["exact duplicates"].changed == 0
    assert report["missing tags"].changed == 66
    assert log.feedback.sum() == 24_145 + 14_005 + 12_392
    assert not log.has_skips
    assert log.titles[log.item_ids.tolist().index(2844)].startswith("Fantômas")
    assert 180 < log.time.max() < 190


def test_movietweetings_ratings_are_those_of_the_file(movies):
    log, _ = movies
    events = read_movietweetings().events
    assert np.bincount(log.rating.astype(int)).tolist() == (
        np.bincount(events["rating"].to_numpy().astype(int)).tolist()
    )
    first = events.filter(user=2).sort("time")
    rows = log.user == log.user_ids.tolist().index(2)
    assert log.item_ids[log.item[rows]].tolist() == first["item"].to_list()


def test_gaps_between_sessions_match_the_reference(kuairand, movies):
    for (log, _), quantiles in ((kuairand, (0.17, 0.63, 1.5, 3.1)), (movies, (1.0, 4.0, 12, 29))):
        session = log.sessions()
        between = (np.diff(session) == 1) & (np.diff(log.user) == 0)
        gaps = np.quantile(np.diff(log.time)[between], (0.25, 0.5, 0.75, 0.9))
        np.testing.assert_allclose(gaps, quantiles, rtol=0.1)


def test_importing_the_room_imports_no_table_or_learning_library():
    code = (
        "import sys, driftrec.envs.logs\n"
        "print(sorted({'polars', 'pandas', 'sklearn', 'scipy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
