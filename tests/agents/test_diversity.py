from dataclasses import replace

import numpy as np
import pytest

from driftrec.agents.diversity import (
    catalogue_metrics,
    coverage,
    exposures,
    gini,
    quality_percentile,
    topic_entropy,
    user_diversity,
)
from driftrec.agents.evaluation import Evaluation
from driftrec.agents.harness import evaluate
from driftrec.agents.metrics import METRICS
from driftrec.agents.registry import POLICIES
from driftrec.agents.statistics import Interval, user_weights
from driftrec.envs import Catalogue, feed_population, slate_population


def one_hot(topics: list[int], quality: list[float] | None = None) -> Catalogue:
    items = len(topics)
    return Catalogue(
        np.zeros((items, 1)),
        np.eye(max(topics) + 1)[topics],
        np.arange(items) if quality is None else np.array(quality),
    )


def test_exposures_count_what_was_shown_in_live_requests() -> None:
    got = evaluate(POLICIES["random"], slate_population(), users=20, batch=20)
    counts = exposures(got, len(slate_population().catalogue))
    np.testing.assert_array_equal(counts.sum(1), got.active.sum(1) * got.slate)
    user = 3
    shown = got.items[user][got.active[user]].ravel()
    np.testing.assert_array_equal(counts[user], np.bincount(shown, minlength=counts.shape[1]))


def test_diversity_is_the_chance_that_two_showings_differ_in_topic() -> None:
    topics = np.asarray(one_hot([0, 0, 1, 2]).topics)
    counts = np.array([[1, 1, 0, 0], [1, 0, 1, 1], [1, 1, 1, 0], [1, 0, 0, 0]], np.float32)
    np.testing.assert_allclose(user_diversity(counts, topics), [0, 1, 2 / 3, np.nan], atol=1e-6)


def test_entropy_is_one_where_all_topics_are_shown_alike() -> None:
    topics = np.asarray(one_hot([0, 0, 1, 1]).topics)
    counts = np.array([[2, 0, 1, 1], [1, 3, 0, 0], [3, 0, 0, 1]], np.float32)
    quarter = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))
    np.testing.assert_allclose(topic_entropy(counts, topics), [1, 0, quarter], atol=1e-6)


def test_coverage_is_what_a_crowd_is_shown() -> None:
    rng = np.random.default_rng(0)
    counts = (rng.random((50, 30)) < rng.beta(0.3, 3, 30)).astype(np.float32)
    value, _ = coverage(counts, crowd=10)
    seen = [counts[rng.integers(50, size=10)].any(0).mean() for _ in range(4000)]
    assert value == pytest.approx(np.mean(seen), abs=4 * np.std(seen) / 4000**0.5)
    assert coverage(np.eye(4, dtype=np.float32), crowd=1)[0] == pytest.approx(0.25)


def test_gini_is_zero_of_equals_and_near_one_where_one_has_all() -> None:
    assert gini(np.ones((3, 8)))[0] == pytest.approx(0)
    one = np.zeros((3, 8))
    one[:, 2] = 5
    assert gini(one)[0] == pytest.approx(7 / 8)
    # Half the mean absolute difference over the mean.
    counts = np.array([[1.0, 5, 2, 0, 4]])
    differences = np.abs(counts[0][:, None] - counts[0]).mean()
    assert gini(counts)[0] == pytest.approx(differences / (2 * counts.mean()))


@pytest.mark.parametrize("statistic", [coverage, gini])
def test_derivatives_are_those_of_weights(statistic) -> None:
    rng = np.random.default_rng(1)
    counts = rng.poisson(rng.gamma(0.5, 1, 25), size=(60, 25)).astype(np.float32)
    value, derivative = statistic(counts)
    assert derivative.mean() == pytest.approx(0, abs=1e-5)
    for user in (0, 17):
        # One user more of the same kind moves the share of each by about 1 / 60.
        again = np.concatenate([np.tile(counts, (200, 1)), counts[user : user + 1]])
        moved = (statistic(again)[0] - value) * (200 * 60 + 1)
        assert moved == pytest.approx(derivative[user], rel=0.05, abs=0.02)


def test_percentiles_of_quality_share_ties() -> None:
    np.testing.assert_allclose(
        quality_percentile(one_hot([0] * 4, [3.0, 1, 1, 2])), [0.875, 0.25, 0.25, 0.625]
    )


@pytest.fixture(scope="module")
def measured() -> dict[str, dict[str, float]]:
    population = feed_population()
    metrics = catalogue_metrics(population.catalogue)
    one = np.ones((1, 200), np.float32)
    return {
        name: {metric: float(each.measure(evaluation, one)[0]) for metric, each in metrics.items()}
        for name in ("random", "most-popular")
        if (evaluation := evaluate(POLICIES[name], population, users=200, batch=200))
    }


def test_random_shows_everything_and_the_most_popular_the_best(measured) -> None:
    chance, popular = measured["random"], measured["most-popular"]
    assert chance["popularity"] == pytest.approx(0.5, abs=0.01)
    # The trial's requests, of 500 items, from the best down.
    assert popular["popularity"] > 0.85
    # Ten users with some 100 requests each, of 500 items: 1 - (1 - .2)^10 = .89.
    assert 0.8 < chance["coverage"] < 1 - (1 - 120 / 500) ** 10
    assert popular["coverage"] == pytest.approx(120 / 500, abs=0.01)
    assert popular["exposure-gini"] > 0.7 > 0.1 > chance["exposure-gini"]
    shares = np.asarray(feed_population().catalogue.topics).mean(0)
    assert chance["diversity"] == pytest.approx(1 - (shares**2).sum(), abs=0.01)


def test_without_a_catalogue_they_are_not_known() -> None:
    evaluation: Evaluation = evaluate(POLICIES["random"], "Feed", users=3, batch=3)
    for name in catalogue_metrics(feed_population().catalogue):
        assert np.isnan(METRICS[name].measure(evaluation, np.ones((2, 3)))).all()


def test_the_interval_of_coverage_is_that_of_users_drawn_anew() -> None:
    population = feed_population()
    measure = catalogue_metrics(population.catalogue)["coverage"].measure
    rng = np.random.default_rng(2)
    whole = evaluate(POLICIES["filter-greedy"], population, users=600, batch=600)

    def sample() -> Evaluation:
        chosen = rng.choice(600, size=150, replace=False)
        arrays = {"items": whole.items[chosen], "active": whole.active[chosen]}
        return replace(whole, **arrays, stratum=whole.stratum[chosen])

    values = [measure(sample(), np.ones((1, 150), np.float32))[0] for _ in range(100)]
    weights = user_weights(np.zeros(150, int), 500, rng)
    interval = Interval.of(0.0, measure(sample(), weights))
    # Of 600 users 150 without return: the variance is 3/4 of that of users drawn anew.
    expected = np.std(values) / 0.75**0.5
    assert (interval.high - interval.low) / 3.92 == pytest.approx(expected, rel=0.3)
