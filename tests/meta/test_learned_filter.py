"""The learned filter is exact where the posterior is Gaussian, and close to the true one else."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from driftrec.agents.belief import Belief, absorb
from driftrec.meta.learned_filter import LearnedFilter


def filter_of(width=3, clicks=True, seed=0):
    torch.manual_seed(seed)
    learned = LearnedFilter(width, clicks).double()
    with torch.no_grad():
        for parameter in learned.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return learned


def history(users=5, items=6, width=3):
    rng = torch.Generator().manual_seed(1)
    options = {"generator": rng, "dtype": torch.float64}
    features = torch.cat(
        [torch.randn(items, users, width, **options), torch.ones(items, users, 1).double()], -1
    )
    return features, torch.randn(items, users, **options)


def test_gaussian_feedback_is_filtered_exactly():
    # The posterior of w given r = X w + noise, by the normal equations.
    learned = filter_of(clicks=False)
    features, feedback = history()
    mean, covariance = learned.start(5)
    for item, reward in zip(features, feedback, strict=True):
        mean, covariance = learned.absorb(mean, covariance, item, reward, torch.ones(5))
    loadings = torch.cat([features, features], -1)
    prior = torch.diag((-2 * learned.log_sd).exp())
    noise = (2 * learned.log_noise).exp()
    for user in range(5):
        x, r = loadings[:, user], feedback[:, user]
        precision = prior + x.T @ x / noise
        expected = torch.linalg.solve(precision, prior @ learned.prior_mean + x.T @ r / noise)
        torch.testing.assert_close(mean[user], expected)
        torch.testing.assert_close(covariance[user], torch.linalg.inv(precision))


def test_clicks_are_absorbed_nearly_as_by_exact_moment_matching():
    learned = filter_of()
    features, _ = history()
    clicks = (torch.arange(30).view(6, 5) % 2).double()
    mean, covariance = learned.start(5)
    exact = Belief(mean.detach().numpy().copy(), covariance.detach().numpy().copy())
    for item, clicked in zip(features, clicks, strict=True):
        mean, covariance = learned.absorb(mean, covariance, item, clicked, torch.ones(5))
        loading = torch.cat([item, item], -1).numpy()
        exact, _ = absorb(exact, loading, np.zeros(5), clicked.numpy(), np.ones(5))
    moved = np.abs(exact.mean - learned.prior_mean.detach().numpy()).max()
    assert moved > 0.3
    np.testing.assert_allclose(mean.detach(), exact.mean, atol=0.01)
    np.testing.assert_allclose(covariance.detach(), exact.covariance, atol=0.003)


def test_without_feedback_a_belief_relaxes_to_the_prior_by_the_exact_transition():
    learned = filter_of()
    features, _ = history()
    mean, covariance = learned.start(5)
    mean, covariance = learned.absorb(mean, covariance, features[0], torch.ones(5), torch.ones(5))
    seconds = torch.tensor([0.0, 30.0, 3600.0, 86400.0, 1e12], dtype=torch.float64)
    later, uncertain = learned.pass_time(mean, covariance, torch.log1p(seconds))
    torch.testing.assert_close(later[0], mean[0])
    kept = torch.exp(-learned.log_rate.exp() * 3600 / 86400)
    prior, fresh = learned.prior_mean, (2 * learned.log_sd).exp() * (1 - kept**2)
    torch.testing.assert_close(later[2], prior + kept * (mean[2] - prior))
    torch.testing.assert_close(
        uncertain[2], kept[:, None] * covariance[2] * kept + torch.diag(fresh)
    )
    torch.testing.assert_close(later[4], prior)
    torch.testing.assert_close(uncertain[4], torch.diag((2 * learned.log_sd).exp()))


def test_time_passes_in_two_steps_as_in_one():
    learned = filter_of()
    features, _ = history()
    mean, covariance = learned.start(5)
    mean, covariance = learned.absorb(mean, covariance, features[0], torch.ones(5), torch.ones(5))
    once = learned.pass_time(mean, covariance, torch.log1p(torch.full((5,), 900.0).double()))
    half = torch.log1p(torch.full((5,), 450.0).double())
    twice = learned.pass_time(*learned.pass_time(mean, covariance, half), half)
    for one, two in zip(once, twice, strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("clicks", [True, False])
def test_covariances_stay_positive_and_weight_0_changes_nothing(clicks):
    learned = filter_of(clicks=clicks)
    features, feedback = history(items=6)
    mean, covariance = learned.start(5)
    untouched = learned.absorb(mean, covariance, features[0], feedback[0], torch.zeros(5))
    assert torch.equal(untouched[0], mean)
    assert torch.equal(untouched[1], covariance)
    for _ in range(20):
        for item in features:
            mean, covariance = learned.absorb(mean, covariance, item, torch.ones(5), torch.ones(5))
    assert torch.linalg.eigvalsh(covariance.detach()).min() > 0


def test_variance_of_an_item_is_the_quadratic_form_of_both_parts():
    learned = filter_of()
    features, _ = history()
    _, covariance = learned.start(5)
    items = features[:, 0]
    loading = torch.cat([items, items], -1)
    expected = torch.einsum("ia,uab,ib->ui", loading, covariance, loading)
    torch.testing.assert_close(learned.variance(covariance, items), expected)
    assert math.isclose(learned.size, 2 * items.shape[1])


def test_in_a_context_the_belief_is_that_of_a_weight_for_every_pair():
    torch.manual_seed(0)
    learned = LearnedFilter(2, clicks=False, contexts=2).double()
    with torch.no_grad():
        for parameter in learned.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    items, contexts = torch.randn(8, 4, 2).double(), torch.randn(8, 4, 2).double()
    items = torch.cat([items, torch.ones(8, 4, 1).double()], -1)
    feedback = torch.randn(8, 4).double()
    mean, covariance = learned.start(4)
    for item, context, reward in zip(items, contexts, feedback, strict=True):
        mean, covariance = learned.absorb(mean, covariance, item, reward, torch.ones(4), context)
    now, spread = learned.in_context(mean, covariance, contexts[0])
    one = torch.cat([torch.ones(4, 1).double(), contexts[0]], 1)
    prior = torch.diag((-2 * learned.log_sd).exp())
    noise = (2 * learned.log_noise).exp()
    for user in range(4):
        pairs = torch.stack(
            [
                torch.outer(item, torch.cat([torch.ones(1).double(), context])).flatten()
                for item, context in zip(items[:, user], contexts[:, user], strict=True)
            ]
        )
        x = torch.cat([pairs, pairs], 1)
        precision = prior + x.T @ x / noise
        whole = torch.linalg.solve(
            precision, prior @ learned.prior_mean + x.T @ feedback[:, user] / noise
        )
        item = items[3, user]
        loading = torch.outer(item, one[user]).flatten()
        loading = torch.cat([loading, loading])
        both = torch.cat([item, item])
        torch.testing.assert_close(both @ now[user], loading @ whole)
        torch.testing.assert_close(
            learned.variance(spread[user], item[None])[0],
            loading @ torch.linalg.inv(precision) @ loading,
        )
