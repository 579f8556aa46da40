"""The Bayesian filter against exact posteriors, the simulator, and a published table."""

from __future__ import annotations

import numpy as np
import pytest

from driftrec.agents import BayesFilter, FilterModel
from driftrec.agents.belief import Belief, absorb, predict, sample
from driftrec.agents.quadratic import QuadraticForms
from driftrec.envs import DriftingUser, Slate, Stream, synthetic_catalogue
from driftrec.envs.arrays import sigmoid

RNG = np.random.default_rng(0)
ROOT = RNG.standard_normal((4, 3, 3)) / 2
BELIEF = Belief(
    RNG.standard_normal((4, 3)).astype(np.float32),
    (ROOT @ ROOT.mT + 0.2 * np.eye(3)).astype(np.float32),
)


def one_click(mean, covariance, loading, offset, clicked):
    """`absorb` for one user."""
    belief = Belief(np.float32([mean]), np.float32([covariance]))
    after, chance = absorb(
        belief, np.float32([loading]), np.float32([offset]), np.float32([clicked]), np.ones(1)
    )
    return after.mean[0], after.covariance[0], float(chance[0])


@pytest.mark.parametrize("clicked", [0, 1])
@pytest.mark.parametrize(
    ("mean", "variance", "offset", "error"), [(0.3, 0.5, -1.0, 2e-5), (-2.0, 4.0, 0.5, 5e-4)]
)
def test_one_dimension_matches_brute_force(mean, variance, offset, error, clicked):
    z = np.linspace(mean - 20, mean + 20, 200_001)
    likelihood = sigmoid((2 * clicked - 1) * (1.5 * z + offset))
    joint = likelihood * np.exp(-((z - mean) ** 2) / (2 * variance))
    prior = np.exp(-((z - mean) ** 2) / (2 * variance))
    m, c, chance = one_click([mean], [[variance]], [1.5], offset, clicked)
    exact = (joint * z).sum() / joint.sum()
    assert m[0] == pytest.approx(exact, abs=error)
    assert c[0, 0] == pytest.approx((joint * (z - exact) ** 2).sum() / joint.sum(), abs=4 * error)
    assert chance == pytest.approx(np.log(joint.sum() / prior.sum()), abs=error)


@pytest.mark.parametrize("clicked", [0, 1])
def test_two_dimensions_match_a_grid(clicked):
    mean, covariance = np.array([0.5, -0.3]), np.array([[1.0, 0.4], [0.4, 0.6]])
    loading, offset = np.array([1.2, -0.8]), 0.4
    axis = np.linspace(-7, 7, 561)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    gap = grid - mean
    weight = np.exp(-0.5 * np.einsum("ni,ij,nj->n", gap, np.linalg.inv(covariance), gap))
    weight *= sigmoid((2 * clicked - 1) * (grid @ loading + offset))
    weight /= weight.sum()
    m, c, _ = one_click(mean, covariance, loading, offset, clicked)
    exact = weight @ grid
    np.testing.assert_allclose(m, exact, atol=2e-5)
    np.testing.assert_allclose(c, (grid - exact).T @ ((grid - exact) * weight[:, None]), atol=2e-5)


def test_a_row_without_weight_stays_as_it_is():
    one = np.ones(4, np.float32)
    weight = np.float32([1, 0, 1, 0])
    after, chance = absorb(BELIEF, one[:, None] * np.float32([1, 2, 3]), one, one, weight)
    idle = weight == 0
    np.testing.assert_array_equal(after.mean[idle], BELIEF.mean[idle])
    np.testing.assert_array_equal(after.covariance[idle], BELIEF.covariance[idle])
    assert (chance[idle] == 0).all()
    assert (after.mean[~idle] != BELIEF.mean[~idle]).all()


def test_two_half_gaps_are_one_gap():
    prior = Belief(np.float32([[0.5, 0, 1]]), np.diag(np.float32([1, 2, 3]))[None])
    rates = np.float32([0, 0.5, 2])
    kept = [np.tile(np.exp(-rates * gap), (4, 1)) for gap in (0.35, 0.7)]
    halves = predict(predict(BELIEF, prior, kept[0]), prior, kept[0])
    whole = predict(BELIEF, prior, kept[1])
    np.testing.assert_allclose(halves.mean, whole.mean, atol=1e-6)
    np.testing.assert_allclose(halves.covariance, whole.covariance, atol=1e-6)


def test_after_a_long_gap_only_the_stationary_law_is_left():
    prior = Belief(np.float32([[0.5, 0, 1]]), np.diag(np.float32([1, 2, 3]))[None])
    after = predict(BELIEF, prior, np.zeros((4, 3), np.float32))
    np.testing.assert_allclose(after.mean, np.tile(prior.mean, (4, 1)), atol=1e-6)
    np.testing.assert_allclose(after.covariance, np.tile(prior.covariance, (4, 1, 1)), atol=1e-6)


def test_predict_is_the_law_of_simulated_processes():
    rng = np.random.default_rng(1)
    rates, sd, draws = np.array([0.0, 1.0]), np.array([1.0, 2.0]), 400_000
    kept = np.exp(-0.3 * rates)
    root = np.linalg.cholesky([[0.5, 0.3], [0.3, 0.4]])
    start = np.array([0.2, -1.0]) + rng.standard_normal((draws, 2)) @ root.T
    end = kept * start + sd * np.sqrt(1 - kept**2) * rng.standard_normal((draws, 2))
    prior = Belief(np.zeros((1, 2)), np.diag(sd**2)[None])
    after = predict(Belief(np.array([[0.2, -1.0]]), (root @ root.T)[None]), prior, kept[None])
    np.testing.assert_allclose(after.mean[0], end.mean(0), atol=0.01)
    np.testing.assert_allclose(after.covariance[0], np.cov(end.T), atol=0.02)


def test_samples_have_the_moments_of_the_belief():
    draws = 200_000
    row = Belief(
        np.tile(BELIEF.mean[:1], (draws, 1)), np.tile(BELIEF.covariance[:1], (draws, 1, 1))
    )
    drawn = sample(row, np.random.default_rng(2).standard_normal((draws, 3), dtype=np.float32))
    np.testing.assert_allclose(drawn.mean(0), BELIEF.mean[0], atol=0.01)
    np.testing.assert_allclose(np.cov(drawn.T), BELIEF.covariance[0], atol=0.02)


def test_quadratic_forms():
    vectors = RNG.standard_normal((7, 3)).astype(np.float32)
    expected = np.einsum("id,ude,ie->ui", vectors, BELIEF.covariance, vectors)
    np.testing.assert_allclose(QuadraticForms(vectors)(BELIEF.covariance), expected, rtol=1e-4)


MODEL = DriftingUser(topics=5, influence=0.1, satiation=0.3, spread=0.0)
CATALOGUE = synthetic_catalogue(30, np.random.default_rng(3), topics=5)


def hidden(state):
    """What the filter believes about, of the simulator's state: [level, mood, core, whims]."""
    level = (state.traits.level - np.float32(MODEL.intercept))[:, None]
    return np.concatenate([level, state.mood[:, None], state.core, state.whim], axis=1)


def test_prior_is_the_law_of_new_users():
    view = FilterModel.from_user_model(MODEL, CATALOGUE)
    users = hidden(MODEL.sample(200_000, np.random.default_rng(4)))
    np.testing.assert_allclose(users.mean(0), view.prior_mean, atol=0.01)
    np.testing.assert_allclose(np.cov(users.T), view.prior_covariance, atol=0.015)


def test_logits_are_those_of_the_simulator():
    view = FilterModel.from_user_model(MODEL, CATALOGUE)
    state = MODEL.sample(50, np.random.default_rng(5))
    items = np.random.default_rng(6).integers(30, size=(50, 1))
    slate = CATALOGUE.show(items, np.zeros((50, 1)))
    state = MODEL.react(state, slate, np.zeros((50, 1), np.float32))
    logits = hidden(state) @ view.loadings.T + view.offsets
    logits -= view.satiation * CATALOGUE.topics[items[:, 0]] @ view.topics.T
    expected = MODEL.click_probability(state, CATALOGUE)
    np.testing.assert_allclose(sigmoid(logits), expected, atol=2e-6)


def test_rates_are_those_of_the_simulator():
    view = FilterModel.from_user_model(MODEL, CATALOGUE)
    before = MODEL.sample(100_000, np.random.default_rng(7))
    days = np.full(100_000, 0.004, np.float32)
    after = MODEL.drift(before, days, Stream(np.random.SeedSequence(8)))
    start, end = hidden(before) - view.prior_mean, hidden(after) - view.prior_mean
    retained = (start * end).mean(0) / (start * start).mean(0)
    np.testing.assert_allclose(retained, np.exp(-view.rates * 0.004), atol=0.015)


def test_influence_is_that_of_the_simulator():
    view = FilterModel.from_user_model(MODEL, CATALOGUE)
    before = MODEL.sample(50, np.random.default_rng(9))
    items = np.random.default_rng(10).integers(30, size=(50, 1))
    slate: Slate = CATALOGUE.show(items, np.zeros((50, 1)))
    after = MODEL.react(before, slate, np.ones((50, 1), np.float32))
    z = hidden(before)
    moved = z + view.influence * (view.pull[items[:, 0]] - view.pulled * z)
    np.testing.assert_allclose(hidden(after), moved, atol=1e-5)


def test_multinomial_choice_is_refused():
    model = DriftingUser(choice="multinomial")
    with pytest.raises(ValueError, match="got choice='multinomial': use a ParticleFilter"):
        FilterModel.from_user_model(model, synthetic_catalogue(5, np.random.default_rng(0)))


@pytest.mark.parametrize("options", [{"acting": "best"}, {"bonus": -1.0}])
def test_options_out_of_range(options):
    with pytest.raises(ValueError, match=r"acting must be one of|bonus must not be negative"):
        BayesFilter(FilterModel.from_user_model(MODEL, CATALOGUE), **options)


def test_shapes_that_disagree_are_named():
    with pytest.raises(ValueError, match=r"rates must have shape \(2,\).*got \(3,\)"):
        FilterModel(np.ones((4, 2)), np.zeros(4), np.zeros(2), np.eye(2), np.zeros(3))
