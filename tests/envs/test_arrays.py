from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftrec.envs.arrays import (
    MANY,
    as_float32,
    duplicate,
    leaves,
    library,
    namespace,
    put,
    row_dot,
    sigmoid,
    take,
    to_library,
    to_numpy,
)


@dataclass
class Inner:
    weight: Any
    flag: Any


@dataclass
class Outer:
    number: Any
    inner: Inner


def state_of(rows: int, seed: int = 0) -> Outer:
    rng = np.random.default_rng(seed)
    return Outer(rng.normal(size=rows), Inner(rng.normal(size=(rows, 2)), rng.random(rows) < 0.5))


def equal(one: Any, other: Any) -> bool:
    pairs = zip(leaves(one).items(), leaves(other).items(), strict=True)
    return all(a == b and np.array_equal(x, y) for (a, x), (b, y) in pairs)


def test_leaves_go_by_dotted_names_in_field_order():
    state = state_of(3)
    assert list(leaves(state)) == ["number", "inner.weight", "inner.flag"]
    assert leaves(state)["inner.flag"] is state.inner.flag


@given(st.integers(1, 9), st.data())
def test_rows_that_are_put_are_the_rows_that_are_taken_and_no_others(rows, data):
    index = np.array(data.draw(st.lists(st.integers(0, rows - 1), unique=True)), np.int64)
    state, other = state_of(rows), state_of(len(index), seed=1)
    before = duplicate(state)
    put(state, index, other)
    assert equal(take(state, index), other)
    rest = np.setdiff1d(np.arange(rows), index)
    assert equal(take(state, rest), take(before, rest))


def test_a_duplicate_is_equal_and_shares_no_memory():
    state = state_of(4)
    state.inner.weight = np.asfortranarray(state.inner.weight)
    copy = duplicate(state)
    assert equal(copy, state)
    for name, array in leaves(copy).items():
        assert not np.shares_memory(array, leaves(state)[name])
    assert copy.inner.weight.flags.f_contiguous
    single = np.arange(3)
    assert not np.shares_memory(duplicate(single), single)


def test_torch_and_back_gives_the_same_state():
    torch = pytest.importorskip("torch")
    state = state_of(5)
    there = to_library(state, library("torch"))
    assert all(isinstance(array, torch.Tensor) for array in leaves(there).values())
    assert equal(to_numpy(there), state)
    copy = duplicate(there)
    copy.number[0] = 7
    assert there.number[0] == state.number[0]


def test_namespaces():
    torch = pytest.importorskip("torch")
    assert namespace(np.zeros(1)) is library("numpy") is np
    assert namespace(torch.zeros(1)) is library("torch")
    with pytest.raises(ValueError, match="library must be 'numpy' or 'torch', got 'jax'"):
        library("jax")


@given(st.floats(-30, 30, width=32))
def test_sigmoid_is_the_logistic_function(logit):
    exact = 1 / (1 + np.exp(-np.float64(logit)))
    assert sigmoid(np.array([logit], np.float32))[0] == pytest.approx(exact, abs=2e-7)


def test_sigmoid_of_anything_is_a_probability_without_a_warning():
    logits = np.array([-np.inf, -3e38, -1e4, 0, 1e4, 3e38, np.inf], np.float32)
    np.testing.assert_array_equal(sigmoid(logits), [0, 0, 0, 0.5, 1, 1, 1])
    assert sigmoid(logits).dtype == np.float32


@pytest.mark.parametrize("rows", [1, MANY - 1, MANY, 3 * MANY])
@pytest.mark.parametrize("order", ["C", "F"])
def test_row_dot_is_the_inner_product_of_rows(rows, order):
    rng = np.random.default_rng(rows)
    one = np.array(rng.normal(size=(rows, 3, 7)), np.float32, order=order)
    other = np.array(rng.normal(size=(rows, 7)), np.float32, order=order)
    expected = np.einsum("nsd,nd->ns", one.astype(float), other.astype(float))
    np.testing.assert_allclose(row_dot(one, other[:, None]), expected, atol=1e-5)


def test_booleans_become_ones_and_zeros():
    torch = pytest.importorskip("torch")
    assert as_float32(np.array([True, False])).tolist() == [1.0, 0.0]
    assert as_float32(np.array([True])).dtype == np.float32
    assert as_float32(torch.tensor([True, False])).dtype == torch.float32
