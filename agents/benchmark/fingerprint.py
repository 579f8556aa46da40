"""Names things by what they hold, so that equal ones share results and others never do."""

from __future__ import annotations

import dataclasses
import hashlib
import types
from collections.abc import Iterable, Mapping, Set
from enum import Enum
from functools import cached_property, partial, singledispatch
from pathlib import PurePath
from typing import Any

import numpy as np

from driftrec.envs import Population


def fingerprint(*values: Any) -> str:
    """Hash of all that values hold, the same in every process and on every machine.

    Dataclasses count by their class and fields, at any depth; arrays by type, shape and content;
    functions and classes by their qualified names, and those without one of their own (lambdas)
    by what they do; other objects by what they would be pickled as, without what a
    `cached_property` has put there. What a mapping or set holds has no order.

    Returns:
        64 hexadecimal digits.

    Raises:
        ValueError: if something cannot be told by its content, such as an open file.
    """
    try:
        return _joined("values", map(_digest, values)).hex()
    except RecursionError as error:
        raise ValueError(
            "what is fingerprinted must not hold itself: give the class that refers to itself "
            "a __reduce__ that leaves that out"
        ) from error


def population_fingerprint(population: Population) -> str:
    """Hash of a population but for its card, on which nothing that happens depends."""
    return fingerprint(dataclasses.replace(population, card=""))


def _joined(kind: str, parts: Iterable[bytes]) -> bytes:
    # Every part has the length of a digest, and the kind ends here, so that no two lists of
    # parts give the same bytes.
    return hashlib.sha256(kind.encode() + b"\0" + b"".join(parts)).digest()


def _leaf(kind: str, content: bytes) -> bytes:
    return _joined(kind, [hashlib.sha256(content).digest()])


@singledispatch
def _digest(value: Any) -> bytes:
    if dataclasses.is_dataclass(value):
        return _members(value, {f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    if callable(value) and hasattr(value, "__qualname__") and hasattr(value, "__module__"):
        return _leaf("callable", _name(value).encode())
    return _reduced(value)


def _members(value: Any, members: Mapping[str, Any]) -> bytes:
    parts = [_joined(name, [_digest(member)]) for name, member in sorted(members.items())]
    return _joined(f"object {_name(type(value))}", parts)


def _name(value: Any) -> str:
    return f"{value.__module__}:{value.__qualname__}"


def _reduced(value: Any) -> bytes:
    """Of an object of any class: what pickle would make it from."""
    try:
        reduced = value.__reduce_ex__(4)
    except TypeError as error:
        raise ValueError(
            f"a {type(value).__name__} cannot be told by its content ({error}): keep it out of "
            "the fields of methods and populations, or give its class a __reduce__"
        ) from error
    if isinstance(reduced, str):
        return _leaf("global", f"{type(value).__module__}:{reduced}".encode())
    make, arguments, state, *items = (*reduced, None) if len(reduced) == 2 else reduced
    if isinstance(state, dict):
        state = {name: held for name, held in state.items() if not _cached(type(value), name)}
    kept = [None if iterator is None else list(iterator) for iterator in items[:2]]
    return _joined(f"reduced {_name(type(value))}", map(_digest, (make, arguments, state, kept)))


def _cached(kind: type, name: Any) -> bool:
    return any(isinstance(vars(base).get(name), cached_property) for base in kind.__mro__)


@_digest.register(type(None))
@_digest.register(bool)
@_digest.register(int)
@_digest.register(complex)
@_digest.register(str)
def _(value: Any) -> bytes:
    kind = next(base for base in (bool, int, complex, str, type(value)) if isinstance(value, base))
    return _leaf(kind.__name__, str(value).encode("utf-8", "surrogatepass"))


@_digest.register
def _(value: float) -> bytes:
    return _leaf("float", value.hex().encode())


@_digest.register(bytes)
@_digest.register(bytearray)
def _(value: bytes) -> bytes:
    return _leaf("bytes", value)


@_digest.register
def _(value: PurePath) -> bytes:
    return _leaf("path", value.as_posix().encode())


@_digest.register
def _(value: Enum) -> bytes:
    return _leaf("enum", f"{_name(type(value))}.{value.name}".encode())


@_digest.register(np.ndarray)
@_digest.register(np.generic)
def _(value: Any) -> bytes:
    array = np.asarray(value)
    kind = f"array {array.dtype.str} {array.dtype.descr} {array.shape}"
    if array.dtype.hasobject:
        return _joined(kind, [_digest(array.tolist())])
    return _leaf(kind, array.tobytes())


@_digest.register(list)
@_digest.register(tuple)
def _(value: list[Any]) -> bytes:
    return _joined("sequence", map(_digest, value))


@_digest.register
def _(value: Mapping) -> bytes:  # type: ignore[type-arg]  # dispatch knows no generics
    return _joined("mapping", sorted(_joined("item", map(_digest, item)) for item in value.items()))


@_digest.register
def _(value: Set) -> bytes:  # type: ignore[type-arg]  # dispatch knows no generics
    return _joined("set", sorted(map(_digest, value)))


@_digest.register
def _(value: np.random.Generator) -> bytes:
    return _joined("generator", [_digest(value.bit_generator.state)])


@_digest.register(type)
def _(value: type) -> bytes:
    return _leaf("class", _name(value).encode())


@_digest.register(partial)
def _(value: Any) -> bytes:
    return _joined("partial", map(_digest, (value.func, value.args, value.keywords)))


@_digest.register
def _(value: types.MethodType) -> bytes:
    return _joined("bound", map(_digest, (value.__func__, value.__self__)))


@_digest.register
def _(value: types.BuiltinFunctionType) -> bytes:
    name, owner = _leaf("callable", value.__qualname__.encode()), value.__self__
    if isinstance(owner, types.ModuleType | type(None)):
        return _joined(f"of {value.__module__}", [name])
    return _joined("bound", [name, _digest(owner)])


@_digest.register
def _(value: types.FunctionType) -> bytes:
    name = _leaf("function", _name(value).encode())
    if "<" not in value.__qualname__:
        return name
    cells: list[Any] = [cell.cell_contents for cell in value.__closure__ or ()]
    held = (cells, value.__defaults__, value.__kwdefaults__)
    return _joined("local function", [name, _digest(value.__code__), *map(_digest, held)])


@_digest.register
def _(value: types.CodeType) -> bytes:
    return _joined("code", map(_digest, (value.co_code, value.co_names, value.co_consts)))
