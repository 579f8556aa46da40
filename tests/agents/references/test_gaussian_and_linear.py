"""Policies for Gaussian and linear bandits lose what is published of them."""

from typing import Any

import numpy as np
import pytest

from driftrec.agents import renew
from driftrec.agents.pseudo_reward import standard_error, worth
from driftrec.agents.references import (
    EmpiricalMean,
    GaussianThompson,
    GaussianUCB,
    LinearThompson,
    LinearUCB,
    reference_policies,
)
from driftrec.agents.references.arms import ArmCounts
from driftrec.envs import (
    Population,
    RecommendationVectorEnv,
    gaussian_population,
    linear_population,
)

GAUSSIAN, LINEAR = gaussian_population(), linear_population()


def regret(population: Population, name: str, users: int) -> np.ndarray:
    lost = worth(reference_policies(population.model)[name], population, users, 0)
    return lost.cumulative_regret[:, -1]


@pytest.mark.parametrize(
    ("population", "name", "published", "users", "slack"),
    [
        # Lee et al. 2023, of a few hundred trials each: their own errors are the slack.
        (GAUSSIAN, "thompson", 9.54, 2000, 0.4),
        (GAUSSIAN, "ucb", 10.54, 2000, 0.3),
        (GAUSSIAN, "empirical-mean", 17.9, 4000, 1.5),
        (LINEAR, "linucb", 3.97, 4000, 0.3),
        (LINEAR, "thompson", 4.00, 4000, 0.2),
    ],
)
def test_published_regrets(
    population: Population, name: str, published: float, users: int, slack: float
) -> None:
    lost = regret(population, name, users)
    error = standard_error(lost)
    assert error < 0.6
    assert abs(lost.mean() - published) < 2 * error + slack


def test_thompson_draws_from_the_posterior_by_bayes_rule_on_a_grid() -> None:
    pulls, paid = np.array([[0, 3, 20]]), np.array([[0.0, 2.4, 5.0]])
    policy = GaussianThompson(3, 500, sd=0.4, prior_mean=0.5, prior_variance=0.1)
    state = ArmCounts(pulls, paid, np.zeros(1, np.int64))
    drawn = np.concatenate([policy.scores(state) for _ in range(40_000)])
    grid = np.linspace(-2, 3, 20_001)[:, None]
    log = -((grid - 0.5) ** 2) / 0.2 - (pulls * grid**2 - 2 * grid * paid) / (2 * 0.4**2)
    weight = np.exp(log - log.max(0))
    weight /= weight.sum(0)
    mean = (weight * grid).sum(0)
    sd = np.sqrt((weight * (grid - mean) ** 2).sum(0))
    np.testing.assert_allclose(drawn.mean(0), mean, atol=4 * sd.max() / 200)
    np.testing.assert_allclose(drawn.std(0), sd, rtol=0.02)


def test_every_arm_is_pulled_once_before_one_is_pulled_twice() -> None:
    for policy in (EmpiricalMean(4, 9), GaussianUCB(4, 9)):
        state = policy.start(3)
        chosen = []
        for _ in range(4):
            arms = policy.choose(state)
            chosen.append(arms)
            state.pulls[np.arange(3), arms] += 1
            state.total[np.arange(3), arms] += 5 - np.arange(4)[arms]
        assert np.sort(chosen, axis=0).T.tolist() == [[0, 1, 2, 3]] * 3
        assert (policy.choose(state) == 0).all()


def test_the_bonus_shrinks_with_the_root_of_the_pulls() -> None:
    state = ArmCounts(np.array([[1, 4, 16]]), np.array([[2.0, 8.0, 32.0]]), np.zeros(1, int))
    np.testing.assert_allclose(GaussianUCB(3, 50, 0.5).scores(state), [[2.5, 2.25, 2.125]])


def played(policy: Any, requests: int) -> tuple[Any, np.ndarray, np.ndarray]:
    """The policy's last state, and features and feedback of all requests before it."""
    env = RecommendationVectorEnv(LINEAR, 6, autoreset_mode="Disabled")
    observation, _ = env.reset(seed=0)
    state, features, paid = policy.start(6), [], []
    for _ in range(requests):
        arms, state = policy.act(observation, state)
        observation, reward, *_ = env.step(arms)
        features.append(LINEAR.catalogue.features[arms[:, 0]])
        paid.append(reward)
    _, state = policy.act(observation, state)
    return state, np.stack(features, axis=1), np.stack(paid, axis=1)


@pytest.mark.parametrize("kind", [LinearUCB, LinearThompson])
def test_the_sums_are_those_of_ridge_regression(kind: Any) -> None:
    policy = kind(LINEAR.catalogue, ridge=0.7)
    state, features, paid = played(policy, 30)
    for user in range(6):
        gram = 0.7 * np.eye(2) + features[user].T @ features[user]
        np.testing.assert_allclose(state.gram[user], gram, rtol=1e-5)
        np.testing.assert_allclose(state.response[user], features[user].T @ paid[user], atol=1e-4)


def test_linear_thompson_draws_weights_from_their_posterior() -> None:
    policy = LinearThompson(LINEAR.catalogue, sd=0.3)
    assert policy.start(1).gram[0].tolist() == [[0.18, 0], [0, 0.18]]
    inverse = np.linalg.inv(np.array([[3.0, 1.0], [1.0, 2.0]]))
    mean = np.array([0.4, -0.2])
    many = (np.tile(mean, (50_000, 1)), np.tile(inverse, (50_000, 1, 1)))
    scores = policy.scores(*many)
    features = np.asarray(LINEAR.catalogue.features, float)
    np.testing.assert_allclose(scores.mean(0), features @ mean, atol=0.01)
    expected = 0.3**2 * features @ inverse @ features.T
    np.testing.assert_allclose(np.cov(scores.T), expected, atol=0.003)


def test_linucb_adds_the_width_of_the_ellipsoid() -> None:
    policy = LinearUCB(LINEAR.catalogue, bonus=2.0)
    inverse, mean = np.array([[[0.5, 0.1], [0.1, 0.3]]]), np.array([[0.4, -0.2]])
    features = np.asarray(LINEAR.catalogue.features, float)
    width = [np.sqrt(x @ inverse[0] @ x) for x in features]
    expected = features @ mean[0] + 2.0 * np.array(width)
    np.testing.assert_allclose(policy.scores(mean, inverse)[0], expected, rtol=1e-6)


def test_a_new_user_of_a_row_starts_from_the_prior() -> None:
    population = linear_population(pulls=5)
    env = RecommendationVectorEnv(population, 4)
    policy = LinearUCB(population.catalogue)
    observation, _ = env.reset(seed=0)
    state = policy.start(4)
    for request in range(12):
        state = renew(state, policy.start(4), observation["new_user"])
        arms, state = policy.act(observation, state)
        assert (state.gram == policy.start(4).gram).all() == (request % 5 == 0)
        observation, *_ = env.step(arms)


def test_a_ridge_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="ridge must be positive, got 0"):
        LinearUCB(LINEAR.catalogue, ridge=0.0)
