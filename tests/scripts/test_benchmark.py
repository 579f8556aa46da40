import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
import torch

from driftrec.envs import feed_population
from driftrec.meta import RL2Policy
from driftrec.meta.network import ActorCritic
from driftrec.meta.track import NetworkShape

ROOT = Path(__file__).parents[2]
SMALL = ["--users", "30", "--batch", "15", "--draws", "50", "--executor", "here"]


def benchmark(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "benchmark.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def benchmark_here(
    *arguments: str | Path, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
) -> tuple[int, str, str]:
    """The script in this process, which spares its start: exit code, output and errors."""
    patch.syspath_prepend(str(ROOT / "scripts"))
    patch.setattr(sys, "argv", ["benchmark.py", *map(str, arguments)])
    code = 0
    try:
        importlib.import_module("common").run(importlib.import_module("benchmark").main)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    return code, *capture.readouterr()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("benchmark")
    run = benchmark("--methods", "random", "most-popular", *SMALL, "--out", out)
    assert run.returncode == 0, run.stderr
    assert not run.stderr
    return out, run.stdout


def summary_in(out: Path, suite: str = "Feed") -> dict[str, Any]:
    return json.loads((out / suite / "summary.json").read_text())


def test_prints_the_table_and_writes_the_results(finished: tuple[Path, str]) -> None:
    out, printed = finished
    (scenario,) = summary_in(out)["scenarios"]
    ctr = {row["name"]: row["metrics"]["ctr"] for row in scenario["methods"]}
    assert list(ctr) == ["random", "most-popular"]
    assert ctr["random"]["high"] < ctr["most-popular"]["low"]
    assert "most-popular" in printed
    assert max(map(len, printed.splitlines())) <= max(100, len(f"{out}") + 40)
    written = {path.name for path in (out / "Feed").iterdir()}
    assert written == {"summary.json", "results.parquet", "table.md", "table.tex"}
    assert "<html" in (out / "report.html").read_text()


def test_every_user_has_a_row_in_the_results(finished: tuple[Path, str]) -> None:
    out, _ = finished
    (scenario,) = summary_in(out)["scenarios"]
    rows = polars.read_parquet(out / "Feed" / "results.parquet")
    assert len(rows) == 60
    for method in scenario["methods"]:
        mine = rows.filter(polars.col("method") == method["name"])["ctr"].mean()
        assert mine == pytest.approx(method["metrics"]["ctr"]["value"], abs=1e-5)


def test_goes_on_where_it_was(finished: tuple[Path, str]) -> None:
    out, _ = finished
    before = summary_in(out)
    stamps = {path: path.stat().st_mtime_ns for path in out.glob("meetings/**/*.npz")}
    kept, lost = sorted(stamps)
    # What a kill can leave: no summary, one method done, another's file damaged.
    (out / "Feed" / "summary.json").unlink()
    lost.write_bytes(lost.read_bytes()[:1000])
    run = benchmark("--methods", "random", "most-popular", *SMALL, "--out", out)
    assert run.returncode == 0, run.stderr
    assert summary_in(out)["scenarios"] == before["scenarios"]
    assert kept.stat().st_mtime_ns == stamps[kept]
    assert sorted(out.glob("meetings/**/*.npz")) == [kept, lost]


def test_shows_what_is_done_and_what_is_to_do(
    finished: tuple[Path, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, _ = finished
    code, printed, errors = benchmark_here(
        *["--methods", "random", "linucb", *SMALL, "--list", "--out", out],
        capture=capsys, patch=monkeypatch,
    )  # fmt: skip
    assert (code, errors) == (0, "")
    told = [line.strip() for line in printed.splitlines() if "meeting" in line]
    assert [line.startswith("done") for line in told if "random" in line] == [True]
    assert [line.startswith("to do") for line in told if "linucb" in line] == [True]


def test_says_who_is_better(
    finished: tuple[Path, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, _ = finished
    code, printed, errors = benchmark_here(
        "compare", "most-popular", "random", "--out", out, capture=capsys, patch=monkeypatch
    )
    assert (code, errors) == (0, "")
    assert "most-popular is better" in printed
    code, _, errors = benchmark_here(
        "compare", "most-popular", "nobody", "--out", out, capture=capsys, patch=monkeypatch
    )
    assert code == 2
    assert "nobody" in errors


def test_keeps_the_results_and_writes_the_leaderboard_of_them(
    finished: tuple[Path, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, _ = finished
    page, results = tmp_path / "board.md", tmp_path / "results"
    where = ["--page", page, "--results", results]
    code, _, errors = benchmark_here(
        "leaderboard", "--out", out, *where, capture=capsys, patch=monkeypatch
    )
    assert (code, errors) == (0, "")
    written = page.read_text()
    assert "most-popular" in written
    assert sorted(path.name for path in results.iterdir()) == ["Feed.json", "Feed.parquet"]
    # The page follows from what is kept alone.
    page.unlink()
    assert benchmark_here("leaderboard", *where, capture=capsys, patch=monkeypatch)[0] == 0
    assert page.read_text() == written


def test_cross_validation_meets_every_user_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, errors = benchmark_here(
        *["--methods", "random", "most-popular", *SMALL, "--users", "31", "--folds", "3"],
        *["--out", tmp_path], capture=capsys, patch=monkeypatch,
    )  # fmt: skip
    assert (code, errors) == (0, "")
    met = {each["name"]: each["users"] for each in summary_in(tmp_path)["scenarios"]}
    assert met == {f"Feed-fold-{k}-of-3": users for k, users in ((1, 11), (2, 10), (3, 10))}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--folds", "1"], "k must lie in [2, 500]"),
        (["--folds", "3", "--split", "ood-drift"], "folds are made of one population"),
        (["--methods", "oracle"], "method must be one of "),
        (["--suite", "warm-start-v1"], "suite must be one of cold-start-v1"),
        (["--suite", "all", "--users", "10"], "leave out --suite or --users"),
        (["--population", "Nowhere"], "population must be one of "),
        (["--split", "future"], "split must be one of train"),
        (["--users", "0"], "users, batch and seeds must be at least 1"),
        (["--seeds", "0"], "users, batch and seeds must be at least 1"),
        (["--workers", "0"], "draws and workers must be at least 1"),
        (["--checkpoint", "rl2"], "checkpoint must be name=path, got 'rl2'"),
        (["--checkpoint", "rl2=/nowhere.safetensors"], "no checkpoint at /nowhere.safetensors"),
        (["compare", "a", "b"], "run the benchmark first"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, _, errors = benchmark_here(
        *arguments, "--out", tmp_path / "out", capture=capsys, patch=monkeypatch
    )
    assert code == 2
    assert errors.count("\n") == 1
    assert errors.startswith("error: ")
    assert message in errors
    assert not (tmp_path / "out").exists()


def untrained(path: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    table = torch.from_numpy(np.array(feed_population().catalogue.table))
    width = table.shape[1]
    shape = NetworkShape(slate=1, width=width, hidden=4, horizon=120)
    RL2Policy(ActorCritic(shape, torch.ones(width)), table).save(path)
    return path


def test_checkpoints_of_one_name_are_training_seeds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [untrained(tmp_path / f"{seed}.safetensors", seed) for seed in (0, 1)]
    both = [f"mine={path}" for path in paths]
    command = ["--methods", "random", "--checkpoint", *both, *SMALL, "--out", tmp_path / "out"]
    code, _, errors = benchmark_here(*command, capture=capsys, patch=monkeypatch)
    assert (code, errors) == (0, "")
    rows = summary_in(tmp_path / "out")["scenarios"][0]["methods"]
    assert {row["name"]: row["runs"] for row in rows} == {"random": 1, "mine": 2}
    met = tmp_path / "out" / "meetings"
    assert len(list(met.glob("**/*.npz"))) == 3
    # Other weights at the same path are another policy.
    untrained(paths[1], 2)
    assert benchmark_here(*command, capture=capsys, patch=monkeypatch)[0] == 0
    assert len(list(met.glob("**/*.npz"))) == 5


def test_a_checkpoint_that_does_not_fit_is_reported_and_the_others_are_not_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = untrained(tmp_path / "feed.safetensors", 0)
    out = tmp_path / "out"
    command = ["--methods", "random", "--checkpoint", f"mine={path}", *SMALL, "--out", out]
    code, printed, errors = benchmark_here(
        *command, "--population", "Slate", capture=capsys, patch=monkeypatch
    )
    assert code == 2
    assert "the policy was trained to show 1 item(s)" in errors
    assert errors.count("\n") == 1
    assert "random" in printed
    failed = {
        row["name"]: len(row["failed"])
        for row in summary_in(out, "Slate")["scenarios"][0]["methods"]
    }
    assert failed == {"random": 0, "mine": 1}


def test_a_damaged_checkpoint_is_known_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = untrained(tmp_path / "feed.safetensors", 0)
    path.write_bytes(path.read_bytes()[:100])
    code, _, errors = benchmark_here(
        "--checkpoint", f"mine={path}", "--out", tmp_path / "out",
        capture=capsys, patch=monkeypatch,
    )  # fmt: skip
    assert code == 2
    assert str(path) in errors
    assert not (tmp_path / "out").exists()
