import numpy as np
import pytest

from driftrec.envs.logs import InteractionLog, item_quality, item_quality_posterior


def make_log(item, feedback, items, surface=None):
    events = len(item)
    return InteractionLog(
        name="quality",
        user=np.arange(events),
        item=np.asarray(item),
        time=np.arange(events, dtype=np.float64),
        feedback=np.asarray(feedback, dtype=np.float32),
        user_ids=np.arange(events),
        item_ids=np.arange(items),
        topics=np.ones((items, 1), dtype=np.float32),
        topic_names=("all",),
        has_skips=True,
        surface=surface,
    )


def from_counts(counts):
    item = np.repeat(np.arange(len(counts)), [n for n, _ in counts])
    feedback = np.concatenate([np.arange(n) < clicks for n, clicks in counts])
    return make_log(item, feedback, len(counts))


def logit(p):
    return np.log(p / (1 - p))


def test_quality_is_the_beta_binomial_closed_form():
    counts = [(10, 9), (10, 1), (4, 2), (40, 20), (0, 0)]
    posterior = item_quality_posterior(from_counts(counts))

    n, clicks = np.array(counts, dtype=float).T
    p = (32 + 0.5) / (64 + 1)
    v = n[:4] * p * (1 - p)
    rho = np.sum((clicks[:4] - n[:4] * p) ** 2 / v - 1) / np.sum(n[:4] - 1)
    a = 1 / rho - 1
    rate = (clicks + a * p) / (n + a)
    assert posterior.strength == pytest.approx(a)
    np.testing.assert_allclose(posterior.mean, logit(rate) - logit(p), atol=1e-6)
    np.testing.assert_allclose(posterior.sd, ((n + a + 1) * rate * (1 - rate)) ** -0.5, rtol=1e-6)
    assert posterior.prior_sd == pytest.approx(((a + 1) * p * (1 - p)) ** -0.5)
    # An item that nobody met has the prior: quality 0, the prior's standard deviation.
    assert posterior.mean[4] == 0
    assert posterior.sd[4] == pytest.approx(posterior.prior_sd)


def test_an_item_with_as_many_events_as_the_prior_is_shrunk_half_way():
    counts = [(10, 9), (10, 1), (4, 2), (40, 20)]
    a = item_quality_posterior(from_counts(counts)).strength
    p, n = 0.5, 10
    expected = logit(p + n / (n + a) * (0.9 - p))
    assert item_quality(from_counts(counts))[0] == pytest.approx(expected, rel=1e-5)


def test_items_that_differ_no_more_than_by_chance_have_no_quality():
    posterior = item_quality_posterior(from_counts([(10, 5), (10, 5), (10, 6)]))
    assert posterior.strength == np.inf
    assert posterior.mean.tolist() == [0, 0, 0]
    assert posterior.sd.tolist() == [0, 0, 0]


def test_known_quality_is_recovered():
    rng = np.random.default_rng(3)
    items, a, p = 2000, 12.0, 0.4
    rate = rng.beta(a * p, a * (1 - p), items)
    item = np.repeat(np.arange(items), rng.integers(2, 60, items))
    posterior = item_quality_posterior(make_log(item, rng.random(len(item)) < rate[item], items))
    assert posterior.strength == pytest.approx(a, rel=0.1)
    # Standardised errors have variance 1 if the posterior is honest.
    error = (posterior.mean - (logit(rate) - logit(p))) / posterior.sd
    assert np.mean(error**2) == pytest.approx(1, abs=0.12)
    assert np.mean(np.abs(error) < 1.96) == pytest.approx(0.95, abs=0.02)


def test_a_surface_where_nobody_clicks_is_not_held_against_its_items():
    rng = np.random.default_rng(0)
    item = rng.integers(0, 20, 40_000)
    surface = (item >= 10).astype(np.int64)
    feedback = rng.random(40_000) < np.where(surface == 1, 0.1, 0.5)
    blind = item_quality(make_log(item, feedback, 20))
    aware = item_quality(make_log(item, feedback, 20, surface))
    assert np.ptp(blind) > 1.5
    assert np.ptp(aware) < 0.15
