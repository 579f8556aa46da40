"""Keeping a population in two files: JSON for what can be read, npz for the arrays."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from driftrec.envs.catalogue import Catalogue
from driftrec.envs.drifting_user import DriftingUser
from driftrec.envs.files import write_bytes, write_json
from driftrec.envs.population import Population

FORMAT = "driftrec population"
VERSION = 1
_CATALOGUE_ARRAYS = ("features", "topics", "quality")
_NAMES = ("titles", "topic_names")
_BASE = "base"


class StorageError(ValueError):
    """A population cannot be saved or loaded: says which file, what was expected, what came."""


def save_population(population: Population, path: str | Path) -> tuple[Path, Path]:
    """Write a population of `DriftingUser` to `path.json` and `path.npz`.

    Both files are written beside and then moved into place, the arrays first. The JSON file
    names the digest of the arrays: a pair that does not belong together is found out.

    Args:
        population: what to save.
        path: of the two files, without their ending.

    Returns:
        The paths of the JSON and of the npz file.

    Raises:
        StorageError: if a user model is not a `DriftingUser`.
    """
    arrays: dict[str, np.ndarray] = {}
    parts = {_BASE: (population.model, population.catalogue), **population.variants}
    splits = {name: _packed(name, *part, arrays) for name, part in parts.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # the stubs want a bool for any name
    content = {
        "format": FORMAT,
        "version": VERSION,
        "name": population.name,
        "slate": population.slate,
        "max_requests": population.max_requests,
        "max_days": population.max_days,
        "repeats": population.repeats,
        "candidates": population.candidates,
        "arrivals": population.arrivals,
        "arrays_sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        "splits": splits,
        "card": population.card.splitlines(),
    }
    json_path, npz_path = _paths(path)
    write_bytes(npz_path, buffer.getvalue())
    write_json(json_path, content)
    return json_path, npz_path


def load_population(path: str | Path) -> Population:
    """Read a population that `save_population` wrote.

    Args:
        path: of the two files, with or without the ending of one of them.

    Raises:
        StorageError: if a file is absent, corrupt, of another kind or version, or the two do not
            belong together.
    """
    json_path, npz_path = _paths(path)
    content = _read_json(json_path)
    arrays = _read_arrays(npz_path, content["arrays_sha256"])
    try:
        parts = {name: _unpacked(part, arrays) for name, part in content["splits"].items()}
        model, catalogue = parts.pop(_BASE)
        days = content["max_days"]
        return Population(
            content["name"],
            model,
            catalogue,
            variants=parts,
            slate=content["slate"],
            max_requests=content["max_requests"],
            max_days=float("inf") if days is None else days,
            repeats=content.get("repeats", False),
            candidates=content.get("candidates", 0),
            arrivals=content.get("arrivals", 0),
            card="\n".join(content["card"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StorageError(
            f"{json_path}: expected a population of version {VERSION}, its content does not fit: "
            f"{error!r}; fit it again (scripts/fit.py)"
        ) from error


def _packed(
    split: str, model: Any, catalogue: Catalogue, arrays: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Parameters as numbers; arrays put into `arrays`, each only once, and named."""
    if type(model) is not DriftingUser:
        raise StorageError(
            f"split {split!r}: only DriftingUser models can be saved, got {type(model).__name__}"
        )
    parameters = {item.name: getattr(model, item.name) for item in fields(model)}
    stored = {
        "personas": _stored(parameters.pop("personas"), f"{split}_personas", arrays),
        **{
            name: _stored(getattr(catalogue, name), f"{split}_{name}", arrays)
            for name in _CATALOGUE_ARRAYS
        },
    }
    for name in _NAMES:
        if values := getattr(catalogue, name):
            stored[name] = _stored(np.array(values, np.str_), f"{split}_{name}", arrays)
    # JSON has no infinity: written as null, it is read back as infinity.
    numbers = {name: value for name, value in parameters.items() if not isinstance(value, str)}
    return {"choice": model.choice, "parameters": numbers, "arrays": stored}


def _stored(array: np.ndarray, name: str, arrays: dict[str, np.ndarray]) -> str:
    for known, other in arrays.items():
        if array.dtype == other.dtype and np.array_equal(array, other):
            return known
    arrays[name] = array
    return name


def _unpacked(
    part: dict[str, Any], arrays: dict[str, np.ndarray]
) -> tuple[DriftingUser, Catalogue]:
    found = {name: arrays[key] for name, key in part["arrays"].items()}
    numbers: dict[str, Any] = {
        name: float("inf") if value is None else value for name, value in part["parameters"].items()
    }
    names: dict[str, Any] = {
        name: tuple(found.pop(name).tolist()) for name in _NAMES if name in found
    }
    model = DriftingUser(personas=found.pop("personas"), choice=part["choice"], **numbers)
    return model, Catalogue(found["features"], found["topics"], found["quality"], **names)


def _paths(path: str | Path) -> tuple[Path, Path]:
    base = Path(path)
    if base.suffix in (".json", ".npz"):
        base = base.with_suffix("")
    return base.with_name(base.name + ".json"), base.with_name(base.name + ".npz")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(
            f"{path}: expected a file of a saved population, cannot read it ({error.strerror})"
        ) from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_read(path))
    except ValueError as error:
        raise StorageError(f"{path}: expected JSON, got something else ({error})") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise StorageError(f"{path}: expected a file of format {FORMAT!r}, got another kind")
    if content.get("version") != VERSION:
        raise StorageError(
            f"{path}: expected version {VERSION}, got {content.get('version')!r}; fit it again "
            "(scripts/fit.py) or install the release that wrote it"
        )
    if "arrays_sha256" not in content:
        raise StorageError(f"{path}: expected the digest of the arrays, got none")
    return content


def _read_arrays(path: Path, digest: str) -> dict[str, np.ndarray]:
    data = _read(path)
    if hashlib.sha256(data).hexdigest() != digest:
        raise StorageError(
            f"{path}: expected the arrays that its JSON file was saved with, got others or a "
            "damaged file; save the population again, both files together"
        )
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise StorageError(f"{path}: expected arrays in npz format ({error})") from error
