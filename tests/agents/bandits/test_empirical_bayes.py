"""Laws of users are found again from clicks that were drawn from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from driftrec.agents import BayesFilter
from driftrec.agents.bandits.empirical_bayes import (
    STILL,
    Passing,
    WeightLaw,
    evidence,
    expectation_maximisation,
    first_law,
    search_passing,
)
from driftrec.agents.bandits.hybrid import pooled_regression
from driftrec.agents.bandits.watching import watch_log
from driftrec.agents.inputs import item_inputs
from driftrec.agents.recommenders.training_log import TrainingLog
from driftrec.envs import synthetic_catalogue

CATALOGUE = synthetic_catalogue(60, np.random.default_rng(0), dimension=2, topics=2)
INPUTS = item_inputs(CATALOGUE)
D = INPUTS.shape[1]


def true_law():
    """Users who differ in two features, which are correlated, and in their level."""
    mean = np.array([0.5, -0.5, 0.0, 0.0, 1.0, -0.3])
    covariance = np.zeros((D, D))
    covariance[:2, :2] = [[1.0, 0.5], [0.5, 0.8]]
    covariance[-1, -1] = 0.5
    return mean, covariance


def log_of(mean, covariance, users=1500, requests=80, seconds=30.0, mood=(0.0, 1.0)):
    """Random items and the clicks of users from a law, whose mood is an OU process if any."""
    rng = np.random.default_rng(2)
    weights = rng.multivariate_normal(mean, covariance, users)
    items = rng.integers(len(INPUTS), size=(users, requests, 1)).astype(np.int32)
    logits = np.einsum("urd,ud->ur", INPUTS[items[:, :, 0]], weights)
    sd, hours = mood
    kept = np.exp(-seconds / 3600 / hours)
    state = sd * rng.standard_normal(users)
    for request in range(requests):
        logits[:, request] += state
        state = kept * state + sd * (1 - kept**2) ** 0.5 * rng.standard_normal(users)
    clicks = rng.random((users, requests)) < 1 / (1 + np.exp(-logits))
    day = np.tile(np.arange(requests) * seconds / 86400, (users, 1))
    active = np.ones((users, requests), bool)
    return TrainingLog(items, clicks[:, :, None].astype(np.float32), active, day.astype(np.float32))


def test_em_finds_mean_and_covariance():
    mean, covariance = true_law()
    log = log_of(mean, covariance)
    law = expectation_maximisation(first_law(CATALOGUE), log, CATALOGUE, 12)
    # Topics sum to one, so that their weights and the constant can only be told apart together.
    where = [0, 1, 4]
    np.testing.assert_allclose(law.mean[where], mean[where], atol=0.1)
    np.testing.assert_allclose(law.covariance[:2, :2], covariance[:2, :2], atol=0.12)
    total = np.array([0.5, 0.5, 0.0, 1.0])
    level = law.mean[2:] @ total, total @ law.covariance[2:, 2:] @ total
    np.testing.assert_allclose(level, (-0.3, 0.5), atol=0.12)


def test_every_step_of_em_makes_the_clicks_more_likely():
    log = log_of(*true_law(), users=300)
    law, before = first_law(CATALOGUE), -np.inf
    for _ in range(5):
        law = expectation_maximisation(law, log, CATALOGUE, 1)
        after = evidence(law, log, CATALOGUE)
        assert after > before
        before = after


def test_the_true_law_is_more_likely_than_others():
    mean, covariance = true_law()
    log = log_of(mean, covariance)
    best = evidence(WeightLaw(mean, covariance), log, CATALOGUE)
    for other in (WeightLaw(mean + 0.3, covariance), WeightLaw(mean, covariance * 3 + 0.01)):
        assert evidence(other, log, CATALOGUE) < best


def test_the_search_goes_towards_the_mood_that_was_there():
    mean, covariance = true_law()
    log = log_of(mean, covariance, users=500, seconds=600, mood=(1.5, 1.0))
    law = WeightLaw(mean, covariance, replace(STILL, mood_sd=0.75, mood_hours=4.0))
    for factor in (2.0, 2.0, 1.5):
        law = search_passing(law, log, CATALOGUE, factor)
    assert law.passing.mood_sd == pytest.approx(1.5, rel=0.35)
    assert law.passing.mood_hours == pytest.approx(1.0, rel=0.55)
    # What is 0 stays so: a factor cannot move it.
    assert law.passing.satiation == 0


def test_reading_a_log_is_acting_without_a_choice():
    """The filter fed by a log knows what it knew when it acted, but for the choice."""
    law = WeightLaw(*true_law(), Passing())
    policy = BayesFilter(law.model(CATALOGUE))
    rng = np.random.default_rng(0)
    users, requests = 4, 6
    observation = {
        "feedback": np.zeros((users, 1), np.float32),
        "new_user": np.ones((users, 1), np.float32),
        "log_elapsed": np.zeros((users, 1), np.float32),
    }
    state, shown, clicks = policy.start(users), [], []
    gaps = rng.exponential(2000, (requests, users))
    gaps[-1] = 0
    for request in range(requests):
        items, state = policy.act(observation, state)
        feedback = (rng.random((users, 1)) < 0.5).astype(np.float32)
        shown.append(items)
        clicks.append(feedback)
        observation = {
            "feedback": feedback,
            "new_user": np.zeros((users, 1), np.float32),
            "log_elapsed": np.log1p(gaps[request]).astype(np.float32)[:, None],
        }
    state = policy.watch(observation, state)
    day = np.concatenate([np.zeros((1, users)), np.cumsum(gaps, axis=0)[:-1]]).T / 86400
    log = TrainingLog(
        np.stack(shown, 1).astype(np.int32),
        np.stack(clicks, 1),
        np.ones((users, requests), bool),
        day.astype(np.float32),
    )
    (read,) = watch_log(law.model(CATALOGUE), log)
    np.testing.assert_allclose(read.belief.mean, state.belief.mean, atol=1e-5)
    np.testing.assert_allclose(read.log_likelihood, state.log_likelihood, atol=1e-5)


def test_what_was_not_shown_is_not_read():
    mean, covariance = true_law()
    log = log_of(mean, covariance, users=5, requests=10)
    shorter = replace(log, active=np.arange(10) < np.array([[10], [4], [1], [0], [7]]))
    (state,) = watch_log(WeightLaw(mean, covariance).model(CATALOGUE), shorter)
    for user, requests in enumerate((10, 4, 1, 0, 7)):
        part = replace(
            log,
            **{name: getattr(log, name)[user : user + 1, :requests]
               for name in ("items", "feedback", "active", "day")},
        )  # fmt: skip
        (alone,) = watch_log(WeightLaw(mean, covariance).model(CATALOGUE), part)
        np.testing.assert_allclose(state.belief.mean[user], alone.belief.mean[0], atol=1e-6)


def test_a_catalogue_of_other_features_is_refused():
    other = synthetic_catalogue(10, np.random.default_rng(0), dimension=5, topics=2)
    with pytest.raises(ValueError, match=r"must have 4 features and topics.*got 7"):
        WeightLaw(*true_law()).model(other)


def test_pooled_regression_is_least_squares_on_all_clicks():
    log = log_of(*true_law(), users=50, requests=20)
    weights, error = pooled_regression(log, INPUTS)
    x, y = INPUTS[log.items.ravel()].astype(float), log.feedback.ravel().astype(float)
    expected = np.linalg.solve(x.T @ x + np.eye(D), x.T @ y)
    np.testing.assert_allclose(weights, expected, atol=1e-5)
    assert error == pytest.approx(np.square(y - x @ expected).mean(), rel=1e-5)
