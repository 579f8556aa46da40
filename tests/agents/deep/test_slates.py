"""Slates drawn item by item, against enumeration; the best slate against brute force."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from driftrec.agents.deep.choice import (
    ItemValues,
    best_slates,
    choice_probabilities,
    slate_values,
)
from driftrec.agents.deep.slateq import consumption
from driftrec.agents.deep.slates import BANNED, SlateDistribution


@pytest.mark.parametrize("slate", [1, 2, 3])
def test_probabilities_of_all_slates_sum_to_one(slate):
    logits = torch.tensor([[0.3, -1.0, 2.0, 0.5, 0.0]])
    slates = torch.tensor(list(permutations(range(5), slate)))
    distribution = SlateDistribution(logits.expand(len(slates), -1), slate)
    assert distribution.log_prob(slates).exp().sum() == pytest.approx(1, abs=1e-5)


def test_one_item_is_categorical():
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    ours, known = SlateDistribution(logits, 1), torch.distributions.Categorical(logits=logits)
    items = torch.tensor([0, 1, 2, 3, 0, 1])
    torch.testing.assert_close(ours.log_prob(items), known.log_prob(items))
    torch.testing.assert_close(ours.entropy(), known.entropy())
    torch.testing.assert_close(ours.mode(), known.mode)


def test_draws_are_as_frequent_as_their_probability():
    logits = torch.tensor([[0.5, -0.5, 1.0]]).expand(40_000, -1)
    torch.manual_seed(0)
    distribution = SlateDistribution(logits, 2)
    drawn = distribution.sample()
    for slate in permutations(range(3), 2):
        share = (drawn == torch.tensor(slate)).all(1).float().mean()
        chance = distribution.log_prob(torch.tensor([slate]).expand(40_000, -1))[0].exp()
        assert share == pytest.approx(float(chance), abs=0.01)


def test_banned_items_come_after_all_others():
    logits = torch.tensor([[9.0, -3.0, -5.0, 8.0]]) - BANNED * torch.tensor([[1.0, 0, 0, 1]])
    assert SlateDistribution(logits, 3).mode().tolist() == [[1, 2, 0]]
    torch.manual_seed(0)
    drawn = SlateDistribution(logits.expand(500, -1), 2).sample()
    assert set(drawn.flatten().tolist()) == {1, 2}


@st.composite
def item_values(draw, users=3):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    items = draw(st.integers(4, 7))
    return ItemValues(
        worth=rng.normal(1, 2, (users, items)),
        appeal=np.exp(rng.normal(0, 1.5, (users, items))),
        nothing_worth=rng.normal(0, 1, users),
        nothing_appeal=1.0,
    )


@settings(max_examples=60, deadline=None)
@given(values=item_values(), slate=st.integers(1, 3), ban=st.booleans())
def test_the_best_slate_is_that_of_brute_force(values, slate, ban):
    users, items = values.worth.shape
    banned = np.zeros((users, items), np.uint8)
    banned[:, 0] = ban
    every = [one for one in combinations(range(items), slate) if not (ban and 0 in one)]
    all_values = np.stack([slate_values(values, np.tile(one, (users, 1))) for one in every], axis=1)
    found = best_slates(values, banned, slate)
    assert all(len(set(row)) == slate for row in found.tolist())
    assert not (ban and (found == 0).any())
    np.testing.assert_allclose(slate_values(values, found), all_values.max(1), rtol=1e-5, atol=1e-6)


def test_the_best_slate_is_found_where_nothing_is_worth_more_than_any():
    values = ItemValues(
        worth=np.array([[0.0297, 1.1355, -1.1261, -0.3308]]),
        appeal=np.array([[1.3509, 2.1399, 0.3379, 0.1183]]),
        nothing_worth=np.array([1.6569]),
        nothing_appeal=1.0,
    )
    found = best_slates(values, np.zeros((1, 4), np.uint8), 2)
    assert set(found[0].tolist()) == {1, 3}


@settings(max_examples=30, deadline=None)
@given(values=item_values(), slate=st.integers(1, 3))
def test_the_value_of_a_slate_is_the_mean_over_what_is_consumed(values, slate):
    """By simulating the choice: an item is consumed as often as its appeal says."""
    slates = np.tile(np.arange(slate), (len(values.worth), 1))
    chance = choice_probabilities(values, slates)
    assert (chance.sum(1) < 1).all()
    odds = chance / (1 - chance.sum(1, keepdims=True))
    np.testing.assert_allclose(odds, values.appeal[:, :slate], rtol=1e-6)
    worths = np.concatenate([values.worth[:, :slate], values.nothing_worth[:, None]], axis=1)
    chances = np.concatenate([chance, 1 - chance.sum(1, keepdims=True)], axis=1)
    np.testing.assert_allclose(slate_values(values, slates), (worths * chances).sum(1))


def test_all_items_may_be_shown_where_too_few_are_left():
    values = ItemValues(np.array([[3.0, 1.0, 2.0]]), np.ones((1, 3)), np.zeros(1), 1.0)
    assert best_slates(values, np.array([[1, 1, 0]]), 1).tolist() == [[2]]
    assert set(best_slates(values, np.array([[1, 1, 0]]), 2)[0]) == {0, 2}


def test_several_clicks_share_the_consumption():
    shares = consumption(np.array([[0.0, 0.0], [2.5, 0.0], [1.0, 3.0]], np.float32))
    assert shares.tolist() == [[0, 0, 1], [1, 0, 0], [0.5, 0.5, 0]]
