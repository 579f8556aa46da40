"""The tuning script tunes methods within one budget, and goes on where it was cut."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "tune.py"


def tune(folder, *arguments):
    command = [sys.executable, str(SCRIPT), "--out", str(folder), "--size", "smoke", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_methods_are_tuned_within_one_budget_and_gone_on_with(tmp_path):
    methods = ("--methods", "lin-ts", "window-linucb", "--users", "20")
    for trials in ("2", "3"):
        done = tune(tmp_path, *methods, "--trials", trials)
        assert done.returncode == 0, done.stderr
        assert "window-linucb" in done.stdout
    kept = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("Feed/*/trials.json"))]
    assert [one["method"] for one in kept] == ["lin-ts", "window-linucb"]
    assert all(len(one["trials"]) == 3 and one["budget"]["users"] == 20 for one in kept)
    assert all(one["split"] == "validation" for one in kept)
    summary = json.loads((tmp_path / "Feed" / "tuned.json").read_text())
    for one in kept:
        first, best = one["trials"][0], max(one["trials"], key=lambda trial: trial["value"])
        gain = best["value"] - first["value"]
        assert summary["chosen"][one["method"]] == (best if gain > 0.004 else first)["options"]
        assert summary["methods"][one["method"]] == one


def test_what_is_wrong_is_said_in_a_line(tmp_path):
    done = tune(tmp_path, "--methods", "most-popular")
    assert done.returncode == 2
    assert "most-popular has no options to tune" in done.stderr


def test_who_does_not_suit_the_population_is_left_out(tmp_path):
    """The feed has no titles to read keywords from."""
    few = ("--users", "20", "--trials", "1")
    done = tune(tmp_path, "--methods", "content-keywords", "window-linucb", *few)
    assert done.returncode == 0, done.stderr
    assert "content-keywords is left out: reads titles" in done.stdout
    summary = json.loads((tmp_path / "Feed" / "tuned.json").read_text())
    assert list(summary["chosen"]) == ["window-linucb"]
    alone = tune(tmp_path, "--methods", "content-keywords", *few)
    assert alone.returncode == 2
    assert "content-keywords is left out" in alone.stderr
