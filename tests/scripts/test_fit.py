"""The fitting script from the shell: it writes a population that loads, and names what is wrong."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from driftrec.envs import load_population

SCRIPT = Path(__file__).parents[2] / "scripts" / "fit.py"


def fit(*arguments):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def write_log(path, users=150, items=60):
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


def test_a_log_becomes_a_population_with_its_card(tmp_path):
    log = tmp_path / "small.inter"
    write_log(log)
    done = fit("--log", log, "--items", 30, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    written = sorted((tmp_path / "out").iterdir())
    assert [path.suffix for path in written] == [".json", ".npz"]
    population = load_population(written[0])
    assert len(population.catalogue) == 30
    assert not set(population.catalogue.titles) & set(
        population.split("ood-items").catalogue.titles
    )
    assert population.model.level_sd > 0.3
    for text in (f"written: {written[0]}", "codes, order, days", "Users of test"):
        assert text in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--log", "nowhere"], "expected 'KuaiRand' or 'Movies', a folder with a log"),
        (["--items", "1"], "items must be at least 2, got 1"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, message, tmp_path):
    done = fit(*arguments, "--out", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())
