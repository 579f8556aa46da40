"""Checkpoints: tensors and a JSON description in one safetensors file, written atomically."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from driftrec.envs.files import write_bytes

FORMAT = "driftrec-checkpoint-1"


class CheckpointError(ValueError):
    """A checkpoint cannot be read, or is not of the kind that was asked for."""


@contextmanager
def reading(path: str | Path, expected: str) -> Iterator[None]:
    """Within the block, what a damaged description raises becomes a `CheckpointError`.

    Args:
        path: of the file.
        expected: what it should hold.
    """
    try:
        yield
    except CheckpointError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} is damaged: expected {expected}, got {type(error).__name__}: {error}"
        ) from error


def write_checkpoint(
    path: str | Path, kind: str, tensors: dict[str, Tensor], description: dict[str, Any]
) -> None:
    """Write a checkpoint: a reader sees the old file or the new one, never half of it.

    Args:
        path: of the file; missing folders are made.
        kind: what it holds, checked when it is read.
        tensors: by name.
        description: anything JSON can hold.

    Raises:
        OSError: if the file cannot be written; one that was there stays as it was.
    """
    # One key only: safetensors writes several in an order that differs from run to run.
    content = {"kind": kind, "description": description}
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {FORMAT: json.dumps(content | {"sha256": _digest(content, contiguous)})}
    write_bytes(path, save(contiguous, metadata))


def _digest(content: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    """Hash of a description and of the bytes of tensors on the CPU."""
    found = hashlib.sha256(json.dumps(content).encode())
    for name in sorted(tensors):
        found.update(name.encode())
        found.update(tensors[name].reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def read_checkpoint(path: str | Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and description of a checkpoint.

    Raises:
        CheckpointError: if there is no such file, it is damaged, or holds something else.
    """
    tensors, content = _read(Path(path))
    # Files of earlier versions have none.
    sha256 = content.pop("sha256", None)
    if content["kind"] != kind:
        raise CheckpointError(f"{path} holds a {content['kind']!r} checkpoint, expected {kind!r}")
    if sha256 is not None and sha256 != (found := _digest(content, tensors)):
        raise CheckpointError(
            f"{path} is damaged: the sha256 of what it holds is {found}, and it was written with "
            f"{sha256}"
        )
    return tensors, content["description"]


def _read(path: Path, with_tensors: bool = True) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint at {path}")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            names = file.keys() if with_tensors else ()
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is no readable safetensors file: {error}") from error
    if FORMAT not in metadata:
        raise CheckpointError(
            f"{path} was not written by driftrec: its metadata names {sorted(metadata)}, expected "
            f"{FORMAT!r}"
        )
    with reading(path, "JSON in its metadata"):
        content = json.loads(metadata[FORMAT])
    if not isinstance(content, dict) or not {"kind", "description"} <= content.keys():
        raise CheckpointError(f"{path} is damaged: expected a kind and a description")
    return tensors, content


def checkpoint_kind(path: str | Path) -> str:
    """What a checkpoint holds.

    Raises:
        CheckpointError: as `read_checkpoint`.
    """
    _, content = _read(Path(path), with_tensors=False)
    kind: str = content["kind"]
    return kind


def load_weights(module: nn.Module, tensors: dict[str, Tensor], path: str | Path) -> None:
    """Copy weights into a module.

    Raises:
        CheckpointError: if names or shapes differ, or a weight is not finite, naming the first.
    """
    expected = module.state_dict()
    if missing := sorted(expected.keys() ^ tensors.keys()):
        raise CheckpointError(f"{path} does not fit the network: it differs in {missing[0]!r}")
    for name, tensor in expected.items():
        if tensors[name].shape != tensor.shape:
            raise CheckpointError(
                f"{path} does not fit the network: {name!r} has shape "
                f"{tuple(tensors[name].shape)}, expected {tuple(tensor.shape)}"
            )
    check_finite(tensors, path)
    module.load_state_dict(tensors)


def check_finite(tensors: dict[str, Tensor], path: str | Path) -> None:
    """Refuse tensors that hold NaN or infinity.

    Raises:
        CheckpointError: naming the first that does.
    """
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise CheckpointError(f"{path} holds NaN or infinity in {name!r}, expected numbers")


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """State of an optimiser as tensors by "number of the parameter.name"."""
    states = optimiser.state_dict()["state"]
    return {
        f"{number}.{name}": value.clone()
        for number in states
        for name, value in states[number].items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what `optimiser_tensors` took."""
    whole = optimiser.state_dict()
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, key = name.split(".", 1)
        states.setdefault(int(number), {})[key] = tensor
    optimiser.load_state_dict({"state": states, "param_groups": whole["param_groups"]})
