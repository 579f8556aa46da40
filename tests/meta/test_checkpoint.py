"""Checkpoints: what is written is read back, and nothing else is taken for one."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from driftrec.envs.files import write_bytes
from driftrec.meta.checkpoint import (
    CheckpointError,
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
