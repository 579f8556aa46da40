"""Covariances of clicks and of logits: closed forms and their inverses."""

import numpy as np
import pytest

from driftrec.envs.fitting import LogitNormal

LAWS = [LogitNormal(0.0, 1.0), LogitNormal(-0.7, 2.8), LogitNormal(1.5, 0.3)]


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("law", LAWS)
def test_covariance_of_a_logit_with_itself_is_the_variance_of_the_click_probability(law):
    z = np.linspace(-9, 9, 40001)
    density = np.exp(-z * z / 2)
    density /= density.sum()
    p = sigmoid(law.mean + law.variance**0.5 * z)
    assert law.rate == pytest.approx(density @ p, abs=1e-9)
    assert law.slope == pytest.approx(density @ (p * (1 - p)), abs=1e-9)
    variance = density @ p**2 - (density @ p) ** 2
    assert law.click_covariance(np.array([law.variance]))[0] == pytest.approx(variance, abs=2e-5)


@pytest.mark.parametrize("law", LAWS)
def test_covariance_is_that_of_correlated_gaussians(law):
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((2, 400_000))
    for correlation in (-0.4, 0.3, 0.8):
        other = correlation * first + (1 - correlation**2) ** 0.5 * second
        p, q = (sigmoid(law.mean + law.variance**0.5 * z) for z in (first, other))
        expected = np.cov(p, q)[0, 1]
        got = law.click_covariance(np.array([correlation * law.variance]))[0]
        assert got == pytest.approx(expected, abs=4e-4)


@pytest.mark.parametrize("law", LAWS)
def test_logits_and_clicks_are_inverse(law):
    logits = np.linspace(-0.9, 0.9, 19) * law.variance
    back = law.logit_covariance(law.click_covariance(logits))
    np.testing.assert_allclose(back, logits, atol=2e-3 * law.variance)


def test_the_law_of_a_rate_has_that_rate_and_shifts_add():
    law = LogitNormal.of_rate(0.2, 1.7)
    assert law.rate == pytest.approx(0.2)
    assert LogitNormal.of_rate(0.5, 3.0).mean == pytest.approx(0, abs=1e-9)
    there, back = law.shift_between(0.5, 0.3), law.shift_between(0.3, 0.5)
    assert there == pytest.approx(-back)
    assert LogitNormal(law.mean, 0.0).rate == pytest.approx(sigmoid(law.mean))
