import math
from statistics import NormalDist

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from driftrec.envs import RandomStreams, Simulation, Stream, feed_population, keyed_torch
from driftrec.envs.arrays import leaves, take
from driftrec.envs.random import keyed_words, logistics_of, normals_of, uniforms_of

STREAMS = ("response", "drift", "visits")
SPLIT = feed_population().split("train")


def stream(seed: int) -> Stream:
    return Stream(np.random.SeedSequence(seed))


def test_the_same_seed_draws_the_same_and_another_seed_does_not():
    one, same, other = (RandomStreams(seed) for seed in ([3, 1], [3, 1], [3, 2]))
    for name in STREAMS:
        draws = [getattr(streams, name).normal(50, 2) for streams in (one, same, other)]
        assert np.array_equal(draws[0], draws[1])
        assert not np.isin(draws[0], draws[2]).all()
    assert one.users.integers(2**62) == same.users.integers(2**62)
    assert one.catalogue.integers(2**62) == same.catalogue.integers(2**62)


def test_streams_of_one_seed_are_uncorrelated():
    streams = RandomStreams(0)
    size = 200_000
    draws = [getattr(streams, name).normal(size) for name in STREAMS]
    draws += [streams.users.standard_normal(size), streams.catalogue.standard_normal(size)]
    correlation = np.corrcoef(draws) - np.eye(5)
    assert np.abs(correlation).max() < 5 / math.sqrt(size)


@pytest.mark.parametrize("kind", ["normal", "uniform", "logistic"])
def test_what_is_drawn_ahead_is_what_would_have_been_drawn(kind):
    one_by_one, at_once = getattr(stream(5), kind), getattr(stream(5), kind)
    singles = np.concatenate([one_by_one(1) for _ in range(64)])
    np.testing.assert_array_equal(singles, at_once(64))


def test_large_and_small_requests_have_the_same_law():
    small, large = stream(1), stream(2)
    few = np.concatenate([small.normal(3, 2).ravel() for _ in range(20_000)])
    many = large.normal(30_000, 4).ravel()
    for draws in (few, many):
        assert abs(draws.mean()) < 5 / math.sqrt(draws.size)
        assert abs(draws.var() - 1) < 5 * math.sqrt(2 / draws.size)


def test_the_normals_are_quantiles_of_the_normal_distribution():
    every = np.sort(normals_of(np.arange(2**16, dtype=np.uint16).view(np.uint64)))
    assert every.astype(np.float64).mean() == pytest.approx(0, abs=1e-7)
    assert every.astype(np.float64).var() == pytest.approx(1, abs=1e-6)
    below = np.arange(2**16) / 2**16
    cumulative = np.array([NormalDist().cdf(value) for value in every])
    # Half of each step of 2^-16 lies on either side of the distribution function.
    assert np.abs(cumulative - below).max() < 2**-16
    assert np.abs(cumulative - below - 2**-17).max() < 2**-17
    assert every[-1] == pytest.approx(4.3, abs=0.1)


def test_uniforms_are_multiples_of_two_to_the_minus_24_below_1():
    draws = stream(3).uniform(100_000, 2)
    assert draws.dtype == np.float32
    assert draws.min() >= 0
    assert draws.max() < 1
    assert np.array_equal(draws * 2**24, np.round(draws * 2**24))
    assert draws.mean() == pytest.approx(0.5, abs=5 / math.sqrt(12 * draws.size))
    assert draws.var() == pytest.approx(1 / 12, abs=1e-3)


def test_logistic_draws_are_the_logits_of_the_uniform_ones():
    """Beside the middle of the cell, of width 2^-24, that a uniform draw stands for."""
    uniform, logistic = stream(3).uniform(50_000, 2), stream(3).logistic(50_000, 2)
    middle = uniform.astype(np.float64) + 2**-25
    assert logistic.dtype == np.float32
    np.testing.assert_allclose(logistic, np.log(middle / (1 - middle)), rtol=1e-6, atol=2e-7)


def test_logistic_draws_are_finite_and_symmetric_at_the_ends():
    low, high = np.zeros(1, np.uint64), np.full(1, 2**64 - 1, np.uint64)
    ends = np.concatenate([logistics_of(low), logistics_of(high)])
    np.testing.assert_allclose(ends, np.log(2.0**25 - 1) * np.array([-1, -1, 1, 1]), rtol=1e-6)


def test_draws_have_the_shape_asked_for_whatever_was_asked_before():
    one = stream(4)
    for shape in ((3,), (3, 2), (2, 3), (0, 4), (1, 1), (5000, 3), (3,)):
        assert one.normal(*shape).shape == shape
        assert one.uniform(*shape).shape == shape
        assert one.logistic(*shape).shape == shape


def test_keyed_words_are_those_of_splitmix64():
    """The first outputs for seeds 0 and 1234567, as in the reference implementation by Vigna."""
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC]
    assert keyed_words(np.array([0]), 4)[0].tolist() == expected
    assert keyed_words(np.array([1234567]), 2)[0].tolist() == [
        6457827717110365317,
        3203168211198807973,
    ]


@pytest.mark.parametrize("count", [1, 4])
def test_keyed_words_are_a_function_of_the_key_alone(count):
    keys = np.random.default_rng(0).integers(2**62, size=100)
    words = keyed_words(keys, count)
    assert words.shape == (100, count)
    order = np.random.default_rng(1).permutation(100)
    np.testing.assert_array_equal(keyed_words(keys[order], count), words[order])
    np.testing.assert_array_equal(keyed_words(keys[:1], count), words[:1])
    np.testing.assert_array_equal(keyed_words(keys, 8)[:, :count], words)


@pytest.mark.parametrize("keys", [np.arange(50_000), 7919 * np.arange(50_000) + 2**61])
def test_keyed_draws_have_their_moments_even_for_keys_in_a_row(keys):
    words = keyed_words(keys, 2)
    normal, uniform = normals_of(words), uniforms_of(words)
    bound = 5 / math.sqrt(len(keys))
    assert np.abs(normal.mean(0)).max() < bound
    assert np.abs(normal.var(0) - 1).max() < bound * math.sqrt(2)
    assert np.abs((normal**4).mean(0) - 3).max() < bound * math.sqrt(96)
    assert np.abs(np.corrcoef(normal.T) - np.eye(8)).max() < bound
    assert np.abs(np.mean(normal[1:] * normal[:-1], axis=0)).max() < bound
    assert np.abs(uniform.mean(0) - 0.5).max() < bound / math.sqrt(12)


def trial(policy, steps: int = 40, users: int = 30) -> list:
    """Feedback, gaps and hidden states of a trial in which request t shows `policy(t)`."""
    simulation = Simulation(SPLIT, users, max_requests=200)
    simulation.reset(7)
    history = []
    for request in range(steps):
        simulation.step(np.ascontiguousarray(policy(request)))
        state = leaves(simulation.hidden_state())
        history.append({"feedback": simulation.trials.feedback, **state})
    return history


def plan(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(500, size=(40, 30, 1))


def test_two_policies_meet_the_same_users_with_the_same_luck_while_they_act_alike():
    first, second = plan(0), plan(1)
    second[:20] = first[:20]
    one, two = (trial(lambda t, items=items: items[t]) for items in (first, second))
    for before, after in zip(one[:20], two[:20], strict=True):
        assert all(np.array_equal(before[name], after[name]) for name in before)
    assert not np.array_equal(one[-1]["feedback"], two[-1]["feedback"])
    for name in ("traits.key", "traits.numbers"):
        assert np.array_equal(one[-1][name], two[-1][name])


def test_what_is_shown_to_one_user_is_of_no_account_to_another():
    first = plan(0)
    second = first.copy()
    second[:, 4] = (second[:, 4] + 1) % 500
    one, two = (trial(lambda t, items=items: items[t]) for items in (first, second))
    others = np.delete(np.arange(30), 4)
    for before, after in zip(one, two, strict=True):
        for name in before:
            assert np.array_equal(take(before[name], others), take(after[name], others)), name
    assert not np.array_equal(one[-1]["relaxing"][4], two[-1]["relaxing"][4])


def test_the_kth_session_brings_the_same_luck_whenever_it_comes():
    """The core that a user has in a session follows from the gaps, not from the requests."""
    model = SPLIT.model
    state = model.sample(200, np.random.default_rng(0))
    gap = np.full(200, 3.0, np.float32)
    once, again = (model.drift(state, gap, stream(seed)) for seed in (1, 2))
    np.testing.assert_array_equal(once.core, again.core)
    assert not np.array_equal(once.relaxing, again.relaxing)
    assert not np.array_equal(once.core, state.core)


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=20), st.integers(1, 6))
def test_torch_draws_the_same_from_keys_bit_for_bit(numbers, count):
    keys = np.array(numbers, np.int64)
    words = keyed_words(keys, count)
    by_torch = keyed_torch.keyed_words(torch.from_numpy(keys), count)
    np.testing.assert_array_equal(by_torch.numpy().view(np.uint64), words)
    for ours, theirs in (
        (normals_of, keyed_torch.normals_of),
        (uniforms_of, keyed_torch.uniforms_of),
    ):
        np.testing.assert_array_equal(theirs(by_torch).numpy(), ours(words))
