"""The workbench of the conformance kit: a user model with states and slates to try it on."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

from driftrec.envs.arrays import leaves
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.random import RandomStreams
from driftrec.envs.simulation import UserModelError
from driftrec.envs.user_model import UserModel

SLACK = 1e-6
"""Rounding that a probability may lie outside [0, 1] by."""


class Rows:
    """A stream whose draws for a user do not depend on who else is in the batch."""

    def __init__(self, kit: Kit, rows: np.ndarray, seed: int) -> None:
        self._kit, self._rows, self._seed = kit, rows, seed
        self.calls: list[tuple[str, tuple[int, ...]]] = []

    def normal(self, *shape: int) -> np.ndarray:
        """Standard normal draws."""
        return self._draw("normal", shape)

    def uniform(self, *shape: int) -> np.ndarray:
        """Draws uniform on [0, 1)."""
        return self._draw("uniform", shape)

    def _draw(self, kind: str, shape: tuple[int, ...]) -> np.ndarray:
        if not shape or shape[0] != len(self._rows):
            self._kit.fail(
                f"drift: draws must have the user as first axis, ({len(self._rows)}, ...), got a "
                f"call of rng.{kind}{shape}: draw for every user at once"
            )
        rng = np.random.default_rng([self._seed, len(self.calls)])
        self.calls.append((kind, shape[1:]))
        whole = (self._kit.users, *shape[1:])
        draws = rng.standard_normal(whole) if kind == "normal" else rng.random(whole)
        rows: np.ndarray = np.asarray(draws, np.float32)[self._rows]
        return rows


class Kit:
    """The model under test, with states and slates to try it on."""

    def __init__(
        self, model: Any, catalogue: Catalogue | None, users: int, slate: int, seed: int
    ) -> None:
        self.name = type(model).__name__
        if not isinstance(model, UserModel):
            self.fail(f"a user model must inherit from UserModel, got {self.name}")
        self.model = model
        self.catalogue = model.default_catalogue() if catalogue is None else catalogue
        if not isinstance(self.catalogue, Catalogue):
            self.fail(f"default_catalogue must give a Catalogue, got {kind_of(self.catalogue)}")
        if users < 2 or not 1 <= slate <= len(self.catalogue):
            raise ValueError(
                f"users must be at least 2 and slate in [1, {len(self.catalogue)}] (the "
                f"catalogue), got {users} and {slate}"
            )
        self.users, self.slate, self.seed = users, slate, seed

    def fail(self, message: str) -> NoReturn:
        """Report a breach of the contract."""
        raise UserModelError(f"{self.name}.{message}")

    def expect(self, right: Any, message: str) -> None:
        """Report a breach of the contract unless all is `right`."""
        if not right:
            self.fail(message)

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the model; whatever it raises names the method."""
        try:
            return getattr(self.model, method)(*arguments)
        except UserModelError:
            raise
        except Exception as error:
            sizes = [_size(argument) for argument in arguments]
            raise UserModelError(
                f"{self.name}.{method} must take a batch of any size, 0 included; given "
                f"{', '.join(sizes)} it raised {type(error).__name__}: {error}"
            ) from error

    def sample(self, users: int) -> Any:
        """New users, the same ones at every call."""
        return self.call("sample", users, np.random.default_rng(self.seed))

    def stream(self, rows: np.ndarray | int, seed: int = 0) -> Rows:
        """A drift stream for the users at `rows`, or for the first so many."""
        return Rows(self, np.arange(rows) if isinstance(rows, int) else rows, self.seed + seed)

    def slates(self, users: int, size: int, seed: int = 0) -> Slate:
        """A slate of new items for each user."""
        rng = np.random.default_rng([self.seed, size, seed])
        items = np.array([rng.permutation(len(self.catalogue))[:size] for _ in range(self.users)])
        return self.catalogue.show(items[:users], np.zeros((users, size), np.uint8))

    def draw(self, state: Any, slate: Slate, seed: int = 0) -> np.ndarray:
        """Feedback from the model."""
        answer = self.call("respond", state, slate)
        return np.asarray(answer.draw(RandomStreams([self.seed, seed]).response))

    def step(self, state: Any, slate: Slate, days: float, seed: int) -> Any:
        """The next state, after one request and `days` without one."""
        users = len(slate.items)
        feedback = self.draw(state, slate, seed)
        state = self.call("react", state, slate, feedback)
        elapsed = np.full(users, days, np.float32)
        return self.call("drift", state, elapsed, self.stream(users, seed))

    def situations(self, users: int) -> Iterator[tuple[Any, Slate]]:
        """States of new users and of the same ones later, with slates of one and of several."""
        for size in sorted({1, self.slate}):
            state = self.sample(users)
            yield state, self.slates(users, size)
            for number, days in enumerate((3e-4, 3e-4, 0.2, 3e-4, 40.0)):
                state = self.step(state, self.slates(users, size, number), days, number)
            yield state, self.slates(users, size, 99)

    def check_array(
        self, what: str, array: Any, shape: tuple[int, ...], low: float, high: float
    ) -> None:
        """Shape, kind and range, ends included."""
        self.expect(
            isinstance(array, np.ndarray) and array.dtype.kind in "fiub",
            f"{what} must be a numpy array of numbers when given numpy, got {kind_of(array)}",
        )
        self.expect(array.shape == shape, f"{what} must have shape {shape}, got {array.shape}")
        self.expect(
            not np.isnan(array).any(), f"{what} must hold numbers, got NaN: look for 0/0 or inf-inf"
        )
        inside = (array >= low - SLACK) & (array <= high + SLACK)
        worst = array[~inside][:1]
        self.expect(inside.all(), f"{what} must lie in [{low:g}, {high:g}], got {worst}")

    def check_state(self, state: Any, users: int, origin: str) -> None:
        """Type, arrays, first axis, NaN, and that rows can be overwritten."""
        self.expect(
            dataclasses.is_dataclass(state) and not isinstance(state, type),
            f"{origin} must give a dataclass of arrays, got {kind_of(state)}",
        )
        arrays = leaves(state)
        self.expect(arrays, f"{origin} must give a dataclass with at least one array, got none")
        for name, array in arrays.items():
            what = f"{origin}: {name}"
            self.expect(
                isinstance(array, np.ndarray) and array.dtype.kind in "fiub",
                f"{what} must be an array of floats, integers or booleans, got {kind_of(array)}",
            )
            self.expect(
                array.ndim >= 1 and array.shape[0] == users,
                f"{what} must have the user as first axis, ({users}, ...), got {array.shape}",
            )
            self.expect(not np.isnan(array).any(), f"{what} must hold numbers, got NaN")
            self.expect(
                array.flags.writeable or not array.size,
                f"{what} must be writeable, since rows are given to new users in place: return "
                "a copy of it",
            )
        for (one, first), (other, second) in itertools.combinations(arrays.items(), 2):
            self.expect(
                not np.shares_memory(first, second),
                f"{origin}: {one} and {other} must not share memory: copy one of them",
            )


def kind_of(value: Any) -> str:
    """What something is, for an error."""
    return f"an array of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__


def _size(argument: Any) -> str:
    if isinstance(argument, np.ndarray):
        return f"an array {argument.shape}"
    if isinstance(argument, int):
        return f"{argument} users"
    return f"a {type(argument).__name__}"
