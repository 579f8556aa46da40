"""Measures of likeness against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from driftrec.meta.generation.fidelity import (
    copying,
    coverage,
    fidelity,
    ks_statistic,
    neighbour_accuracy,
    squared_distances,
)


def normal(seed, users=500, size=3, mean=0.0):
    return mean + np.random.default_rng(seed).standard_normal((users, size))


def test_kolmogorov_smirnov_is_scipys_and_has_its_closed_form():
    first, second = normal(0)[:, 0], normal(1, 300)[:, 0].round(1)
    assert ks_statistic(first, second) == pytest.approx(ks_2samp(first, second).statistic)
    # Uniform on [0, 1] against [.3, 1.3]: .3 apart.
    grid = np.linspace(0, 1, 10_001)
    assert ks_statistic(grid, grid + 0.3) == pytest.approx(0.3, abs=1e-3)


def test_distances_are_squared_differences():
    first, second = normal(0, 4), normal(1, 5)
    expected = np.square(first[:, None] - second[None]).sum(-1)
    assert np.allclose(squared_distances(first, second), expected)


def test_neighbours_tell_nothing_of_one_law_and_all_of_two_that_are_apart():
    error = 0.5 / np.sqrt(2000)
    assert neighbour_accuracy(normal(0, 1000), normal(1, 1000)) == pytest.approx(0.5, abs=5 * error)
    assert neighbour_accuracy(normal(0), normal(1, mean=50.0)) == 1


def test_coverage_falls_with_the_part_that_is_left_out():
    # With as many generated as real ones of the same law it is 1 - (n-1)...(n-k)/((2n-1)...(2n-k)),
    # which tends to 1 - 2^-5.
    assert coverage(normal(0, 2000), normal(1, 2000)) == pytest.approx(1 - 2**-5, abs=0.02)
    halves = np.concatenate([normal(0), normal(1, mean=50.0)])
    assert coverage(halves, normal(2, 1000)) == pytest.approx(0.5, abs=0.03)


def test_copies_are_found_out_and_new_draws_are_not():
    known, real = normal(0), normal(1)
    assert copying(known, real, known) == 1
    assert copying(known, real, real) == 0.5
    assert copying(known, real, normal(2)) == pytest.approx(0.5, abs=0.06)
    assert copying(known, real, normal(2, mean=50.0)) == 0


def test_moments_are_in_units_of_the_training_users():
    training = 10 * normal(0, 5000)
    held_out = 10 * normal(1, 1500)
    made = held_out * [1, 2, 1] + [0, 0, 5]
    found = fidelity(training, held_out, made)
    assert found.mean_error == pytest.approx(0.5, abs=0.05)
    assert found.sd_ratio == pytest.approx(2)
    assert found.correlation_error == pytest.approx(0, abs=1e-6)
    # Of normals a half apart in place, and as wide: 2 Phi(1/4) - 1.
    assert found.ks == pytest.approx(0.197, abs=0.04)


def test_samples_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match="and as many, got shapes"):
        fidelity(normal(0), normal(1), normal(2, 499))
    with pytest.raises(ValueError, match="more than 5 users"):
        fidelity(normal(0), normal(1, 5), normal(2, 5))
