"""Plackett-Luce draws against enumeration, and their closed-form gradient against autograd."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from driftrec.meta.plackett_luce import (
    best_slate,
    capped_slate,
    sample_slate,
    slate_log_probability,
)


def problem(seed, rows=4, items=6, width=3, slate=2, banned=0):
    rng = torch.Generator().manual_seed(seed)
    query = torch.randn(rows, width, generator=rng, dtype=torch.float64)
    table = torch.randn(items, width, generator=rng, dtype=torch.float64)
    order = torch.rand(rows, items, generator=rng).argsort(1)
    mask = torch.zeros(rows, items, dtype=torch.bool)
    mask.scatter_(1, order[:, slate : slate + banned], True)
    return query, table, order[:, :slate], mask


def by_definition(query, table, slate, banned):
    logits = (query @ table.T).masked_fill(banned, -torch.inf)
    total = torch.zeros(len(query), dtype=logits.dtype)
    for slot in range(slate.shape[1]):
        item = slate[:, slot : slot + 1]
        total = total + (logits.gather(1, item)[:, 0] - logits.logsumexp(1))
        logits = logits.scatter(1, item, -torch.inf)
    return total


def first_draw_entropy(query, table, banned):
    logits = (query @ table.T).masked_fill(banned, -torch.inf)
    return torch.distributions.Categorical(logits=logits).entropy()


@pytest.mark.parametrize("slate", [1, 2, 3])
def test_probabilities_of_all_ordered_slates_sum_to_one(slate):
    query, table, _, _ = problem(0, rows=1, items=5)
    slates = torch.tensor(list(itertools.permutations(range(5), slate)))
    log, _ = slate_log_probability(query.expand(len(slates), -1), table, slates)
    assert log.exp().sum().item() == pytest.approx(1.0, abs=1e-12)


@given(seed=st.integers(0, 10_000), slate=st.integers(1, 3), banned=st.integers(0, 2))
@settings(max_examples=40, deadline=None)
def test_value_and_gradient_equal_the_definition(seed, slate, banned):
    query, table, drawn, mask = problem(seed, slate=slate, banned=banned)
    ours, theirs = query.clone().requires_grad_(), query.clone().requires_grad_()
    log, entropy = slate_log_probability(ours, table, drawn, mask, with_entropy=True)
    weights = torch.linspace(0.5, 2, len(query), dtype=torch.float64)
    (weights * (log + 0.3 * entropy)).sum().backward()
    expected = by_definition(theirs, table, drawn, mask)
    uncertainty = first_draw_entropy(theirs, table, mask)
    (weights * (expected + 0.3 * uncertainty)).sum().backward()
    torch.testing.assert_close(log, expected)
    torch.testing.assert_close(entropy, uncertainty)
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_extreme_logits_stay_finite():
    table = torch.eye(3)
    query = torch.tensor([[80.0, 0.0, -80.0]], requires_grad=True)
    log, _ = slate_log_probability(query, table, torch.tensor([[0, 1]]))
    log.sum().backward()
    assert torch.isfinite(log).all()
    assert torch.isfinite(query.grad).all()


def test_samples_follow_the_distribution_and_never_repeat_or_show_what_is_banned():
    draws = 40_000
    logits = torch.tensor([0.3, -0.5, 1.0, -torch.inf])
    slates = sample_slate(logits.expand(draws, -1).clone(), 2, torch.Generator().manual_seed(1))
    assert (slates[:, 0] != slates[:, 1]).all()
    assert not (slates == 3).any()
    weights = logits.exp()
    for first, second in itertools.permutations(range(3), 2):
        chance = weights[first] / weights.sum() * weights[second] / (weights.sum() - weights[first])
        share = ((slates[:, 0] == first) & (slates[:, 1] == second)).double().mean()
        assert abs(share - chance) < 4 * math.sqrt(chance * (1 - chance) / draws)


def test_best_slate_is_the_most_probable_of_all():
    query, table, _, _ = problem(3, rows=1, items=5)
    slates = torch.tensor(list(itertools.permutations(range(5), 2)))
    log, _ = slate_log_probability(query.expand(len(slates), -1), table, slates)
    assert best_slate(query @ table.T, 2)[0].tolist() == slates[log.argmax()].tolist()


def capped_by_definition(logits, slate, topic, cap):
    """One item after another: the best of what the cap leaves, then the best of the others."""
    order = [item for item in logits.argsort(descending=True).tolist() if logits[item] > -math.inf]
    counts, within = dict.fromkeys(topic.tolist(), 0), []
    for item in order:
        if counts[int(topic[item])] < cap:
            counts[int(topic[item])] += 1
            within.append(item)
    return (within + [item for item in order if item not in within])[:slate]


@given(seed=st.integers(0, 10_000), cap=st.integers(1, 4), banned=st.integers(0, 4))
@settings(max_examples=60, deadline=None)
def test_a_capped_slate_is_the_best_with_few_of_a_topic(seed, cap, banned):
    rng = torch.Generator().manual_seed(seed)
    logits = 30 * torch.randn(3, 12, generator=rng, dtype=torch.float64)
    topic = torch.randint(0, 4, (12,), generator=rng)
    for row in logits:
        row[torch.randperm(12, generator=rng)[:banned]] = -torch.inf
    found = capped_slate(logits, 5, topic, cap)
    for row, items in zip(logits, found, strict=True):
        assert items.tolist() == capped_by_definition(row, 5, topic, cap)
