"""The training script from the shell: it trains, resumes, and names what is wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "train.py"
TINY = [
    *("--rl2.users", "8", "--rl2.hidden", "4", "--rl2.workers", "1", "--rl2.probes", "2"),
    *("--rl2.validation-users", "4", "--rl2.validate-every", "1", "--rl2.ppo.epochs", "1"),
]


def command(*arguments):
    return [sys.executable, str(SCRIPT), *map(str, arguments)]


def train(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False)


def last_iteration(folder):
    path = folder / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return json.loads(lines[-1])["iteration"] if lines else 0


def test_a_killed_run_resumes_to_the_file_of_one_that_was_never_cut(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    size = [*TINY, "--rl2.iterations", "12"]
    assert train("--out", whole, *size).returncode == 0
    process = subprocess.Popen(
        command("--out", cut, *size), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while last_iteration(cut) < 3 and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert last_iteration(cut) < 12, "the run ended before it could be killed"
    again = train("--out", cut, *size)
    assert again.returncode == 2
    assert "holds a training run already: give --resume" in again.stderr
    resumed = train("--out", cut, "--resume", *size)
    assert resumed.returncode == 0, resumed.stderr
    for name in ("policy.safetensors", "training.safetensors", "metrics.jsonl", "learning.png"):
        assert (whole / name).read_bytes() == (cut / name).read_bytes(), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--population", "Nowhere"], "population must be one of"),
        (["--rl2.users", "3", "--rl2.workers", "2"], "users (3) must divide among 2 workers"),
        (["--rl2.reward", "likes"], "reward must be made of"),
    ],
)
def test_bad_input_is_named_in_one_line_with_exit_code_2(arguments, message, tmp_path):
    result = train("--out", tmp_path, *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
