"""Reference methods, and what filters predict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from driftrec.agents import BayesFilter, FilterModel, ParticleFilter, evaluate
from driftrec.agents.recent_popular import RecentPopular, recent_rates
from driftrec.agents.recommenders.training_log import TrainingLog
from driftrec.agents.reference_methods import METHODS, RecentPopularMethod
from driftrec.agents.testing import check_policy
from driftrec.envs import (
    DriftingUser,
    Population,
    RecommendationVectorEnv,
    default_personas,
    foreign_population,
    make_population,
    synthetic_catalogue,
)

ORACLES = {"core-oracle", "clairvoyant", "planning-oracle"}
MODELS = {"particle", "filter-greedy", "filter-thompson", "filter-ucb"}


def small(**parameters):
    catalogue = synthetic_catalogue(30, np.random.default_rng(0), dimension=3, topics=2)
    users = DriftingUser(personas=default_personas(12, 3), topics=2, **parameters)
    return Population("Small", users, catalogue, slate=2, max_requests=15)


@pytest.mark.parametrize("name", list(METHODS))
def test_every_reference_conforms(name, tmp_path):
    population, method = small(), METHODS[name]
    assert not method.unsuited(population)
    assert not method.unsuited(make_population("Feed"))
    method.fit(population, tmp_path, seed=0, size="smoke")
    size = {"users": 2, "requests": 3} if name == "planning-oracle" else {"requests": 5}
    check_policy(method.policy(tmp_path), population, **size, privileged=name in ORACLES)


def test_more_is_known_from_one_to_the_next(tmp_path):
    """On users of strong tastes the references come out in their order."""
    population = replace(
        make_population("Feed").replace_parameters(taste_sd=1.5, whim_sd=0.0), max_requests=40
    )
    names = ("random", "most-popular", "filter-misspecified", "filter-ucb", "clairvoyant")
    rates = [
        evaluate(METHODS[name].policy(tmp_path), population, users=300).feedback.mean()
        for name in names
    ]
    assert rates == sorted(rates)


def test_a_wrong_model_that_happens_to_be_right_is_the_filter(tmp_path):
    population = small(mood_sd=0, whim_sd=0, satiation=0)
    wrong, right = (
        evaluate(METHODS[name].policy(tmp_path), population, users=30).items
        for name in ("filter-misspecified", "filter-ucb")
    )
    np.testing.assert_array_equal(wrong, right)


def test_filters_and_the_core_oracle_are_unsuited_to_users_of_another_kind():
    linear = make_population("LinearBandit-k10-n200")
    unsuited = {name for name in METHODS if METHODS[name].unsuited(linear)}
    assert unsuited >= {"filter-greedy", "filter-thompson", "filter-ucb", "core-oracle"}
    assert not unsuited & {"random", "most-popular", "particle", "clairvoyant"}
    assert "got LinearBandit" in METHODS["filter-ucb"].unsuited(linear)
    assert "got LinearBandit" in METHODS["core-oracle"].unsuited(linear)
    multinomial = small(choice="multinomial")
    assert "independent choices" in METHODS["filter-ucb"].unsuited(multinomial)
    assert not METHODS["particle"].unsuited(multinomial)


def test_a_split_of_other_users_counts_too():
    population = replace(small(), variants={"ood-taste": (
        small(choice="multinomial").model, small().catalogue)})  # fmt: skip
    assert METHODS["filter-ucb"].unsuited(population)


def test_whoever_asks_users_what_they_would_do_is_unsuited_to_foreign_ones():
    foreign = foreign_population("Lake", "FrozenLake-v1", max_requests=20)
    unsuited = {name for name in METHODS if METHODS[name].unsuited(foreign)}
    assert unsuited >= ORACLES | MODELS
    assert not unsuited & {"random", "most-popular"}


def log_of(items, feedback, day):
    items = np.array(items, np.int32)[:, :, None]
    active = items[:, :, 0] >= 0
    return TrainingLog(
        np.maximum(items, 0),
        np.array(feedback, np.float32)[:, :, None],
        active,
        np.array(day, np.float32),
    )


def test_recent_rates_forget_exponentially():
    """Two users; the second is gone after two requests (-1)."""
    log = log_of([[0, 1, 0], [0, 1, -1]], [[1, 0, 0], [1, 1, 0]], [[0, 1, 3], [0, 2, 0]])
    fade = np.exp(-np.array([[3, 2, 0], [2, 0, np.inf]]) / 2)
    shown = np.array([fade[0, 0] + fade[0, 2] + fade[1, 0], fade[0, 1] + fade[1, 1], 0])
    clicked = np.array([fade[0, 0] + fade[1, 0], fade[1, 1], 0])
    overall = clicked.sum() / shown.sum()
    expected = (clicked + 5 * overall) / (shown + 5)
    np.testing.assert_allclose(recent_rates(log, 3, days=2, prior=5), expected, rtol=1e-6)


def test_recent_popular_finds_quality_in_clicks(tmp_path):
    population = make_population("Feed")
    RecentPopularMethod().fit(population, tmp_path, seed=0, size="smoke")
    env = RecommendationVectorEnv(population, 2, autoreset_mode="Disabled")
    policy = RecentPopularMethod().policy(tmp_path)(env)
    assert isinstance(policy, RecentPopular)
    rates = policy.predict(policy.start(1), np.arange(500)[None])[0]
    assert np.corrcoef(rates, population.catalogue.quality)[0, 1] > 0.6
    other = replace(population, catalogue=small().catalogue, variants={})
    with pytest.raises(ValueError, match=r"must have the 500 items .* got 30"):
        RecentPopularMethod().policy(tmp_path)(RecommendationVectorEnv(other, 2))


@pytest.mark.parametrize("options", [{"days": 0}, {"prior": 0}])
def test_recent_rates_options_out_of_range(options):
    with pytest.raises(ValueError, match="days and prior must be positive"):
        recent_rates(log_of([[0]], [[1]], [[0]]), 1, **({"days": 1, "prior": 1} | options))


def played(policy, population, users=40, requests=6):
    env = RecommendationVectorEnv(population, users, autoreset_mode="Disabled")
    observation, _ = env.reset(seed=3)
    state = policy.start(users)
    for _ in range(requests):
        items, state = policy.act(observation, state)
        observation, *_ = env.step(items)
    return items, state


def test_the_filter_predicts_the_mean_of_the_logistic_function():
    population = small(slot_bias=-0.3)
    model = FilterModel.from_user_model(population.model, population.catalogue)
    policy = BayesFilter(model, 2)
    items, state = played(policy, population)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    loadings = model.loadings[items]
    variance = np.einsum("usd,ude,use->us", loadings, state.belief.covariance, loadings)
    mean = np.einsum("usd,ud->us", loadings, state.belief.mean) + model.offsets[items]
    sated = np.einsum("ust,ut->us", model.topics[items], state.recent)
    mean = mean - model.satiation * sated - 0.3 * np.arange(2)
    logits = mean[..., None] + np.sqrt(variance)[..., None] * nodes
    expected = (1 / (1 + np.exp(-logits))) @ (weights / weights.sum())
    # MacKay's approximation is good to a hundredth.
    np.testing.assert_allclose(policy.predict(state, items), expected, atol=0.012)


def test_filter_and_particles_predict_alike():
    population = small(whim_sd=0, mood_sd=0, satiation=0, spread=0, influence=0)
    model = FilterModel.from_user_model(population.model, population.catalogue)
    exact = BayesFilter(model, 2)
    cloud = ParticleFilter(population.model, population.catalogue, 2, particles=3000)
    items, state = played(exact, population, users=10, requests=1)
    _, particles = played(cloud, population, users=10, requests=1)
    np.testing.assert_allclose(
        exact.predict(state, items), cloud.predict(particles, items), atol=0.04
    )
