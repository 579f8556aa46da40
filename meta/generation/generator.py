"""A generator of user vectors: a small network that acts in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from driftrec.meta.checkpoint import CheckpointError, read_checkpoint, write_checkpoint

KIND = "user-generator"

FURTHEST = 6.0
"""Standard deviations from the mean beyond which nothing is generated."""


@dataclass(frozen=True, eq=False)
class Standardiser:
    """Vectors in units of a set's standard deviations, without what does not vary in it.

    Attributes:
        constant: what all have, `(size,)`; the mean where they vary.
        varies: where they do, booleans `(size,)`.
        mean: of what varies.
        sd: of what varies.
    """

    constant: np.ndarray
    varies: np.ndarray
    mean: np.ndarray
    sd: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray) -> Standardiser:
        """That of a set of vectors.

        Raises:
            ValueError: if there are fewer than two, or nothing varies.
        """
        varies = (vectors != vectors[:1]).any(0)
        if len(vectors) < 2 or not varies.any():
            raise ValueError(
                f"a generator learns from two or more users who differ, got {len(vectors)}"
            )
        moving = vectors[:, varies].astype(np.float64)
        mean, sd = moving.mean(0).astype(np.float32), moving.std(0).astype(np.float32)
        constant = vectors[0].astype(np.float32)
        constant[varies] = mean
        return cls(constant, varies, mean, sd)

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors as float32 `(users, varying)` of mean 0 and variance 1."""
        standard: np.ndarray = (vectors[:, self.varies] - self.mean) / self.sd
        return standard.astype(np.float32)

    def undo(self, standard: np.ndarray) -> np.ndarray:
        """The vectors that `apply` gives as `standard`, float32 `(users, size)`."""
        vectors = np.tile(self.constant, (len(standard), 1))
        vectors[:, self.varies] = self.mean + self.sd * standard
        return vectors


@dataclass(frozen=True, eq=False)
class Generator:
    """Turns normal noise into user vectors: a source of vectors.

    A linear map of the noise, plus a network with leaky rectifiers.

    Attributes:
        standardiser: the units that the network works in.
        skip: the linear map, `(latent, varying)`.
        layers: weights `(inputs, outputs)` and biases `(outputs,)` of the network.
    """

    standardiser: Standardiser
    skip: np.ndarray
    layers: Sequence[tuple[np.ndarray, np.ndarray]]

    @property
    def latent(self) -> int:
        """Numbers of noise a user."""
        return len(self.skip)

    def draw(self, users: int, rng: np.random.Generator) -> np.ndarray:
        """Vectors of new users, float32 `(users, size)`."""
        return self.of(rng.standard_normal((users, self.latent), np.float32))

    def of(self, noise: np.ndarray) -> np.ndarray:
        """Vectors made of given noise, `(users, latent)`."""
        values = noise
        for number, (weight, bias) in enumerate(self.layers):
            if number:
                values = np.maximum(values, np.float32(SLOPE) * values)
            values = values @ weight + bias
        standard = np.clip(values + noise @ self.skip, -FURTHEST, FURTHEST)
        return self.standardiser.undo(standard)

    def save(self, path: str | Path) -> None:
        """Write as one safetensors file, atomically."""
        units = self.standardiser
        arrays = {name: np.asarray(getattr(units, name)) for name in UNITS} | {"skip": self.skip}
        for number, (weight, bias) in enumerate(self.layers):
            arrays |= {f"weight.{number}": weight, f"bias.{number}": bias}
        tensors = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
        write_checkpoint(path, KIND, tensors, {"layers": len(self.layers)})


SLOPE = 0.2
"""Of the leaky rectifiers below 0."""

UNITS = ("constant", "varies", "mean", "sd")


def load_generator(path: str | Path) -> Generator:
    """Read what `Generator.save` wrote.

    Raises:
        CheckpointError: if the file is missing, damaged or of another kind.
    """
    tensors, description = read_checkpoint(path, KIND)
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    try:
        numbers = range(description["layers"])
        layers = [(arrays[f"weight.{number}"], arrays[f"bias.{number}"]) for number in numbers]
        units = Standardiser(*(arrays[name] for name in UNITS))
        return Generator(units, arrays["skip"], layers)
    except KeyError as error:
        raise CheckpointError(f"{path} holds a generator without {error}") from error
