"""The scripts that set ours beside the originals, on few users."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"

HIDE = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
import originals
hidden = sys.argv[3].split(",")
originals.NEEDED = {k: (("there_is_no_such_module",) if k in hidden else v)
                    for k, v in originals.NEEDED.items()}
script, sys.argv = sys.argv[2], sys.argv[2:3] + sys.argv[4:]
runpy.run_path(script, run_name="__main__")
"""
"""Runs a script as if some originals were not installed."""


def script(name, *arguments, hidden="sardine,recsim,recogym"):
    command = [sys.executable, "-c", HIDE, SCRIPTS, SCRIPTS / f"{name}.py", hidden, *arguments]
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def compare():
    sys.path.insert(0, str(SCRIPTS))
    try:
        import compare_originals
    finally:
        sys.path.remove(str(SCRIPTS))
    return compare_originals


def test_speed_is_set_beside_what_was_measured_where_no_original_is_installed(tmp_path):
    done = script(
        "bench_speed",
        "--no-feed",
        "--no-training",
        "--repeats",
        1,
        "--out",
        tmp_path / "speed.json",
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "speed.json").read_text())["measurements"]
    values = {(one["what"], one["users"]): one for one in found}
    theirs = values["original sardine.SlateTopK-Bored, measured before", 1]
    assert theirs["value"] == 9000
    ours = values["gym.make_vec sardine.SlateTopK-Bored", 1024]
    assert ours["goal"] == ">= 2.7M"
    assert ours["met"] == (ours["value"] >= 2.7e6)


def test_without_any_original_it_is_said_how_to_install_them():
    done = script("compare_originals")
    assert done.returncode == 2
    assert "none of these originals is installed" in done.stderr
    said = " ".join(done.stdout.split())
    assert "recsim is not installed here, and left out: pip install --no-deps recsim==" in said


def test_few_users_of_an_original_are_compared_with_ours(tmp_path):
    pytest.importorskip("sardine")
    done = script(
        "compare_originals", "--users", 10, "--requests", 1, 5, "--out", tmp_path / "rows.md",
        "--summary", tmp_path / "found.json", hidden="recsim,recogym",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = (tmp_path / "rows.md").read_text().splitlines()
    assert sum(row.startswith("| sardine.SlateTopK-Bored | random |") for row in rows) > 5
    assert max(map(len, done.stdout.splitlines())) <= 100
    found = json.loads((tmp_path / "found.json").read_text())
    each = sum("| KS |" in row or "| chi² |" in row for row in rows)
    assert (found["sources"], found["users"], found["tests"]) == (["sardine"], 10, each)
    assert f"{found['different']} of {each} tests" in " ".join(done.stdout.split())


@pytest.mark.parametrize("counts", [True, False])
def test_equal_samples_pass_and_others_fail(compare, counts):
    rng = np.random.default_rng(0)

    def sample(shift):
        return rng.poisson(1 + shift, 500) if counts else rng.normal(shift, 1, 500)

    kind, p = compare.two_samples(sample(0), sample(0))
    assert kind == ("chi²" if counts else "KS")
    assert p > 0.01
    assert compare.two_samples(sample(0), sample(0.5))[1] < 1e-4


def test_rare_values_join_others(compare):
    counts = np.array([[50, 3, 2, 1, 40, 1], [52, 1, 0, 2, 41, 0]])
    cells = compare.pooled(counts)
    assert cells.sum(1).tolist() == counts.sum(1).tolist()
    assert cells.shape[1] == 2


def test_p_values_are_corrected_by_holm(compare):
    tests = [compare.Difference("", "", "", "", 0, 0, p) for p in (0.01, 0.04, 0.03, 0.005)]
    corrected = [test.holm for test in compare.with_holm(tests)]
    np.testing.assert_allclose(corrected, [0.03, 0.06, 0.06, 0.02])
