"""Arrays of either library (numpy or torch), and dataclasses of such arrays.

The dynamics are written once against the Python array API standard. A *state* is a dataclass
whose fields are arrays with the user as first axis, or states themselves.
"""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import array_api_compat
import numpy as np

Array = Any
"""An array of any library that follows the array API standard: `numpy.ndarray`, `torch.Tensor`."""

S = TypeVar("S")


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
    xp = namespace(logits)
    return 0.5 * (xp.tanh(0.5 * logits) + 1.0)


def to_library(state: S, xp: Any, device: Any = None) -> S:
    """The same state with every array held by library `xp` on `device`."""
    if xp is np:
        return state
    return _map(state, lambda array: xp.asarray(array, device=device))


def to_numpy(state: S) -> S:
    """The same state, or array, as numpy arrays on the CPU."""
    return _map(state, _as_numpy)


def take(state: S, index: Array) -> S:
    """Rows `index` of every array of a state, as copies.

    Args:
        state: a dataclass of arrays, or one array, first axis the user.
        index: row numbers, shape `(rows,)`.
    """
    return _map(state, lambda array: array[index])


def put(state: Any, index: Array, rows: Any) -> None:
    """Overwrite rows `index` of every array of `state`, in place, with those of `rows`."""
    for field in dataclasses.fields(state):
        target, source = getattr(state, field.name), getattr(rows, field.name)
        if dataclasses.is_dataclass(target):
            put(target, index, source)
        else:
            target[index] = source


def leaves(state: Any) -> dict[str, Array]:
    """Every array of a state by its dotted name, in field order."""
    found: dict[str, Array] = {}
    for field in dataclasses.fields(state):
        value = getattr(state, field.name)
        if dataclasses.is_dataclass(value):
            found |= {f"{field.name}.{name}": array for name, array in leaves(value).items()}
        else:
            found[field.name] = value
    return found


def _map(state: Any, function: Any) -> Any:
    if not dataclasses.is_dataclass(state):
        return function(state)
    return type(state)(
        *(_map(getattr(state, field.name), function) for field in dataclasses.fields(state))
    )


def _as_numpy(array: Array) -> np.ndarray:
    if isinstance(array, np.ndarray):
        return array
    return np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)
