import numpy as np
import pytest

from driftrec.agents.survival import still_active

# Weeks of remission of 21 patients given 6-mercaptopurine (Freireich et al. 1963), the table of
# every textbook of survival analysis; False is censored.
WEEKS = np.array(
    [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35], float
)
RELAPSED = np.array([1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0], bool)
PUBLISHED = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}


def test_agrees_with_the_published_table() -> None:
    just_after = np.array(list(PUBLISHED)) + 0.5
    shuffled = np.random.default_rng(0).permutation(len(WEEKS))
    got = still_active(WEEKS[shuffled], RELAPSED[shuffled], np.ones((1, 21)), just_after)
    np.testing.assert_allclose(got[0], list(PUBLISHED.values()), atol=6e-4)


def test_who_is_last_seen_on_a_day_is_active_on_it() -> None:
    got = still_active(WEEKS, RELAPSED, np.ones((1, 21)), np.array([0, 6, 7, 10]))
    np.testing.assert_allclose(got[0], [1, 1, 0.857, 0.807], atol=6e-4)


def test_is_the_plain_share_when_nobody_is_censored() -> None:
    rng = np.random.default_rng(1)
    last_day = rng.integers(0, 20, size=200).astype(float)
    days = np.arange(0, 25) / 1.0
    got = still_active(last_day, np.ones(200, bool), np.ones((1, 200)), days)
    np.testing.assert_allclose(got[0], [(last_day >= day).mean() for day in days], atol=1e-12)


def test_weights_stand_for_repeated_users() -> None:
    weights = np.random.default_rng(2).integers(0, 4, size=(6, 21)).astype(np.float32)
    days = np.arange(36.0)
    for row, got in zip(weights, still_active(WEEKS, RELAPSED, weights, days), strict=True):
        count = row.astype(int)
        plain = still_active(
            np.repeat(WEEKS, count), np.repeat(RELAPSED, count), np.ones((1, count.sum())), days
        )
        np.testing.assert_allclose(got, plain[0], atol=1e-12)


def test_recovers_the_truth_behind_independent_censoring() -> None:
    rng = np.random.default_rng(3)
    churn, limit = rng.exponential(10, size=(2, 20_000))
    got = still_active(
        np.minimum(churn, limit), churn <= limit, np.ones((1, 20_000)), np.array([1.0, 7, 15])
    )
    np.testing.assert_allclose(got[0], np.exp(-np.array([0.1, 0.7, 1.5])), atol=0.02)
    assert (np.minimum(churn, limit) >= 7).mean() == pytest.approx(np.exp(-1.4), abs=0.02)


def test_agrees_with_lifelines() -> None:
    lifelines = pytest.importorskip("lifelines")
    rng = np.random.default_rng(4)
    # Whole days, so that there are ties, of churn with churn and with truncation.
    last_day = rng.integers(0, 15, size=400).astype(float)
    churned = rng.random(400) < 0.6
    weights = rng.integers(0, 4, size=(3, 400)).astype(np.float32)
    days = np.arange(0, 15) + 0.5
    got = still_active(last_day, churned, weights, days)
    for row, share in zip(weights, got, strict=True):
        fitter = lifelines.KaplanMeierFitter()
        counted = row > 0
        fitter.fit(last_day[counted], churned[counted], weights=row[counted].astype(int))
        np.testing.assert_allclose(share, fitter.survival_function_at_times(days), atol=1e-12)
