"""The workbench of the conformance kit: a user model with states and slates to try it on."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NoReturn

import numpy as np

from driftrec.envs.answers import SLACK, kind_of
from driftrec.envs.arrays import duplicate, leaves, to_library
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.conformance_stream import DriftStream
from driftrec.envs.random import RandomStreams
from driftrec.envs.user_model import UserModel, UserModelError

KINDS = {"b": "booleans", "u": "integers", "i": "integers", "f": "floats"}
"""Kinds of arrays, each of which holds what those before it do."""

DISTRIBUTION = ("mean", "draw", "log_likelihood")
"""What `respond` must answer with."""


class Kit:
    """The model under test, with states and slates to try it on.

    Attributes:
        xp: array namespace of what the model is given; all but `check_array` and `check_state`
            serve either library.
        guard: what each call of the model is made in.
    """

    def __init__(
        self, model: Any, catalogue: Catalogue | None, users: int, slate: int, seed: int
    ) -> None:
        if isinstance(model, type):
            raise UserModelError(
                f"check_user_model must be given a model, got the class {model.__name__}: make one "
                f"of it, {model.__name__}()"
            )
        self.name = type(model).__name__
        if not isinstance(model, UserModel):
            raise UserModelError(f"a user model must inherit from UserModel, got {self.name}")
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
        self.xp: Any = np
        self.guard: Callable[[], AbstractContextManager[Any]] = nullcontext

    def fail(self, message: str) -> NoReturn:
        """Report a breach of the contract."""
        raise UserModelError(f"{self.name}.{message}")

    def expect(self, right: Any, message: str) -> None:
        """Report a breach of the contract unless all is `right`."""
        if not right:
            self.fail(message)

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the model; whatever it raises names the method."""
        return self._try(method, getattr(self.model, method), arguments)

    def respond(self, state: Any, slate: Slate) -> Any:
        """The model's answer to a slate, surely a distribution."""
        answer = self.call("respond", state, slate)
        missing = [name for name in DISTRIBUTION if not hasattr(answer, name)]
        self.expect(
            not missing,
            f"respond must give a distribution of feedback, got {kind_of(answer)} without "
            f"{', '.join(missing)}: click probabilities go into IndependentClicks(...)",
        )
        self.check_library("respond(...).mean", answer.mean)
        return answer

    def ask(self, answer: Any, method: str, *arguments: Any) -> Any:
        """Call a method of a distribution of feedback."""
        return self._try(f"respond(...).{method}", getattr(answer, method), arguments)

    def _try(self, name: str, function: Any, arguments: tuple[Any, ...]) -> Any:
        try:
            with self.guard():
                return function(*arguments)
        except UserModelError:
            raise
        except Exception as error:
            arrays = "" if self.xp is np else " as torch tensors"
            given = ", ".join(self._size(argument) for argument in arguments)
            raise UserModelError(
                f"{self.name}.{name} must answer for any number of users, 0 included, and all "
                f"items of the catalogue; given {given}{arrays} it raised "
                f"{type(error).__name__}: {error}"
            ) from error

    def _size(self, argument: Any) -> str:
        if isinstance(argument, Slate):
            items, features = len(self.catalogue), self.catalogue.dimension
            shape = tuple(argument.items.shape)
            return f"a slate {shape} of {items} items with {features} features"
        if dataclasses.is_dataclass(argument) and leaves(argument):
            first = next(iter(leaves(argument).values()))
            return f"a {type(argument).__name__} of {next(iter(np.shape(first)), '?')} users"
        if isinstance(argument, int):
            return f"{argument} users"
        if isinstance(argument, type(self.elapsed(0, 0.0))):
            return f"an array {tuple(argument.shape)}"
        return f"a {type(argument).__name__}"

    def sample(self, users: int, seed: int = 0) -> Any:
        """New users, the same ones at every call with the same seed."""
        return self.call("sample", users, np.random.default_rng(self.seed + seed))

    def stream(self, rows: np.ndarray | int, seed: int = 0) -> DriftStream:
        """A drift stream for the users at `rows`, or for the first so many."""
        rows = np.arange(rows) if isinstance(rows, int) else rows
        return DriftStream(rows, self.users, self.seed + seed, self.fail, self.xp)

    def slates(self, users: int, size: int, seed: int = 0) -> Slate:
        """A slate of new items for each user."""
        rng = np.random.default_rng([self.seed, size, seed])
        items = np.array([rng.permutation(len(self.catalogue))[:size] for _ in range(self.users)])
        return self.catalogue.show(items[:users], np.zeros((users, size), np.uint8))

    def draw(self, state: Any, slate: Slate, seed: int = 0) -> np.ndarray:
        """Feedback from the model."""
        rng = RandomStreams([self.seed, seed]).response
        return np.asarray(self.ask(self.respond(state, slate), "draw", rng))

    def step(self, state: Any, slate: Slate, days: float, seed: int) -> Any:
        """The next state, after one request and `days` without one."""
        users = len(slate.items)
        feedback = self.draw(state, slate, seed)
        state = self.call("react", state, slate, feedback)
        return self.call("drift", state, self.elapsed(users, days), self.stream(users, seed))

    def elapsed(self, users: int, days: float) -> Any:
        """The same time for each user."""
        return to_library(np.full(users, days, np.float32), self.xp)

    def situations(self, users: int) -> Iterator[tuple[Any, Slate]]:
        """States of new users and of the same ones later, with slates of one and of several."""
        for size in sorted({1, self.slate}):
            state = self.sample(users)
            yield state, self.slates(users, size)
            for number, days in enumerate((3e-4, 3e-4, 0.2, 3e-4, 40.0)):
                state = self.step(state, self.slates(users, size, number), days, number)
            yield state, self.slates(users, size, 99)

    def check_library(self, what: str, array: Any) -> None:
        """That an array is of the library that the model was given arrays of."""
        library = "numpy" if self.xp is np else "torch"
        self.expect(
            isinstance(array, type(self.elapsed(0, 0.0))),
            f"{what} must be an array of {library} when given {library}, got {kind_of(array)}",
        )

    def check_array(
        self,
        what: str,
        array: Any,
        shape: tuple[int, ...],
        low: float,
        high: float,
        advice: str = "",
    ) -> None:
        """Shape, kind and range, ends included."""
        self.check_library(what, array)
        self.expect(array.dtype.kind in KINDS, f"{what} must hold numbers, got {kind_of(array)}")
        self.expect(array.shape == shape, f"{what} must have shape {shape}, got {array.shape}")
        self.expect(
            not np.isnan(array).any(), f"{what} must hold numbers, got NaN: look for 0/0 or inf-inf"
        )
        inside = (array >= low - SLACK) & (array <= high + SLACK)
        worst = array[~inside][:1]
        self.expect(inside.all(), f"{what} must lie in [{low:g}, {high:g}], got {worst}{advice}")

    def check_state(self, state: Any, users: int, origin: str) -> None:
        """Type, arrays, first axis, NaN, and that rows can be copied and overwritten."""
        advice = "" if state is None else ": decorate the class of the state with @dataclass"
        self.expect(
            dataclasses.is_dataclass(state) and not isinstance(state, type),
            f"{origin} must give a dataclass of arrays, got {kind_of(state)}{advice}",
        )
        arrays = leaves(state)
        self.expect(arrays, f"{origin} must give a dataclass with at least one array, got none")
        for name, array in arrays.items():
            self._check_leaf(f"{origin}: {name}", array, users)
        for (one, first), (other, second) in itertools.combinations(arrays.items(), 2):
            self.expect(
                not np.shares_memory(first, second),
                f"{origin}: {one} and {other} must not share memory: copy one of them",
            )
        try:
            duplicate(state)
        except TypeError as error:
            self.fail(
                f"{origin} must give a dataclass that can be made from all its fields in their "
                f"order, and {type(state).__name__} raised {error}: no kw_only, no init=False"
            )

    def _check_leaf(self, what: str, array: Any, users: int) -> None:
        self.check_library(what, array)
        self.expect(
            array.dtype.kind in KINDS,
            f"{what} must hold floats, integers or booleans, got {kind_of(array)}",
        )
        self.expect(
            array.ndim >= 1 and array.shape[0] == users,
            f"{what} must have the user as first axis, ({users}, ...), got {array.shape}",
        )
        self.expect(not np.isnan(array).any(), f"{what} must hold numbers, got NaN")
        self.expect(
            array.flags.writeable or not array.size,
            f"{what} must be writeable, since rows are given to new users in place: return a copy "
            "of it",
        )
