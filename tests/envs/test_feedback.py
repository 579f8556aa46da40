import itertools
import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftrec.envs import GaussianFeedback, IndependentClicks, MultinomialClick, Stream
from driftrec.envs.arrays import sigmoid
from driftrec.envs.feedback import LogisticClicks, LogNormalFeedback, WorthOfClicks

LOGITS = st.lists(st.floats(-12, 12, width=32), min_size=1, max_size=5)


def stream(seed: int = 0) -> Stream:
    return Stream(np.random.SeedSequence(seed))


def laws(logits: np.ndarray) -> dict:
    return {
        "independent": IndependentClicks(sigmoid(logits)),
        "logistic": LogisticClicks(logits),
        "multinomial": MultinomialClick(logits),
    }


@given(LOGITS, st.sampled_from(["independent", "logistic", "multinomial"]))
def test_the_likelihood_sums_to_one_and_gives_back_the_mean(logits, kind):
    size = len(logits)
    outcomes = np.array(list(itertools.product((0, 1), repeat=size)), np.float32)
    law = laws(np.tile(np.float32(logits), (len(outcomes), 1)))[kind]
    chance = np.exp(law.log_likelihood(outcomes).astype(np.float64))
    assert chance.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(chance @ outcomes, law.mean[0], atol=1e-5)


@pytest.mark.parametrize("kind", ["independent", "logistic", "multinomial"])
def test_clicks_come_as_often_as_they_should(kind):
    logits = np.array([-2.0, 0.3, 1.0], np.float32)
    users = 200_000
    law = laws(np.tile(logits, (users, 1)))[kind]
    clicks = law.draw(stream())
    weights = np.exp(logits.astype(np.float64))
    expected = {
        "independent": weights / (1 + weights),
        "logistic": weights / (1 + weights),
        "multinomial": weights / (1 + weights.sum()),
    }[kind]
    assert set(np.unique(clicks)) == {0.0, 1.0}
    assert clicks.dtype == np.float32
    np.testing.assert_allclose(clicks.mean(0), expected, atol=4.5 * 0.5 / math.sqrt(users))
    np.testing.assert_allclose(law.mean[0], expected, rtol=1e-5)


def test_independent_clicks_are_uncorrelated_and_multinomial_ones_exclude_each_other():
    logits = np.tile(np.array([0.5, 0.5], np.float32), (100_000, 1))
    independent = IndependentClicks(sigmoid(logits)).draw(stream())
    assert abs(np.corrcoef(independent.T)[0, 1]) < 5 / math.sqrt(len(logits))
    assert MultinomialClick(logits).draw(stream()).sum(1).max() == 1


def test_clicks_by_logits_are_those_by_their_probabilities():
    """But for draws within rounding of the probability, of which there are one in millions."""
    logits = np.random.default_rng(0).normal(scale=3, size=(50_000, 2)).astype(np.float32)
    by_logit, by_probability = LogisticClicks(logits), IndependentClicks(sigmoid(logits))
    clicks = by_logit.draw(stream())
    np.testing.assert_array_equal(clicks, by_probability.draw(stream()))
    np.testing.assert_array_equal(
        by_logit.log_likelihood(clicks), by_probability.log_likelihood(clicks)
    )


def test_two_clicks_are_impossible_under_the_multinomial():
    law = MultinomialClick(np.zeros((1, 3), np.float32))
    assert law.log_likelihood(np.array([[1, 1, 0]], np.float32))[0] == -math.inf
    assert law.log_likelihood(np.zeros((1, 3), np.float32))[0] == pytest.approx(math.log(0.25))


def test_what_is_certain_has_likelihood_one_and_what_is_impossible_none():
    law = IndependentClicks(np.array([[0.0], [1.0]], np.float32))
    assert law.draw(stream()).ravel().tolist() == [0, 1]
    assert law.log_likelihood(np.array([[0.0], [1.0]])).tolist() == [0, 0]
    assert law.log_likelihood(np.array([[1.0], [0.0]])).tolist() == [-math.inf, -math.inf]


def test_logits_may_be_infinite():
    law = LogisticClicks(np.array([[-math.inf, math.inf, -300, 300]], np.float32))
    np.testing.assert_array_equal(law.mean, [[0, 1, 0, 1]])
    for seed in range(20):
        assert law.draw(stream(seed)).tolist() == [[0, 1, 0, 1]]


def test_multinomial_logits_may_be_huge():
    law = MultinomialClick(np.array([[300.0, -300.0], [-300.0, -300.0]], np.float32))
    np.testing.assert_allclose(law.mean, [[1, 0], [0, 0]])
    assert law.draw(stream()).tolist() == [[1, 0], [0, 0]]


@given(st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=4), st.floats(0.05, 20))
def test_the_gaussian_likelihood_is_the_log_density_of_normal_slots(means, sd):
    mean = np.float32([means, means])
    feedback = mean + np.float32([[0.0], [1.5]])
    log_density = [
        sum(math.log(NormalDist(float(m), sd).pdf(float(x))) for m, x in zip(*row, strict=True))
        for row in zip(mean, feedback, strict=True)
        if abs(row[1] - row[0]).max() / sd < 20
    ]
    found = GaussianFeedback(mean, sd).log_likelihood(feedback)
    np.testing.assert_allclose(found[: len(log_density)], log_density, rtol=1e-3, atol=1e-3)


def test_gaussian_feedback_has_the_mean_and_the_deviation_that_it_claims():
    means = np.array([-2.0, 0.0, 30.0], np.float32)
    users = 200_000
    law = GaussianFeedback(np.tile(means, (users, 1)), 0.3)
    drawn = law.draw(stream())
    assert drawn.dtype == np.float32
    assert drawn.shape == (users, 3)
    np.testing.assert_array_equal(law.mean[0], means)
    np.testing.assert_allclose(drawn.mean(0), means, atol=4.5 * 0.3 / math.sqrt(users))
    np.testing.assert_allclose(drawn.std(0), 0.3, rtol=4.5 / math.sqrt(2 * users))
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 5 / math.sqrt(users)


def test_clicks_bring_what_they_are_worth():
    logits = np.tile(np.float32([-1.0, 0.5]), (50_000, 1))
    clicks = MultinomialClick(logits)
    law = WorthOfClicks(clicks, np.float32([2.5, 0.2]))
    drawn = law.draw(stream())
    np.testing.assert_array_equal(drawn, clicks.draw(stream()) * np.float32([2.5, 0.2]))
    np.testing.assert_allclose(drawn.mean(0), law.mean[0], atol=4.5 * 1.25 / math.sqrt(50_000))
    np.testing.assert_array_equal(
        law.log_likelihood(drawn), clicks.log_likelihood(np.float32(drawn > 0))
    )


def test_log_normal_feedback_has_the_moments_and_the_density_of_its_law():
    law = LogNormalFeedback(np.tile(np.float32([[0.5, -1.0]]), (50_000, 1)), 0.7)
    drawn = law.draw(Stream(np.random.SeedSequence(0)))
    assert np.log(drawn).mean(0) == pytest.approx([0.5, -1.0], abs=0.02)
    assert np.log(drawn).std(0) == pytest.approx([0.7, 0.7], abs=0.02)
    assert law.mean[0] == pytest.approx(np.exp([0.5 + 0.245, -1 + 0.245]), rel=1e-5)
    assert drawn.mean(0) == pytest.approx(law.mean[0], rel=0.03)
    one = LogNormalFeedback(np.float32([[0.5]]), 0.7)
    grid = np.linspace(0.001, 40, 200_000)
    density = np.exp([one.log_likelihood(np.float32([[value]]))[0] for value in grid[::200]])
    assert np.trapezoid(density, grid[::200]) == pytest.approx(1, abs=0.02)
    assert one.log_likelihood(np.float32([[0.0]]))[0] == -np.inf
