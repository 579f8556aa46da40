"""Arrays by name, as trained policies keep them in files, and the parts of a whole by prefixes."""

from __future__ import annotations

from collections.abc import Mapping

from driftrec.envs.arrays import Array


def prefixed(name: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays under names of the form "name.of-array"."""
    return {f"{name}.{key}": array for key, array in arrays.items()}


def within(name: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """What `prefixed` was given, from among other arrays."""
    start = f"{name}."
    return {k.removeprefix(start): array for k, array in arrays.items() if k.startswith(start)}
