"""The realism script from the shell: a table with marks, numbers and plots."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "realism.py"
PNG = b"\x89PNG"


def realism(*arguments):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def write_log(path, users=200, items=60):
    """Ratings by users who come back every few days, in RecBole's format."""
    rng = np.random.default_rng(0)
    liking = rng.normal(size=users)[:, None] + rng.normal(size=items)
    lines = ["user_id:token\titem_id:token\trating:float\ttimestamp:float"]
    for user in range(users):
        times = 1.3e9 + np.cumsum(rng.exponential(4 * 86400, rng.integers(3, 25)))
        for time, item in zip(times, rng.permutation(items), strict=False):
            rating = np.clip(np.round(3.5 + liking[user, item]), 1, 5)
            lines.append(f"u{user}\ti{item}\t{rating}\t{time:.0f}")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("realism")
    write_log(out / "small.inter")
    return realism("--log", out / "small.inter", "--items", 30, "--users", 300, "--out", out), out


def test_every_statistic_has_its_intervals_and_a_mark(done):
    result, out = done
    assert result.returncode == 0, result.stderr
    found = json.loads((out / "realism.json").read_text())["statistics"]
    assert len(found) >= 15
    for one in found:
        assert one["real_interval"][0] <= one["real_interval"][1], one["name"]
        assert one["simulated_interval"][0] <= one["simulated_interval"][1], one["name"]
    inside = sum(one["inside"] for one in found)
    assert f"{inside} of {len(found)} inside" in result.stdout
    assert result.stdout.count("falls short") >= len(found) - inside
    assert {one["name"] for one in found} >= {
        "click rate", "item effect, SD", "gap p50, days", "events a user p90",
        "last - first >= 30 days", "Gini of items", "covariance of clicks, 1-14 days",
    }  # fmt: skip


def test_plots_are_pictures(done):
    for name in ("statistics.png", "decay.png"):
        assert (done[1] / name).read_bytes().startswith(PNG)


def test_too_few_users_are_refused(tmp_path):
    result = realism("--users", 3, "--out", tmp_path / "out")
    assert result.returncode == 2
    assert "users must be at least 10" in result.stderr
    assert not (tmp_path / "out").exists()
