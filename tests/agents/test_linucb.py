"""LinUCB against the textbook's closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from driftrec.agents import LinUCB
from driftrec.envs import synthetic_catalogue

ITEMS, USERS, STEPS = 40, 3, 25
CATALOGUE = synthetic_catalogue(ITEMS, np.random.default_rng(0), dimension=4, topics=3)


def first_observation(slate):
    return {
        "feedback": np.zeros((USERS, slate), np.float32),
        "new_user": np.ones((USERS, 1), np.float32),
    }


def history(policy, slate=1):
    """The state after some requests with random clicks, and what was shown and clicked."""
    rng = np.random.default_rng(1)
    observation, state = first_observation(slate), policy.start(USERS)
    shown, clicks = [], []
    for _ in range(STEPS):
        items, state = policy.act(observation, state)
        feedback = (rng.random((USERS, slate)) < 0.5).astype(np.float32)
        shown.append(items)
        clicks.append(feedback)
        observation = {"feedback": feedback, "new_user": np.zeros((USERS, 1), np.float32)}
    _, state = policy.act(observation, state)
    return state, np.stack(shown), np.stack(clicks)


def bounds(shown, clicks, user, *, alpha, ridge, discount, quality_weight):
    """Upper bounds by weighted ridge regression, one user at a time, in float64."""
    inputs = np.concatenate([CATALOGUE.table, np.ones((ITEMS, 1))], axis=1).astype(float)
    prior = np.zeros(inputs.shape[1])
    prior[-2:] = quality_weight, 0.5
    x = inputs[shown[:, user]]
    news = clicks[:, user] - x @ prior
    weight = discount ** np.arange(STEPS)[::-1]
    identity = np.eye(inputs.shape[1])
    gram = ridge * identity + np.einsum("t,tkd,tke->de", weight, x, x)
    squared = ridge * identity + np.einsum("t,tkd,tke->de", weight**2, x, x)
    inverse = np.linalg.inv(gram)
    weights = prior + inverse @ np.einsum("t,tkd,tk->d", weight, x, news)
    spread = inverse @ squared @ inverse
    return inputs @ weights + alpha * np.sqrt(np.einsum("id,de,ie->i", inputs, spread, inputs))


@pytest.mark.parametrize("slate", [1, 3])
@pytest.mark.parametrize("discount", [1.0, 0.9])
@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_scores_are_those_of_discounted_ridge_regression(alpha, discount, slate):
    options = {"alpha": alpha, "ridge": 2.0, "discount": discount, "quality_weight": 0.1}
    policy = LinUCB(CATALOGUE, slate, **options)
    state, shown, clicks = history(policy, slate)
    expected = [bounds(shown, clicks, user, **options) for user in range(USERS)]
    np.testing.assert_allclose(policy.scores(state), expected, atol=2e-5)


def test_undiscounted_interval_is_that_of_the_ridge_posterior():
    options = {"alpha": 1.0, "ridge": 3.0, "quality_weight": 0.0}
    policy, greedy = (LinUCB(CATALOGUE, **(options | {"alpha": a})) for a in (1.0, 0.0))
    state, shown, _ = history(policy)
    inputs = np.concatenate([CATALOGUE.table, np.ones((ITEMS, 1))], axis=1).astype(float)
    x = inputs[shown[:, 0, 0]]
    inverse = np.linalg.inv(3 * np.eye(inputs.shape[1]) + x.T @ x)
    width = np.sqrt(np.einsum("id,de,ie->i", inputs, inverse, inputs))
    np.testing.assert_allclose((policy.scores(state) - greedy.scores(state))[0], width, atol=2e-5)


def test_without_interval_it_starts_as_most_popular():
    policy = LinUCB(CATALOGUE, slate=4, alpha=0)
    items, _ = policy.act(first_observation(4), policy.start(USERS))
    np.testing.assert_array_equal(items[0], np.argsort(-CATALOGUE.quality)[:4])


@pytest.mark.parametrize(
    "options", [{"alpha": -1}, {"ridge": 0}, {"discount": 0}, {"discount": 1.1}]
)
def test_options_out_of_range(options):
    with pytest.raises(ValueError, match="alpha must not be negative"):
        LinUCB(CATALOGUE, **options)
