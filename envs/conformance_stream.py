"""The stream of draws with which the conformance kit tries a user model's drift."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from driftrec.envs.arrays import Array

KINDS = ("normal", "uniform", "logistic")
"""What can be drawn, as from `driftrec.envs.random.Stream`."""


class DriftStream:
    """A stream whose draws for a user do not depend on who else is in the batch.

    Args:
        rows: of the users, within a batch of `users`.
        users: in the whole batch.
        seed: of the draws.
        fail: told what is wrong with a call.
        xp: array namespace of the draws.

    Attributes:
        calls: what was drawn, and its shape but for the user axis.
    """

    def __init__(
        self, rows: np.ndarray, users: int, seed: int, fail: Callable[[str], NoReturn], xp: Any
    ) -> None:
        self._rows, self._users, self._seed, self._fail, self._xp = rows, users, seed, fail, xp
        self.calls: list[tuple[str, tuple[int, ...]]] = []

    def normal(self, *shape: int, **options: Any) -> Array:
        """Standard normal draws."""
        return self._draw("normal", shape, options)

    def uniform(self, *shape: int, **options: Any) -> Array:
        """Draws uniform on [0, 1)."""
        return self._draw("uniform", shape, options)

    def logistic(self, *shape: int, **options: Any) -> Array:
        """Standard logistic draws."""
        return self._draw("logistic", shape, options)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        self._fail(f"drift: its rng draws by {', '.join(KINDS)} alone, got rng.{name}")

    def _draw(self, kind: str, shape: tuple[Any, ...], options: dict[str, Any]) -> Array:
        whole = all(isinstance(size, int | np.integer) for size in shape)
        if options or not shape or not whole or shape[0] != len(self._rows):
            given = [str(size) for size in shape]
            given += [f"{name}={value}" for name, value in options.items()]
            self._fail(
                f"drift: draws must have the user as first axis, rng.{kind}({len(self._rows)}, "
                f"...), got rng.{kind}({', '.join(given)}): give the axes one by one, the user "
                "first, and scale what comes"
            )
        rng = np.random.default_rng([self._seed, len(self.calls)])
        self.calls.append((kind, shape[1:]))
        draws = _draws(rng, kind, (self._users, *shape[1:]))
        return self._xp.asarray(draws.astype(np.float32)[self._rows])


def _draws(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    if kind == "normal":
        return rng.standard_normal(shape)
    return rng.random(shape) if kind == "uniform" else rng.logistic(size=shape)
