"""Sessions, gaps and churn: two simulations agree, and known truth is recovered."""

from dataclasses import replace

import numpy as np
import pytest

from driftrec.envs import Split
from driftrec.envs.fitting import (
    Observation,
    VisitLaw,
    Window,
    estimate_thinned_visits,
    estimate_visits,
    sessions,
    simulated_log,
)
from driftrec.envs.fitting.match import match_moments
from driftrec.envs.fitting.sessions import CHURN_SPREAD, visits_of
from driftrec.envs.fitting.visit_moments import VisitTable, weighted_quantiles
from driftrec.envs.fitting.visits import Visits, simulate_visits
from driftrec.envs.logs import InteractionLog

FEED = VisitLaw(40.0, 0.3, 0.25, 0.8, 1.3, share=0.01)
FILMS = VisitLaw(1.5, 0.3, 5.0, 0.8, 1.3, 0.02, CHURN_SPREAD)


@pytest.fixture(autouse=True, scope="module")
def quick():
    """Fewer simulated users, at the price of wider intervals."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "_MOST_SIMULATED", 4000)
        yield


def log_of(visits, has_skips):
    """A log of visits, with one item that is never clicked."""
    return InteractionLog(
        name="visits",
        user=visits.user,
        item=np.zeros(len(visits.user), np.int64),
        time=visits.time,
        feedback=np.zeros(len(visits.user), np.float32),
        user_ids=np.arange(visits.users),
        item_ids=np.arange(1),
        topics=np.ones((1, 1), np.float32),
        topic_names=("all",),
        has_skips=has_skips,
    )


def test_the_fast_simulation_and_the_user_model_give_the_same_visits(worlds):
    law = VisitLaw(12.0, 0.3, 0.4, 0.6, 1.3, 0.05, 0.5, share=0.2)
    model = replace(
        worlds.plain,
        session_requests=law.session_requests, session_spread=law.session_spread,
        return_days=law.return_days, return_spread=law.return_spread,
        return_shape=law.return_shape, churn=law.churn, churn_spread=law.churn_spread,
    )  # fmt: skip
    window = Window(20.0, np.zeros(1))
    split = Split("visits", "train", model, worlds.catalogue())
    log = simulated_log(split, 3000, Observation(window, share=law.share), 1)
    slow, fast = VisitTable(visits_of(log)), VisitTable(simulate_visits(law, window, 3000, 2))
    at = np.array([0.25, 0.5, 0.75, 0.9])
    ones = [np.ones(table.visits.users) for table in (slow, fast)]
    np.testing.assert_allclose(
        slow.gap_quantiles(at, ones[0]), fast.gap_quantiles(at, ones[1]), rtol=0.08
    )
    assert slow.events.mean() == pytest.approx(fast.events.mean(), rel=0.06)
    assert slow.sessions.mean() == pytest.approx(fast.sessions.mean(), rel=0.06)
    spans = np.array([1.0, 7.0, 15.0])
    np.testing.assert_allclose(
        slow.span_shares(spans, ones[0]), fast.span_shares(spans, ones[1]), atol=0.03
    )


def test_sessions_and_gaps_behind_a_thinned_log_are_recovered():
    log = log_of(simulate_visits(FEED, Window(14.0), 6000, seed=5), has_skips=True)
    found = estimate_thinned_visits(log)
    for name in ("session_requests", "return_days", "return_spread", "return_shape", "share"):
        truth, estimate = getattr(FEED, name), found[name]
        assert estimate.low <= truth <= estimate.high, name
        assert estimate.value == pytest.approx(truth, rel=0.25), name


def test_visits_from_first_contact_on_are_recovered():
    arrivals = np.linspace(0, 150, 50)
    log = log_of(simulate_visits(FILMS, Window(200.0, arrivals), 6000, seed=7), has_skips=False)
    found = estimate_visits(log)
    for name in ("session_requests", "return_days", "return_spread", "return_shape", "churn"):
        truth, estimate = getattr(FILMS, name), found[name]
        assert estimate.low <= truth <= estimate.high, name
        assert estimate.value == pytest.approx(truth, rel=0.3), name


def test_whole_logs_hold_every_request_of_a_session():
    law = VisitLaw(6.0, 0.0, 1.0, 0.0, 3.0)
    table = VisitTable(simulate_visits(law, Window(30.0, np.zeros(1)), 400))
    pauses = np.diff(table.visits.time)[np.diff(table.visits.user) == 0] * 86400
    assert np.isclose(pauses, 30.0).mean() > 0.75
    assert pauses.min() > 29.9
    assert table.sizes[1].mean() == pytest.approx(6.0, rel=0.05)


def test_sessions_gaps_and_spans_of_a_log_written_by_hand():
    minutes = np.array([0, 10, 60, 61, 2000, 0, 5000, 7])
    user = np.array([0, 0, 0, 0, 0, 1, 1, 2])
    table = VisitTable(Visits(user, minutes / 1440, 3, 4.0))
    assert table.sessions.tolist() == [3, 2, 1]
    assert table.events.tolist() == [5, 2, 1]
    np.testing.assert_allclose(table.gaps[1] * 1440, [50, 1939, 5000])
    assert table.gaps[0].tolist() == [0, 0, 1]
    assert table.sizes[1].tolist() == [1, 1, 1, 1, 2, 2]
    np.testing.assert_allclose(table.span * 1440, [2000, 5000, 0])
    assert table.close_pairs.tolist() == [[1, 2], [0, 0], [0, 0]]
    assert table.span_shares(np.array([1.0, 2.0]), np.ones(3)).tolist() == [2 / 3, 1 / 3]


def test_weighted_quantiles_are_those_of_repeated_values():
    values, counts = np.array([1.0, 2.0, 5.0, 9.0]), np.array([3, 1, 0, 4])
    at = np.array([0.1, 0.4, 0.45, 0.9])
    repeated = np.repeat(values, counts)
    expected = np.quantile(repeated, at, method="inverted_cdf")
    np.testing.assert_array_equal(weighted_quantiles(values, counts.astype(float), at), expected)


def test_moments_that_are_linear_are_matched_at_once_with_the_errors_of_least_squares():
    rng = np.random.default_rng(0)
    slope, truth, sd = rng.normal(size=(6, 2)), np.array([0.3, -0.2]), np.full(6, 0.1)
    found = match_moments(lambda x: slope @ x, slope @ truth, sd, np.zeros(2))
    np.testing.assert_allclose(found.log_values, truth, atol=1e-5)
    covariance = np.linalg.inv(slope.T @ slope) * 0.1**2
    np.testing.assert_allclose(found.log_sd, np.sqrt(np.diag(covariance)), rtol=1e-6)
    assert np.abs(found.residual).max() < 1e-3
