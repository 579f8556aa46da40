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
    *(
        "learner:rl2",
        "--learner.users",
        "8",
        "--learner.hidden",
        "4",
        "--learner.workers",
        "1",
        "--learner.probes",
        "2",
    ),
    *(
        "--learner.validation-users",
        "4",
        "--learner.validate-every",
        "1",
        "--learner.ppo.epochs",
        "1",
    ),
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
    size = ["--max-requests", "20", *TINY, "--learner.iterations", "12"]
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
        (["--population", "Nowhere", "learner:rl2"], "population must be one of"),
        (
            ["learner:rl2", "--learner.users", "3", "--learner.workers", "2"],
            "users (3) must divide among 2 workers",
        ),
        (["learner:rl2", "--learner.reward", "likes"], "reward must be made of"),
    ],
)
def test_bad_input_is_named_in_one_line_with_exit_code_2(arguments, message, tmp_path):
    result = train("--out", tmp_path, *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def names_of_learners():
    from driftrec.meta import learner_names

    return learner_names()


@pytest.mark.parametrize("learner", names_of_learners())
def test_every_learner_trains_in_its_smoke_size_to_a_policy_that_loads(learner, tmp_path):
    from driftrec.meta import load

    cut = ("--max-requests", "12", "--size", "smoke")
    result = train("--population", "Feed", "--out", tmp_path, *cut, f"learner:{learner}")
    assert result.returncode == 0, result.stderr
    policy = load(tmp_path)
    assert policy.about["population"] == "Feed"
    assert policy.start(3) is not None


def test_each_learner_explains_its_own_options():
    result = train("learner:dpt", "--help")
    assert result.returncode == 0
    assert "--learner.window" in result.stdout
    assert "--learner.own-rate" not in result.stdout
