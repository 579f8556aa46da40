"""The antithetic estimator is the gradient that it claims to be, and ranks forget amounts."""

from __future__ import annotations

import pytest
import torch

from driftrec.meta.evolution.estimate import ascent, centred_ranks, weights_of


def estimate(f, x, noise, sd, ranks=False):
    fitness = torch.stack([f(x + sd * noise), f(x - sd * noise)], 1)
    return ascent(weights_of(fitness, ranks), noise, sd)


def test_on_a_quadratic_it_is_the_gradient_exactly_with_an_orthogonal_set_of_directions():
    torch.manual_seed(0)
    size = 6
    root = torch.randn(size, size, dtype=torch.float64)
    linear, x = torch.randn(2, size, dtype=torch.float64)
    directions = size**0.5 * torch.linalg.qr(torch.randn_like(root)).Q
    found = estimate(lambda x: ((x @ root) ** 2).sum(-1) + x @ linear, x, directions, 0.7)
    assert torch.allclose(found, 2 * root @ root.T @ x + linear, atol=1e-10)


def test_its_expectation_is_the_gradient_of_the_smoothed_function():
    # E (x + sd e)^3 = x^3 + 3 x sd^2, whose derivative is 3 x^2 + 3 sd^2.
    noise = torch.randn(400_000, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x, sd = torch.tensor([0.5], dtype=torch.float64), 0.8
    single = noise[:, 0] * ((x + sd * noise) ** 3 - (x - sd * noise) ** 3)[:, 0] / (2 * sd)
    found = estimate(lambda x: (x**3)[:, 0], x, noise, sd)
    error = float(single.std()) / len(noise) ** 0.5
    assert float(found) == pytest.approx(3 * 0.25 + 3 * 0.64, abs=4 * error)
    assert error < 0.02


def test_ranks_are_centred_and_ties_share_theirs():
    ranks = centred_ranks(torch.tensor([3.0, -1.0, 3.0, 10.0, 0.0]))
    assert ranks.tolist() == pytest.approx([0.125, -0.5, 0.125, 0.5, -0.25])
    assert centred_ranks(torch.full((4,), 7.0)).tolist() == [0.0] * 4


def test_ranks_do_not_hang_on_amounts_and_amounts_do():
    deviation = torch.randn(20, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    fitness = torch.stack([deviation, -deviation], 1)
    stretched = fitness.sign() * fitness.abs() ** 3 * 100
    assert torch.equal(weights_of(fitness, True), weights_of(stretched, True))
    assert not torch.allclose(weights_of(fitness, False), weights_of(stretched, False))


def test_what_the_users_of_a_pair_are_like_does_not_count():
    fitness = torch.randn(20, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    kind = 100 * torch.randn(20, 1, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    for ranks in (True, False):
        ours, theirs = weights_of(fitness, ranks), weights_of(fitness + kind, ranks)
        assert torch.allclose(ours, theirs)
    assert torch.equal(weights_of(fitness.flip(1), True), -weights_of(fitness, True))


def test_a_pair_that_makes_no_difference_does_not_count():
    fitness = torch.tensor([[1.0, 1.0], [0.0, 2.0], [5.0, 4.0], [3.0, 3.0]])
    weights = weights_of(fitness, True)
    assert weights[0] == weights[3] == 0
    assert weights[1] == -1
    assert 0 < weights[2] < 1
