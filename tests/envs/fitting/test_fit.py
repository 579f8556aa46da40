"""A fitted population: its users are not those it is tested on, and its card says all."""

from dataclasses import fields, replace

import numpy as np
import pytest

from driftrec.envs import SPLITS, DriftingUser, Split
from driftrec.envs.fitting import (
    Observation,
    Window,
    calibrate,
    calibrated,
    fit,
    fit_population,
    sessions,
    simulated_log,
    split_users,
)
from driftrec.envs.fitting.catalogues import item_features, topic_coherence
from driftrec.envs.fitting.simulate import Run

CALIBRATED = {"intercept", "expectation"}


@pytest.fixture(scope="module")
def quick():
    """Small simulations: what is tested here does not depend on their size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "_LEAST_SIMULATED", 500)
        patch.setattr(sessions, "_MOST_SIMULATED", 500)
        for name in ("_USERS", "_WHOLE_USERS", "_THINNED_USERS"):
            patch.setattr(calibrate, name, 150)
        yield


@pytest.fixture(scope="module")
def log(worlds):
    feed = replace(
        worlds.plain, level_sd=0.8, mood_sd=0.6, return_spread=0.8, session_requests=40.0
    )
    split = Split("feed", "train", feed, worlds.catalogue(120, 0.7))
    return simulated_log(split, 700, Observation(Window(8.0, warm_up=2.0), share=0.05), 3)


@pytest.fixture(scope="module")
def fitted(quick, log):
    return fit(log, items=50)


def flipped(log, users):
    """The same log with the feedback of some users turned round."""
    chosen = np.isin(log.user_ids[log.user], users)
    return replace(log, feedback=np.where(chosen, 1 - log.feedback, log.feedback))


def numbers(model):
    return {
        item.name: getattr(model, item.name) for item in fields(model) if item.name != "personas"
    }


def test_halves_are_disjoint_and_together_all_users(log):
    known, held_out = split_users(log, seed=4)
    assert not set(known.user_ids) & set(held_out.user_ids)
    assert set(known.user_ids) | set(held_out.user_ids) == set(log.user_ids)
    assert abs(known.num_users - held_out.num_users) <= 1
    assert known.num_events + held_out.num_events == log.num_events
    again = split_users(log, seed=4)[0]
    assert np.array_equal(known.user_ids, again.user_ids)
    assert not np.array_equal(known.user_ids, split_users(log, seed=5)[0].user_ids)


def test_one_user_cannot_be_split(log):
    alone = log.subset_users(np.arange(log.num_users) == 0)
    with pytest.raises(ValueError, match="two users or more to split, got 1"):
        split_users(alone)


def test_held_out_users_change_test_users_and_nothing_that_is_trained_on(quick, log, fitted):
    other = fit_population(flipped(log, split_users(log)[1].user_ids), items=50)
    same = fitted.population
    for split in ("train", "validation"):
        assert numbers(other.split(split).model) == numbers(same.split(split).model)
    for split in SPLITS:
        before, after = same.split(split).catalogue, other.split(split).catalogue
        assert np.array_equal(before.table, after.table)
    assert other.split("test").model.intercept != same.split("test").model.intercept


def test_users_fitted_on_change_training_users_and_not_what_test_users_are_like(quick, log, fitted):
    other = fit(flipped(log, split_users(log)[0].user_ids), items=50)
    assert other.population.model.intercept != fitted.population.model.intercept
    for name in ("return_days", "return_shape", "share"):
        before, after = (found.users["test"].parameters[name] for found in (fitted, other))
        assert before == after
    assert np.array_equal(other.held_out.feedback, fitted.held_out.feedback)


def test_splits_out_of_distribution_differ_from_test_in_what_their_name_says(fitted):
    population = fitted.population
    test, items = population.split("test"), population.split("ood-items")
    assert numbers(items.model) == numbers(test.model)
    assert not set(items.catalogue.titles) & set(test.catalogue.titles)
    assert len(items.catalogue) == len(test.catalogue) == 50
    faster, strangers = (population.split(name).model for name in ("ood-drift", "ood-taste"))
    changed = {
        name for name, value in numbers(faster).items() if value != numbers(test.model)[name]
    }
    assert changed == {"retained_per_year", "life_events_per_year", "whim_minutes", "mood_hours"}
    assert faster.mood_hours < test.model.mood_hours
    assert numbers(strangers) == numbers(test.model)
    assert not np.array_equal(strangers.personas, test.model.personas)


def test_the_card_lists_every_parameter_of_both_groups(fitted):
    train, test = fitted.population.card.split("## Users of `test`")
    for group in (train, test):
        for name in fitted.users["train"].parameters:
            assert f"| `{name}` |" in group
    rows = [line for line in test.splitlines() if line.startswith("| `")]
    assert all(len(row.split(" | ")) == 4 for row in rows)
    assert "assumed" in train


def test_parameters_of_the_population_are_those_of_the_estimates(fitted):
    estimates = fitted.users["test"].parameters
    model = fitted.population.split("test").model
    moved = CALIBRATED | {"session_requests", "churn"}
    for name in set(estimates) & {item.name for item in fields(DriftingUser)} - moved:
        assert getattr(model, name) == max(estimates[name].value, 0), name


def test_calibrated_users_click_and_stay_as_they_should(worlds):
    model = replace(
        worlds.plain,
        level_sd=0.8,
        mood_sd=0.5,
        satiation=0.05,
        leave_satisfaction=1.0,
        leave_boredom=0.05,
        session_requests=20.0,
    )
    catalogue, seen = worlds.catalogue(200, 0.6), Observation(Window(4.0, np.zeros(1)))
    rest = replace(model, leave_satisfaction=0.0, leave_boredom=0.0)
    found = calibrated(replace(model, churn=0.02), catalogue, seen, click_rate=0.35)
    runs = [Run(user, catalogue, seen, 3000, [9]) for user in (rest, replace(found, churn=0.0))]
    for run in runs:
        run.finish()
    lengths = [run.totals.requests / run.totals.endings for run in runs]
    assert lengths[1] == pytest.approx(lengths[0], rel=0.06)
    assert runs[1].events()[3].mean() == pytest.approx(0.35, abs=0.012)


def test_features_share_with_their_topic_what_taste_shares(worlds):
    rng = np.random.default_rng(0)
    topics = np.eye(6, dtype=np.float32)[rng.integers(6, size=600)]
    own = rng.standard_normal((600, 10))
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    coherence = topic_coherence(topics, topic_taste_sd=0.4, taste_sd=0.8)
    features = item_features(topics, own, coherence, rng)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-6)
    same = (topics @ topics.T).astype(bool) & ~np.eye(600, dtype=bool)
    shared = 0.8**2 * (features @ features.T)[same].mean()
    assert shared == pytest.approx(0.4**2, rel=0.15)
    assert topic_coherence(topics, topic_taste_sd=2.0, taste_sd=0.8) == 1.0
    assert np.array_equal(item_features(topics, own, 0.0, rng), own.astype(np.float32))
