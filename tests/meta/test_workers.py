"""Several processes learn what one would from all their users, whoever started them."""

from __future__ import annotations

import importlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from driftrec.meta.workers import Worker, is_lead, run_workers

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def halves():
    with pytest.MonkeyPatch.context() as patch:
        # Spawned processes find it by name.
        patch.syspath_prepend(str(Path(__file__).parent))
        yield importlib.import_module("halves")


@pytest.fixture(scope="module")
def parts(halves):
    """What the first of two processes found, each with half of the users."""
    return run_workers(2, halves.gradients)


def test_two_processes_give_the_gradients_of_one_with_twice_the_batch(parts, halves):
    whole = run_workers(1, halves.gradients)
    for name in ("policy", "belief", "hard"):
        assert whole[name].abs().max() > 0.01
        torch.testing.assert_close(parts[name], whole[name], atol=1e-6, rtol=1e-6)
    # They are not the gradients of the half that came back: advantages are in units of both.
    assert abs(whole["advantage"]) < 1e-6
    assert abs(parts["advantage"]) > 1e-3


def test_after_a_trust_region_step_all_workers_have_the_same_weights(parts):
    apart, moved = parts["apart"]
    assert moved > 1e-3
    assert apart < 1e-6


def test_mean_and_spread_of_a_worker_alone_are_those_of_its_values():
    values = torch.tensor([1.0, 2.0, 6.0])
    assert Worker().mean_and_spread(values) == pytest.approx((3.0, 7**0.5))


def test_the_launchers_number_of_processes_must_be_that_of_workers(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert not is_lead()
    with pytest.raises(ValueError, match=r"torchrun started 4 process.*set workers=4, not 2"):
        run_workers(2, print)


def test_there_must_be_a_worker():
    with pytest.raises(ValueError, match="workers must be at least 1"):
        run_workers(0, print)


@pytest.mark.slow
def test_torchrun_trains_to_the_byte_what_spawned_workers_do(tmp_path):
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    launch += ["--master-addr", "127.0.0.1", "--master-port", str(free_port())]
    said = [trained(start, tmp_path / name) for name, start in {
        "spawned": [sys.executable], "launched": launch,
    }.items()]  # fmt: skip
    assert [one.count("best on validation users") for one in said] == [1, 1]
    for name in ("policy.safetensors", "training.safetensors", "metrics.jsonl"):
        spawned = (tmp_path / "spawned" / name).read_bytes()
        assert spawned == (tmp_path / "launched" / name).read_bytes(), name


def trained(start, out):
    """What `scripts/train.py` says of a small run."""
    sizes = {
        "users": 8, "hidden": 4, "workers": 2, "iterations": 2, "validation-users": 4,
        "validate-every": 1, "ppo.epochs": 1, "probes": 2,
    }  # fmt: skip
    options = [word for name, size in sizes.items() for word in (f"--learner.{name}", str(size))]
    command = [*start, str(ROOT / "scripts" / "train.py"), "--out", str(out)]
    ended = subprocess.run(
        [*command, "--max-requests", "6", "learner:rl2", *options],
        capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def free_port():
    """A port of this machine that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
