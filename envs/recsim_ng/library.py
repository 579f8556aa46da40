"""recsim-ng and what it needs of the world to be imported, for as long as that takes."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import warnings
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

PARTS = ("tensorflow", "tensorflow_probability", "tf_keras", "edward2", "gin")
"""What recsim-ng itself imports."""

ENVIRONMENT = {
    # TensorFlow Probability 0.25 builds on the older Keras.
    "TF_USE_LEGACY_KERAS": "1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}

_lock = threading.RLock()


class MissingExtraError(ImportError):
    """recsim-ng, or a part of what it needs, is not installed."""


class Library(NamedTuple):
    """What driftrec uses of recsim-ng and of what it is built on.

    Attributes:
        tf: TensorFlow.
        ed: edward2, random variables that can be traced.
        distributions: those of TensorFlow Probability.
        gin: configuration of classes by text.
        Value: a record of tensors by name.
        Variable: a part of a story, and what it depends on.
        FieldSpec: what a field of a variable's value may be.
        Network: the variables of a story, which step together.
        define: what a variable's value is, as a function of others.
    """

    tf: Any
    ed: Any
    distributions: Any
    gin: Any
    Value: Any
    Variable: Any
    FieldSpec: Any
    Network: Any
    define: Any


def missing() -> list[str]:
    """Names of the packages that must be installed before a story can run."""
    absent = [name for name in PARTS if find_spec(name) is None]
    try:
        # Asked for as a distribution, since any folder of that name would pass for a package.
        version("recsim-ng")
    except PackageNotFoundError:
        absent.append("recsim_ng")
    return absent


@cache
def library() -> Library:
    """recsim-ng, imported when it is first asked for: seconds, and half a gigabyte of memory.

    Raises:
        MissingExtraError: if it is not installed.
    """
    if absent := missing():
        raise MissingExtraError(
            f"a RecSim NG story needs the extra 'recsim-ng', and {', '.join(absent)} cannot be "
            "imported: pip install 'driftrec[recsim-ng]', or install the smaller recipe of "
            "docs/guide/recsim-ng.md"
        )
    first = "tensorflow" not in sys.modules
    with compatible():
        tf = importlib.import_module("tensorflow")
        if first:
            # A step is many small arrays: more threads only make it slower.
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        # Keras is imported at its first use, which must be now.
        _ = tf.keras.layers
        variable = importlib.import_module("recsim_ng.core.variable")
        return Library(
            tf=tf,
            ed=importlib.import_module("edward2"),
            distributions=importlib.import_module("tensorflow_probability").distributions,
            gin=importlib.import_module("gin"),
            Value=importlib.import_module("recsim_ng.core.value").Value,
            Variable=variable.Variable,
            FieldSpec=importlib.import_module("recsim_ng.lib.tensorflow.field_spec").FieldSpec,
            Network=importlib.import_module("recsim_ng.core.network").Network,
            define=variable.value,
        )


@contextmanager
def compatible() -> Iterator[None]:
    """Within this context recsim-ng 0.1.2, and modules built on it, can be imported.

    It was written for numpy 1 and for gym, and needs a part of edward2 to be absent that no
    longer imports. Environment variables, `numpy.Inf`, the modules `gym`, `gym.spaces` and
    `edward2.numpy`, and the filters of warnings are as they were when the context ends. Modules
    that were imported in it keep a numpy with `Inf`, and a `spaces.Box` that takes dimensions of
    TensorFlow, for themselves.
    """
    gym = _gym()
    stand_ins = {"gym": gym, "gym.spaces": gym.spaces, "edward2.numpy": None}
    with (
        _lock,
        warnings.catch_warnings(),
        _for_now(os.environ, ENVIRONMENT),
        _for_now(sys.modules, stand_ins),
        _for_now(vars(np), {"Inf": np.inf}),
    ):
        warnings.simplefilter("ignore")
        before = set(sys.modules)
        try:
            yield
        finally:
            _keep_infinity(set(sys.modules) - before, gym)


@contextmanager
def _for_now(table: MutableMapping[str, Any], entries: dict[str, Any]) -> Iterator[None]:
    """Entries of a table that are as they were when the context ends; others may come and stay."""
    before = {name: table[name] for name in entries if name in table}
    table.update(entries)
    try:
        yield
    finally:
        for name in entries:
            del table[name]
        table.update(before)


class Box:
    """What recsim-ng asks of gym: bounds and a shape, as they are written down in a spec."""

    def __init__(self, low: Any = -np.inf, high: Any = np.inf, shape: Any = None) -> None:
        self.low, self.high = low, high
        self.shape = np.shape(low) if shape is None else tuple(int(size) for size in shape)


def _gym() -> Any:
    """A stand-in for the package gym, which no longer installs beside numpy 2."""
    gym: Any = ModuleType("gym")
    gym.spaces = ModuleType("gym.spaces")
    gym.spaces.Box = Box
    return gym


class _NumpyWithInfinity(ModuleType):
    """numpy, and its old name of infinity."""

    Inf = np.inf

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def _keep_infinity(imported: set[str], gym: Any) -> None:
    """Let modules that were written for gym find `np.Inf` when their functions run."""
    for name in imported:
        # Not every entry of `sys.modules` is a module.
        names = getattr(sys.modules[name], "__dict__", {})
        written_for_gym = names.get("spaces") is gym.spaces or names.get("gym") is gym
        if names.get("np") is np and (written_for_gym or name.startswith("recsim_ng.")):
            names["np"] = _NumpyWithInfinity("numpy")
