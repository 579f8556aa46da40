"""Trained networks as plain arrays: how policies run them, and how they are kept in files.

A policy that acts needs no torch: products of small matrices, which numpy does as fast.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from driftrec.envs.arrays import Array, sigmoid
from driftrec.envs.files import write_bytes, write_json

WEIGHTS = "policy.safetensors"
ABOUT = "policy.json"

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "relu": lambda values: np.maximum(values, 0),
    "none": lambda values: values,
}


@dataclass(frozen=True, eq=False)
class Perceptron:
    """Linear layers with an activation between them, and another one after the last.

    Attributes:
        weights: of each layer, `(out, in)`.
        biases: `(out,)`.
        between: name in `ACTIVATIONS`.
        last: likewise.
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    between: str = "tanh"
    last: str = "none"

    def __call__(self, values: Array) -> Array:
        """Outputs `(users, out)` of inputs `(users, in)`."""
        final = len(self.weights) - 1
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = values @ weight.T + bias
            values = ACTIVATIONS[self.last if place == final else self.between](values)
        return values

    @classmethod
    def of(
        cls, arrays: Mapping[str, Array], between: str = "tanh", last: str = "none"
    ) -> Perceptron:
        """The layers called "0.weight", "0.bias", "1.weight" and so on."""
        count = len(arrays) // 2
        return cls(
            tuple(arrays[f"{layer}.weight"] for layer in range(count)),
            tuple(arrays[f"{layer}.bias"] for layer in range(count)),
            between,
            last,
        )


def lstm_step(
    arrays: Mapping[str, Array], inputs: Array, hidden: Array, cell: Array
) -> tuple[Array, Array]:
    """One step of an LSTM, with weights as torch has them (gates in, forget, cell, out).

    Args:
        arrays: `input.weight` (4 h, inputs), `input.bias`, `hidden.weight` (4 h, h), `hidden.bias`.
        inputs: `(users, inputs)`.
        hidden: `(users, h)`.
        cell: `(users, h)`.

    Returns:
        The new hidden state and cell.
    """
    gates = inputs @ arrays["input.weight"].T + arrays["input.bias"]
    gates = gates + hidden @ arrays["hidden.weight"].T + arrays["hidden.bias"]
    write, keep, news, show = np.split(gates, 4, axis=1)
    cell = sigmoid(keep) * cell + sigmoid(write) * np.tanh(news)
    return sigmoid(show) * np.tanh(cell), cell


def write_network(folder: Path, arrays: Mapping[str, Array], about: Mapping[str, Any]) -> None:
    """Write arrays and what they are, each file atomically, what they are last."""
    whole = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
    write_bytes(folder / WEIGHTS, save(whole))
    write_json(folder / ABOUT, about)


def read_network(folder: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """What `write_network` wrote.

    Raises:
        FileNotFoundError: if nothing was.
        ValueError: if a file is damaged.
    """
    try:
        about: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        return load((folder / WEIGHTS).read_bytes()), about
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no trained policy in {folder}: fit the method there first"
        ) from None
    except (ValueError, SafetensorError) as error:
        raise ValueError(f"the policy in {folder} is damaged: {error}") from error
