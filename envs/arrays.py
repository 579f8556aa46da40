"""Arrays of either library (numpy or torch), and dataclasses of such arrays.

The dynamics are written once against the Python array API standard. A *state* is a dataclass
whose fields are arrays with the user as first axis, or states themselves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar, cast

import array_api_compat
import numpy as np

Array = Any
"""An array of any library that follows the array API standard: `numpy.ndarray`, `torch.Tensor`."""

S = TypeVar("S")

MANY = 64
"""Rows from which numpy is quicker to multiply columns than to take the dot product of each row."""

_HALF = np.array(0.5, np.float32)
_ONE = np.array(1.0, np.float32)


def namespace(array: Array) -> Any:
    """The array API namespace that `array` belongs to."""
    if type(array) is np.ndarray:
        return np
    return array_api_compat.array_namespace(array)


def library(name: str) -> Any:
    """The array API namespace called `name`, either "numpy" or "torch".

    Raises:
        ValueError: if the name is another one.
    """
    if name == "numpy":
        return np
    if name == "torch":
        import array_api_compat.torch as torch_namespace

        return torch_namespace
    raise ValueError(f"library must be 'numpy' or 'torch', got {name!r}")


def sigmoid(logits: Array) -> Array:
    """Logistic function 1 / (1 + exp(-x)), written so that float32 never overflows."""
    if type(logits) is np.ndarray:
        # Numpy takes twice as long to multiply by a Python number as by an array of no axes.
        return _HALF * (np.tanh(_HALF * logits) + _ONE)
    return 0.5 * (namespace(logits).tanh(0.5 * logits) + 1.0)


def row_dot(one: Array, other: Array) -> Array:
    """Inner products over the last axis, of arrays that broadcast."""
    if type(one) is np.ndarray:
        return np.vecdot(one, other) if one.shape[0] < MANY else _column_dot(one, other)
    return (one * other).sum(-1)


def _column_dot(one: np.ndarray, other: np.ndarray) -> Array:
    return np.einsum("...i,...i->...", one, other)


def as_float32(array: Array) -> Array:
    """The array as float32: 0 and 1 for booleans."""
    if type(array) is np.ndarray:
        return array.astype(np.float32)
    xp = namespace(array)
    return xp.astype(array, xp.float32)


def duplicate(state: S) -> S:
    """A copy of a state, or of one array, that shares no memory with it."""
    return _copied(state) if type(state) is np.ndarray else _map(state, _copied)


def like(array: Array, values: np.ndarray) -> Array:
    """The values in the library, and on the device, of `array`."""
    if type(array) is np.ndarray:
        return values
    return namespace(array).asarray(np.array(values), device=array.device)


def to_library(state: S, xp: Any, device: Any = None) -> S:
    """The same state with every array held by library `xp` on `device`."""
    if xp is np:
        return state
    return _map(state, lambda array: xp.asarray(array, device=device))


def to_numpy(state: S) -> S:
    """The same state, or array, as numpy arrays on the CPU."""
    return state if type(state) is np.ndarray else _map(state, _as_numpy)


def take(state: S, index: Array) -> S:
    """Rows `index` of every array of a state: copies by row numbers, views by a slice.

    Args:
        state: a dataclass of arrays, or one array, first axis the user.
        index: row numbers, shape `(rows,)`, or a slice.
    """
    if isinstance(index, slice):
        return _map(state, lambda array: array[index])
    return _map(state, lambda array: rows_of(array, index))


def rows_of(array: Array, index: Array) -> Array:
    """Rows of one array, as a copy with the same layout in memory."""
    # Numpy takes along an axis of what is contiguous in less than half the time of indexing.
    if array.ndim > 1 and type(array) is np.ndarray:
        layout = array.flags
        if layout.c_contiguous:
            return array.take(index, axis=0)
        if layout.f_contiguous:
            return array.T.take(index, axis=-1).T
    return array[index]


def rows_where(mask: Array) -> Array:
    """Numbers of the rows where a mask `(users,)` is true."""
    return mask.nonzero()[0] if type(mask) is np.ndarray else namespace(mask).nonzero(mask)[0]


def columns_of(array: Array, index: Array) -> Array:
    """Columns of a matrix, as a copy with the same layout in memory."""
    if type(array) is np.ndarray:
        return array.T.take(index, axis=0).T
    return array[:, index]


def put(state: Any, index: Array, rows: Any, part: slice = slice(None)) -> None:
    """Overwrite rows `index` of every array of `state`, in place, with those of `rows`.

    Args:
        state: the state to write into.
        index: row numbers in it.
        rows: a state of the same kind.
        part: which rows of it to write.
    """
    for name in type(state).__dataclass_fields__:
        target, source = getattr(state, name), getattr(rows, name)
        if hasattr(target, "__dataclass_fields__"):
            put(target, index, source, part)
        else:
            target[index] = source[part]


def leaves(state: Any) -> dict[str, Array]:
    """Every array of a state by its dotted name, in field order."""
    found: dict[str, Array] = {}
    for name in type(state).__dataclass_fields__:
        value = getattr(state, name)
        if dataclasses.is_dataclass(value):
            found |= {f"{name}.{inner}": array for inner, array in leaves(value).items()}
        else:
            found[name] = value
    return found


def _map(state: S, function: Callable[[Array], Array]) -> S:
    names = getattr(state, "__dataclass_fields__", None)
    if names is None:
        return cast(S, function(state))
    kind: Any = type(state)
    return cast(S, kind(*[_map(getattr(state, name), function) for name in names]))


def _copied(array: Array) -> Array:
    if type(array) is np.ndarray:
        return array.copy("K")
    return namespace(array).asarray(array, copy=True)


def _as_numpy(array: Array) -> np.ndarray:
    if isinstance(array, np.ndarray):
        return array
    return np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)
