"""The tilt has its closed forms, keeps its bounds, and moves users towards regret."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from driftrec.meta.generation import RegretModel, TiltConfig, TiltedSource
from driftrec.meta.generation.generator import Generator, Standardiser
from driftrec.meta.generation.tilt import divergence, temperature_for

QUANTILES = np.array([NormalDist().inv_cdf((k + 0.5) / 20_000) for k in range(20_000)])


def normal_generator(size=3):
    """Draws independent normals of mean 5 and standard deviation 2."""
    zeros = np.zeros(size, np.float32)
    units = Standardiser(zeros + 5, np.ones(size, bool), zeros + 5, zeros + 2)
    return Generator(units, np.eye(size, dtype=np.float32), [(np.diag(zeros), zeros)])


class FirstNumber:
    """Regret is the first number of the vector."""

    def predict(self, vectors):
        return vectors[:, 0]


def test_divergence_of_two_users_is_as_by_hand():
    # Shares 1/4 and 3/4 against 1/2 each.
    expected = 0.25 * np.log(0.5) + 0.75 * np.log(1.5)
    assert divergence(np.array([0.0, 2 * np.log(3)]), 2.0) == pytest.approx(expected)
    assert divergence(np.array([7.0, 7.0]), 1.0) == pytest.approx(0)
    assert divergence(np.array([0.0, 1.0]), float("inf")) == 0


@pytest.mark.parametrize("kl", [0.05, 0.5, 1.0])
def test_temperature_of_normal_scores_is_their_sd_over_the_root_of_twice_the_bound(kl):
    # Tilting N(0, s^2) by exp(x / T) gives N(s^2 / T, s^2), at a divergence of s^2 / (2 T^2).
    found = temperature_for(3 * QUANTILES, kl)
    assert found == pytest.approx(3 / np.sqrt(2 * kl), rel=0.01)
    assert divergence(3 * QUANTILES, found) <= kl + 1e-9


def test_nothing_is_tilted_where_regrets_are_equal_or_the_bound_is_zero():
    assert temperature_for(np.ones(9), 0.5) == float("inf")
    assert temperature_for(QUANTILES, 0.0) == float("inf")


def test_proposed_users_lie_where_the_tilted_normal_does_and_only_in_what_regret_hangs_on():
    config = TiltConfig(kl=0.125, candidates=64)
    source = TiltedSource(normal_generator(), FirstNumber(), config, seed=0)
    proposed = source.draw(4000, np.random.default_rng(0))
    # A divergence of 1/8 is half a standard deviation of 2.
    error = 5 * 2 / np.sqrt(4000)
    assert proposed[:, 0].mean() == pytest.approx(5 + 0.5 * 2, abs=error)
    assert proposed[:, 0].std() == pytest.approx(2, rel=0.06)
    assert proposed[:, 1:].mean(0) == pytest.approx([5, 5], abs=error)
    assert source.kl == pytest.approx(0.125, abs=1e-3)


def test_no_user_becomes_more_likely_than_the_number_of_candidates_allows():
    config = TiltConfig(kl=100.0, candidates=4)
    source = TiltedSource(normal_generator(), FirstNumber(), config, seed=0)
    highest = 5 + 2 * NormalDist().inv_cdf(0.95)
    share = (source.draw(20_000, np.random.default_rng(0))[:, 0] > highest).mean()
    # The best of four lies in the upper twentieth with probability 1 - .95^4, below 4 / 20.
    assert share == pytest.approx(1 - 0.95**4, abs=0.01)


def test_a_tilt_of_nothing_draws_as_the_generator():
    for config in (TiltConfig(kl=0.0), TiltConfig(candidates=1)):
        source = TiltedSource(normal_generator(), FirstNumber(), config, seed=0)
        drawn = source.draw(5000, np.random.default_rng(0))
        assert drawn.mean(0) == pytest.approx([5, 5, 5], abs=0.15)
    assert source.draw(0, np.random.default_rng(0)).shape == (0, 3)


def test_the_regret_model_finds_what_regret_hangs_on_under_noise():
    generator, rng = normal_generator(8), np.random.default_rng(0)
    known, new = generator.draw(1500, rng), generator.draw(1500, rng)

    def truth(vectors):
        return 0.01 * vectors[:, 0] - 0.005 * abs(vectors[:, 1] - 5)

    regret = truth(known) + truth(known).std() * rng.standard_normal(1500)
    model = RegretModel(generator.standardiser, known, regret, TiltConfig(), seed=0)
    assert np.corrcoef(model.predict(new), truth(new))[0, 1] > 0.8
    assert model.predict(new).mean() == pytest.approx(truth(new).mean(), abs=0.003)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kl": -1.0}, "kl and shrinkage must not be negative"),
        ({"candidates": 0}, "candidates must be at least 1"),
    ],
)
def test_bad_config_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        TiltConfig(**change)
