"""The particle filter against exact posteriors and against the Gaussian filter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from driftrec.agents import BayesFilter, FilterModel, ParticleFilter, renew
from driftrec.agents.resampling import normalised, resample_poor, systematic
from driftrec.envs import (
    DriftingUser,
    IndependentClicks,
    Population,
    RecommendationVectorEnv,
    UserModel,
    synthetic_catalogue,
)


def linear_gaussian_env(slate, users):
    """Users to whom the filter's model applies without any approximation."""
    model = DriftingUser(
        personas=np.zeros((1, 2)), topics=2, persona_share=0, life_events_per_year=0, influence=0,
        spread=0, satiation=0.05, slot_bias=-0.5, mood_hours=0.2, repeat_penalty=0.5,
        session_requests=float("inf"),
    )  # fmt: skip
    catalogue = synthetic_catalogue(20, np.random.default_rng(0), dimension=2, topics=2)
    population = Population("linear-Gaussian", model, catalogue, slate=slate, max_requests=60)
    return RecommendationVectorEnv(population, users, autoreset_mode="Disabled")


@pytest.mark.parametrize("slate", [1, 2])
def test_both_filters_give_the_same_likelihood(slate):
    users, requests = 12, 60
    env = linear_gaussian_env(slate, users)
    observation, _ = env.reset(seed=1)
    model, catalogue = env.simulation.model, env.simulation.catalogue
    gaussian = BayesFilter(FilterModel.from_user_model(model, catalogue), slate)
    particle = ParticleFilter(model, catalogue, slate, particles=4000)
    believes, follows = gaussian.start(users), particle.start(users)
    for _ in range(requests):
        _, follows = particle.act(observation, follows)
        items, believes = gaussian.act(observation, believes)
        follows.memory = believes.memory
        observation = env.step(items)[0]
    _, believes = gaussian.act(observation, believes)
    _, follows = particle.act(observation, follows)
    exact = follows.log_likelihood / (requests * slate)
    gap = believes.log_likelihood / (requests * slate) - exact
    assert exact.mean() < -0.4
    assert abs(gap.mean()) < 1e-3
    assert abs(gap).max() < 5e-3


@dataclass(slots=True)
class TwoTypes:
    second: np.ndarray


@dataclass(frozen=True, eq=False)
class EitherOr(UserModel):
    """A user of one of two types for ever: the posterior is known in closed form."""

    chances: tuple[tuple[float, ...], tuple[float, ...]] = ((0.8, 0.3, 0.5), (0.2, 0.6, 0.5))

    def sample(self, users, rng):
        return TwoTypes(rng.integers(2, size=users))

    def respond(self, state, slate):
        return IndependentClicks(np.array(self.chances)[state.second[:, None], slate.items])


def test_scores_are_the_posterior_predictive_of_any_model():
    model, catalogue = EitherOr(), synthetic_catalogue(3, np.random.default_rng(0))
    policy = ParticleFilter(model, catalogue, particles=20_000)
    state = policy.start(2)
    one = np.ones((2, 1), np.float32)
    observation = {"feedback": 0 * one, "new_user": one, "log_elapsed": 0 * one}
    clicks = np.float32([[1, 0, 1], [0, 1, 1]])
    odds = np.ones((2, 2))
    for request in range(3):
        items, state = policy.act(observation, state)
        feedback = clicks[:, request : request + 1]
        chance = np.array(model.chances)[:, items[:, 0]]
        odds *= np.where(feedback[:, 0] > 0, chance, 1 - chance)
        observation = {"feedback": feedback, "new_user": 0 * one, "log_elapsed": one}
    _, state = policy.act(observation, state)
    posterior = (odds / odds.sum(0)).T
    np.testing.assert_allclose(policy.scores(state), posterior @ np.array(model.chances), atol=0.01)
    np.testing.assert_allclose(state.log_likelihood, np.log(odds.mean(0)), atol=0.02)


def test_the_bonus_is_a_standard_deviation_over_particles():
    model, catalogue = EitherOr(), synthetic_catalogue(3, np.random.default_rng(0))
    greedy, curious = (ParticleFilter(model, catalogue, particles=4000, bonus=b) for b in (0, 2.0))
    state = greedy.start(5)
    spread = (curious.scores(state) - greedy.scores(state)) / 2
    np.testing.assert_allclose(spread.mean(0), [0.3, 0.15, 0], atol=0.005)


def test_new_users_get_fresh_particles_and_others_keep_theirs():
    env = linear_gaussian_env(1, 3)
    observation, _ = env.reset(seed=1)
    policy = ParticleFilter(env.simulation.model, env.simulation.catalogue, particles=50)
    items, state = policy.act(observation, policy.start(3))
    _, state = policy.act(env.step(items)[0], state)
    fresh = policy.start(3)
    renewed = renew(state, fresh, np.float32([[0], [1], [0]]))
    np.testing.assert_array_equal(renewed.particles.core[1], fresh.particles.core[1])
    np.testing.assert_array_equal(renewed.particles.core[[0, 2]], state.particles.core[[0, 2]])
    assert renewed.log_likelihood[1] == 0
    assert (renewed.log_likelihood[[0, 2]] < 0).all()


def test_systematic_resampling_draws_each_particle_as_often_as_it_weighs():
    rng = np.random.default_rng(2)
    weight = rng.dirichlet(np.ones(30), size=200)
    drawn = systematic(weight, rng)
    np.testing.assert_array_equal(drawn // 30, np.tile(np.arange(200)[:, None], 30))
    counts = np.stack([np.bincount(row % 30, minlength=30) for row in drawn])
    assert (np.abs(counts - 30 * weight) < 1 + 1e-9).all()


def test_only_poor_users_are_resampled():
    rng = np.random.default_rng(3)
    weight = np.array([[1.0, 1, 1, 1], [1, 0.9, 1.1, 1], [1, 1e-3, 1e-3, 1e-3]])
    chosen, after = resample_poor(np.log(weight), rng)
    np.testing.assert_array_equal(chosen[:2], [[0, 1, 2, 3], [4, 5, 6, 7]])
    np.testing.assert_allclose(normalised(after)[:2], weight[:2] / 4)
    assert set(chosen[2]) == {8}
    np.testing.assert_array_equal(after[2], 0)


@pytest.mark.parametrize("options", [{"particles": 0}, {"bonus": -1.0}])
def test_options_out_of_range(options):
    with pytest.raises(ValueError, match="particles must be at least 1"):
        ParticleFilter(EitherOr(), synthetic_catalogue(3, np.random.default_rng(0)), **options)
