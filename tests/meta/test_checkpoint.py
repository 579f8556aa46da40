"""Checkpoints: what is written is read back, and nothing else is taken for one."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from driftrec.envs.files import write_bytes
from driftrec.meta.checkpoint import (
    FORMAT,
    CheckpointError,
    checkpoint_kind,
    load_weights,
    optimiser_tensors,
    read_checkpoint,
    restore_optimiser,
    write_checkpoint,
)


def test_round_trip(tmp_path):
    tensors = {"a": torch.arange(6.0).view(2, 3).T, "b": torch.tensor(2)}
    write_checkpoint(tmp_path / "deep" / "c", "kind", tensors, {"x": [1, {"y": None}]})
    back, description = read_checkpoint(tmp_path / "deep" / "c", "kind")
    assert description == {"x": [1, {"y": None}]}
    assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())


def test_damaged_foreign_missing_and_other_kinds_are_named(tmp_path):
    good = tmp_path / "good"
    write_checkpoint(good, "kind", {"a": torch.zeros(1000)}, {})
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        read_checkpoint(tmp_path / "none", "kind")
    with pytest.raises(CheckpointError, match="holds a 'kind' checkpoint, expected 'other'"):
        read_checkpoint(good, "other")
    (tmp_path / "cut").write_bytes(good.read_bytes()[:500])
    with pytest.raises(CheckpointError, match="no readable safetensors"):
        read_checkpoint(tmp_path / "cut", "kind")
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign")
    with pytest.raises(CheckpointError, match="not written by driftrec"):
        read_checkpoint(tmp_path / "foreign", "kind")


def rewritten(path, change):
    """The file with other metadata under the checkpoint's key."""
    with safe_open(path, "pt") as file:
        content = json.loads(file.metadata()[FORMAT])
    save_file(load_file(path), path, {FORMAT: change(content)})


def test_flipped_bytes_are_noticed_wherever_they_are(tmp_path):
    path = tmp_path / "file"
    tensors = {"a": torch.arange(5000.0), "b": torch.tensor(True), "c": torch.zeros(0, 3)}
    write_checkpoint(path, "kind", tensors, {"bonus": 1.0, "best": -float("inf"), "x": (1, 2)})
    read_checkpoint(path, "kind")
    good = path.read_bytes()
    changed = bytearray(good)
    for place in range(len(good) - 1001, len(good) - 1):
        changed[place] ^= 1
    path.write_bytes(changed)
    with pytest.raises(CheckpointError, match="is damaged: the sha256 of what it holds"):
        read_checkpoint(path, "kind")
    path.write_bytes(good.replace(b"1.0", b"9.0", 1))
    with pytest.raises(CheckpointError, match="is damaged: the sha256 of what it holds"):
        read_checkpoint(path, "kind")


def test_files_of_earlier_versions_have_no_hash_and_are_read(tmp_path):
    write_checkpoint(tmp_path / "old", "kind", {"a": torch.ones(2)}, {"x": 1})
    rewritten(
        tmp_path / "old",
        lambda now: json.dumps({name: now[name] for name in ("kind", "description")}),
    )
    tensors, description = read_checkpoint(tmp_path / "old", "kind")
    assert torch.equal(tensors["a"], torch.ones(2))
    assert description == {"x": 1}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ("{", "expected JSON in its metadata"),
        ("[]", "expected a kind and a description"),
        ('{"kind": "kind"}', "expected a kind and a description"),
    ],
)
def test_damaged_metadata_is_named(metadata, message, tmp_path):
    write_checkpoint(tmp_path / "file", "kind", {"a": torch.ones(2)}, {})
    rewritten(tmp_path / "file", lambda _: metadata)
    for read in (checkpoint_kind, lambda path: read_checkpoint(path, "kind")):
        with pytest.raises(CheckpointError, match=message):
            read(tmp_path / "file")


def test_a_failed_write_keeps_the_old_file_and_leaves_no_part(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_weights_that_do_not_fit_are_named():
    with pytest.raises(CheckpointError, match=r"'weight' has shape \(1, 3\), expected \(1, 2\)"):
        load_weights(nn.Linear(2, 1), nn.Linear(3, 1).state_dict(), "file")
    with pytest.raises(CheckpointError, match="differs in 'bias'"):
        load_weights(nn.Linear(2, 1), nn.Linear(2, 1, bias=False).state_dict(), "file")
    for bad in (float("nan"), float("inf")):
        poisoned = nn.Linear(2, 1).state_dict() | {"bias": torch.tensor([bad])}
        with pytest.raises(CheckpointError, match="file holds NaN or infinity in 'bias'"):
            load_weights(nn.Linear(2, 1), poisoned, "file")


def test_restored_optimiser_takes_the_same_step():
    def trained(module, optimiser, steps):
        for step in range(steps):
            optimiser.zero_grad()
            (module(torch.full((1, 2), 1.0 + step)) ** 2).sum().backward()
            optimiser.step()

    first, second = nn.Linear(2, 1), nn.Linear(2, 1)
    one = torch.optim.Adam(first.parameters(), lr=0.1)
    trained(first, one, 3)
    second.load_state_dict(first.state_dict())
    other = torch.optim.Adam(second.parameters(), lr=0.1)
    restore_optimiser(other, optimiser_tensors(one))
    trained(first, one, 2)
    trained(second, other, 2)
    assert torch.equal(first.weight, second.weight)
