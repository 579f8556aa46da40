"""Beliefs of linear bandits against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from driftrec.agents import LinUCB
from driftrec.agents.bandits import GaussianBandit, LinearModel, WindowLinUCB
from driftrec.agents.bandits.exploring import mixed_slates
from driftrec.agents.inputs import item_inputs, popular_weights
from driftrec.envs import synthetic_catalogue

ITEMS, USERS, STEPS, NOISE = 40, 3, 25, 0.25
CATALOGUE = synthetic_catalogue(ITEMS, np.random.default_rng(0), dimension=4, topics=3)
INPUTS = item_inputs(CATALOGUE)
D = INPUTS.shape[1]
PRIOR = popular_weights(INPUTS, 0.1)


def observe(feedback, seconds, new=0.0):
    users = len(feedback)
    return {
        "feedback": feedback,
        "new_user": np.full((users, 1), new, np.float32),
        "log_elapsed": np.log1p(np.broadcast_to(seconds, users)).astype(np.float32)[:, None],
    }


def history(policy, slate=1, steps=STEPS, seconds=None):
    """The state after some requests with random clicks, and what was shown and clicked."""
    rng = np.random.default_rng(1)
    seconds = np.zeros((steps, USERS)) if seconds is None else seconds
    observation = observe(np.zeros((USERS, slate), np.float32), 0, new=1.0)
    state, shown, clicks = policy.start(USERS), [], []
    for step in range(steps):
        items, state = policy.act(observation, state)
        feedback = (rng.random((USERS, slate)) < 0.5).astype(np.float32)
        shown.append(items)
        clicks.append(feedback)
        observation = observe(feedback, seconds[step])
    items, state = policy.act(observation, state)
    return items, state, np.stack(shown), np.stack(clicks)


def model(rates=None, covariance=None):
    covariance = 0.1 * np.eye(D) if covariance is None else covariance
    return LinearModel(INPUTS, PRIOR, covariance, NOISE, rates)


def posterior(x, y, mean, covariance):
    """Of weights after y = x w + noise, in float64."""
    precision = np.linalg.inv(covariance)
    after = np.linalg.inv(precision + x.T @ x / NOISE)
    return after @ (precision @ mean + x.T @ y / NOISE), after


@pytest.mark.parametrize("slate", [1, 3])
def test_belief_is_the_posterior_in_closed_form(slate):
    root = np.random.default_rng(3).standard_normal((D, D)) / 5
    covariance = root @ root.T + 0.01 * np.eye(D)
    policy = GaussianBandit(model(covariance=covariance), slate)
    _, state, shown, clicks = history(policy, slate)
    for user in range(USERS):
        x = INPUTS[shown[:, user]].reshape(-1, D).astype(float)
        mean, after = posterior(x, clicks[:, user].ravel(), PRIOR.astype(float), covariance)
        np.testing.assert_allclose(state.belief.mean[user], mean, atol=2e-5)
        np.testing.assert_allclose(state.belief.covariance[user], after, atol=2e-5)


def test_prediction_is_the_expected_click_within_its_bounds():
    policy = GaussianBandit(model(covariance=9 * np.eye(D)))
    _, state, shown, clicks = history(policy)
    x = INPUTS[shown[:, 0, 0]].astype(float)
    mean, _ = posterior(x, clicks[:, 0, 0], PRIOR.astype(float), 9 * np.eye(D))
    every = np.tile(np.arange(ITEMS), (USERS, 1))
    chance = policy.predict(state, every)[0]
    np.testing.assert_allclose(chance, np.clip(INPUTS @ mean, 0, 1), atol=2e-3)
    assert (chance == 0).any()
    assert (chance == 1).any()


def test_draws_of_lin_ts_have_the_posterior_law():
    """v^2 B^-1 of Agrawal and Goyal, seen by 20,000 users with one history."""
    width = 0.5
    one = GaussianBandit(model(), acting="thompson", width=width)
    _, state, shown, clicks = history(one)
    belief = type(state.belief)(
        np.repeat(state.belief.mean[:1], 20_000, axis=0),
        np.repeat(state.belief.covariance[:1], 20_000, axis=0),
    )
    scores = one.scores(belief)
    x = INPUTS[shown[:, 0, 0]].astype(float)
    gram = NOISE / 0.1 * np.eye(D) + x.T @ x
    spread = INPUTS @ (width**2 * NOISE * np.linalg.inv(gram)) @ INPUTS.T
    mean, _ = posterior(x, clicks[:, 0, 0], PRIOR.astype(float), 0.1 * np.eye(D))
    np.testing.assert_allclose(scores.mean(0), INPUTS @ mean, atol=0.01)
    np.testing.assert_allclose(np.cov(scores.T), spread, atol=0.04 * spread.max())
    assert abs(np.corrcoef(scores[0::2, 0], scores[1::2, 0])[0, 1]) < 0.04


def test_upper_bounds_are_those_of_linucb():
    """With clicks of unit noise and the same prior, `LinUCB` by another route."""
    unit = LinearModel(INPUTS, PRIOR, np.eye(D) / 20, 1.0)
    ours = GaussianBandit(unit, acting="ucb", width=0.7)
    theirs = LinUCB(CATALOGUE, alpha=0.7, ridge=20, quality_weight=0.1)
    _, state, shown, _ = history(ours)
    _, other, their_shown, _ = history(theirs)
    np.testing.assert_array_equal(shown, their_shown)
    np.testing.assert_allclose(ours.scores(state.belief), theirs.scores(other), atol=1e-4)


def test_kalman_filter_is_the_gaussian_process_of_its_weights():
    """Weights w0 + OU(t): the posterior now by conditioning on all clicks at once."""
    rates = np.linspace(0.5, 30, D)
    seconds = np.random.default_rng(5).exponential(3600, (STEPS, USERS))
    policy = GaussianBandit(model(rates=rates))
    _, state, shown, clicks = history(policy, seconds=seconds)
    for user in range(USERS):
        x = INPUTS[shown[:, user, 0]].astype(float)
        times = np.concatenate([[0], np.cumsum(seconds[:, user])]) / 86400
        lag = np.abs(times[:, None] - times)[:, :, None]
        kernel = 0.1 * np.exp(-rates * lag)
        among = np.einsum("sd,std,td->st", x, kernel[:-1, :-1], x) + NOISE * np.eye(STEPS)
        across = kernel[-1, :-1].T * x.T
        gain = across @ np.linalg.inv(among)
        mean = PRIOR + gain @ (clicks[:, user, 0] - x @ PRIOR)
        np.testing.assert_allclose(state.belief.mean[user], mean, atol=2e-5)
        np.testing.assert_allclose(
            state.belief.covariance[user], 0.1 * np.eye(D) - gain @ across.T, atol=2e-5
        )


@pytest.mark.parametrize("slate", [1, 3])
def test_window_is_ridge_regression_on_the_last_slates(slate):
    window, ridge, alpha = 6, 2.0, 0.5
    policy = WindowLinUCB(
        CATALOGUE, slate, window=window, ridge=ridge, alpha=alpha, quality_weight=0.1
    )
    _, state, shown, clicks = history(policy, slate, steps=12)
    for user in range(USERS):
        x = INPUTS[shown[-window:, user]].reshape(-1, D).astype(float)
        inverse = np.linalg.inv(ridge * np.eye(D) + x.T @ x)
        news = clicks[-window:, user].ravel() - x @ PRIOR
        bounds = INPUTS @ (PRIOR + inverse @ x.T @ news)
        bounds = bounds + alpha * np.sqrt(np.einsum("id,de,ie->i", INPUTS, inverse, INPUTS))
        np.testing.assert_allclose(policy.scores(state)[user], bounds, atol=5e-5)


def test_a_window_longer_than_the_trial_is_linucb():
    _, _, shown, _ = history(WindowLinUCB(CATALOGUE, window=STEPS))
    np.testing.assert_array_equal(shown, history(LinUCB(CATALOGUE))[2])


def test_a_wide_prior_of_weights_with_no_interval_starts_as_most_popular():
    policy = GaussianBandit(model(), slate=4)
    items, _ = policy.act(observe(np.zeros((USERS, 4), np.float32), 0, 1.0), policy.start(USERS))
    np.testing.assert_array_equal(items[0], np.argsort(-CATALOGUE.quality)[:4])


@pytest.mark.parametrize("epsilon", [0.0, 0.2, 1.0])
def test_a_share_of_epsilon_of_the_slots_is_random(epsilon):
    users, slate = 4000, 2
    policy = GaussianBandit(model(), slate, epsilon=epsilon)
    observation = observe(np.zeros((users, slate), np.float32), 0, 1.0)
    items, _ = policy.act(observation, policy.start(users))
    best = np.argsort(-CATALOGUE.quality)[:slate]
    away = (~np.isin(items, best)).mean()
    # A random item is among the best two by chance.
    assert away == pytest.approx(epsilon * (1 - slate / ITEMS), abs=0.015)


@pytest.mark.parametrize("seen", [0, 3, 5, 6])
def test_mixed_slates_are_the_random_items_and_the_best_others_unseen_ones_first(seen):
    rng = np.random.default_rng(seen)
    users, items, slate = 500, 6, 3
    scores, random = rng.random((2, users, items)).argsort(-1).astype(np.float32)
    shown = np.zeros((users, items), np.uint8)
    shown[:, :seen] = 1
    explored = rng.random((users, slate)) < 0.5
    slates = mixed_slates(scores, shown, random, explored)
    assert all(len(set(row)) == slate for row in slates)
    fresh = (slates >= seen).sum(1)
    np.testing.assert_array_equal(fresh, min(slate, items - seen))
    by_chance, by_score = (np.argsort(shown * 10.0 - keys, axis=1) for keys in (random, scores))
    np.testing.assert_array_equal(slates[explored], by_chance[:, :slate][explored])
    for row, mask, order in zip(slates, explored, by_score, strict=True):
        left = order[~np.isin(order, row[mask])]
        np.testing.assert_array_equal(row[~mask], left[: (~mask).sum()])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"acting": "ucp"}, "acting must be one of greedy, ucb, thompson"),
        ({"width": -1.0}, "width must not be negative"),
        ({"epsilon": 1.1}, r"epsilon in \[0, 1\]"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        GaussianBandit(model(), **options)


def test_models_whose_parts_do_not_fit():
    with pytest.raises(ValueError, match=r"mean must have shape \(9,\)"):
        LinearModel(INPUTS, np.zeros(4), np.eye(D))
    with pytest.raises(ValueError, match="noise must be positive"):
        LinearModel(INPUTS, PRIOR, np.eye(D), noise=0)
    with pytest.raises(ValueError, match="window must be at least 1"):
        WindowLinUCB(CATALOGUE, window=0)
