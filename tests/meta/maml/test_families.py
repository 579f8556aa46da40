"""Log-probabilities, draws and divergences against what is known of each family."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.distributions import Categorical as TorchCategorical
from torch.distributions import Normal, kl_divergence
from torch.func import grad, vmap

from driftrec.meta.maml.families import Categorical, Gaussian, PlackettLuce
from driftrec.meta.plackett_luce import slate_log_probability


def test_the_gaussian_is_torchs_normal():
    outputs, others = torch.randn(2, 5, 6).unbind()
    actions = torch.randn(5, 3)
    ours, theirs = (
        Normal(outputs[:, :3], outputs[:, 3:].exp()),
        Normal(others[:, :3], others[:, 3:].exp()),
    )
    family = Gaussian()
    torch.testing.assert_close(
        family.log_probability(outputs, actions), ours.log_prob(actions).sum(1)
    )
    torch.testing.assert_close(
        family.divergence(outputs, others), kl_divergence(ours, theirs).sum(1)
    )
    draws = family.sample(outputs.expand(20_000, 5, 6), torch.Generator().manual_seed(0))
    error = (draws.mean(0) - outputs[:, :3]) / outputs[:, 3:].exp()
    assert error.abs().max() < 5 / 20_000**0.5


def test_the_categorical_is_torchs():
    outputs, others = torch.randn(2, 5, 4).unbind()
    actions = torch.tensor([0, 1, 2, 3, 0])
    family = Categorical()
    ours, theirs = TorchCategorical(logits=outputs), TorchCategorical(logits=others)
    torch.testing.assert_close(family.log_probability(outputs, actions), ours.log_prob(actions))
    torch.testing.assert_close(family.divergence(outputs, others), kl_divergence(ours, theirs))
    draws = family.sample(outputs.expand(20_000, 5, 4), torch.Generator().manual_seed(0))
    share = torch.nn.functional.one_hot(draws, 4).float().mean(0)
    assert (share - ours.probs).abs().max() < 0.02


def test_slates_have_the_probability_of_sequential_draws_and_it_sums_to_one():
    torch.manual_seed(0)
    table, query = torch.randn(5, 3), torch.randn(1, 3)
    slates = torch.tensor(list(itertools.permutations(range(5), 3)))
    family = PlackettLuce(table, 3)
    found = family.log_probability(query.expand(len(slates), 3), slates)
    known, _ = slate_log_probability(query.expand(len(slates), 3), table, slates)
    torch.testing.assert_close(found, known)
    assert found.exp().sum().item() == pytest.approx(1.0, abs=1e-5)
    assert family.best(query)[0].tolist() == slates[found.argmax()].tolist()


def test_the_curvature_of_a_slate_is_minus_the_covariance_of_features():
    torch.manual_seed(0)
    table, query = torch.randn(6, 3), torch.randn(4, 3)
    slate = torch.randint(6, (4, 1))
    family = PlackettLuce(table)

    def slope(one, items):
        return grad(family.log_probability)(one, items)

    curvature = vmap(torch.func.jacrev(slope))(query, slate)
    chance = (query @ table.T).softmax(1)
    mean = chance @ table
    covariance = torch.einsum("ui,ia,ib->uab", chance, table, table) - torch.einsum(
        "ua,ub->uab", mean, mean
    )
    torch.testing.assert_close(curvature, -covariance, atol=1e-5, rtol=1e-4)
