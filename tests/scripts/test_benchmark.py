import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from driftrec.envs import feed_population
from driftrec.meta import RL2Policy
from driftrec.meta.network import ActorCritic
from driftrec.meta.track import NetworkShape

ROOT = Path(__file__).parents[2]
SMALL = ["--users", "30", "--batch", "15", "--draws", "50", "--workers", "1"]


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
    run = benchmark("--policies", "random", "most-popular", *SMALL, "--out", out)
    assert run.returncode == 0, run.stderr
    assert not run.stderr
    return out, run.stdout


def test_prints_the_table_and_writes_the_results(finished: tuple[Path, str]) -> None:
    out, printed = finished
    results = json.loads((out / "results.json").read_text())
    ctr = {name: results["policies"][name]["metrics"]["ctr"] for name in results["policies"]}
    assert list(ctr) == ["random", "most-popular"]
    assert ctr["random"]["high"] < ctr["most-popular"]["low"]
    for name in ctr:
        assert f"{ctr[name]['value']:.3f}" in printed
        assert f"| {name} | {ctr[name]['value']:.3f} (" in (out / "table.md").read_text()
    assert max(map(len, printed.splitlines())) <= max(100, len(f"{out}") + 40)
    written = {path.name for path in out.iterdir()}
    pictures = {"adaptation.png", "advantage.png", "retention.png"}
    assert written == {"results.json", "table.md", "evaluations"} | pictures


def test_goes_on_where_it_was(finished: tuple[Path, str]) -> None:
    out, _ = finished
    before = (out / "results.json").read_text()
    kept, lost = sorted((out / "evaluations").iterdir())
    stamp = kept.stat().st_mtime_ns
    # What a kill can leave: no results, one policy done, another's file damaged.
    (out / "results.json").unlink()
    lost.write_bytes(lost.read_bytes()[:1000])
    run = benchmark("--policies", "random", "most-popular", *SMALL, "--out", out)
    assert run.returncode == 0, run.stderr
    assert (out / "results.json").read_text() == before
    assert kept.stat().st_mtime_ns == stamp
    assert len(list((out / "evaluations").iterdir())) == 2


def test_other_settings_are_other_evaluations(finished: tuple[Path, str]) -> None:
    out, _ = finished
    run = benchmark(
        "--policies", "random", *SMALL, "--split", "ood-drift", "--workers", "2", "--out", out
    )
    assert run.returncode == 0, run.stderr
    assert len(list((out / "evaluations").glob("random-*.npz"))) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policies", "oracle"], "policy must be one of random, "),
        (["--population", "Nowhere"], "population must be one of "),
        (["--split", "future"], "split must be one of train"),
        (["--users", "0"], "users and batch must be at least 1"),
        (["--seeds", "0"], "seeds and draws must be at least 1"),
        (["--workers", "0"], "workers must be at least 1"),
        (["--reward", "money"], "reward must be made of"),
        (["--checkpoint", "rl2"], "checkpoint must be name=path, got 'rl2'"),
        (["--checkpoint", "rl2=/nowhere.safetensors"], "no checkpoint at /nowhere.safetensors"),
        (["--checkpoint", "random=/nowhere"], "the name 'random' is a policy's"),
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
    both = [f"rl2={path}" for path in paths]
    command = ["--policies", "--checkpoint", *both, *SMALL, "--out", tmp_path / "out"]
    code, printed, errors = benchmark_here(*command, capture=capsys, patch=monkeypatch)
    assert (code, errors) == (0, "")
    assert "rl2 (2 runs)" in printed
    assert json.loads((tmp_path / "out/results.json").read_text())["policies"]["rl2"]["runs"] == 2
    stored = tmp_path / "out" / "evaluations"
    assert len(list(stored.iterdir())) == 2
    # Other weights at the same path are another policy.
    untrained(paths[1], 2)
    assert benchmark_here(*command, capture=capsys, patch=monkeypatch)[0] == 0
    assert len(list(stored.iterdir())) == 3


def test_a_checkpoint_that_does_not_fit_is_one_line_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = untrained(tmp_path / "feed.safetensors", 0)
    command = ["--checkpoint", f"rl2={path}", "--out", tmp_path / "out", "--population"]
    code, _, other = benchmark_here(*command, "Slate", capture=capsys, patch=monkeypatch)
    path.write_bytes(path.read_bytes()[:100])
    again, _, damaged = benchmark_here(*command, "Feed", capture=capsys, patch=monkeypatch)
    assert (code, again) == (2, 2)
    assert "rl2 cannot act on Slate: the policy was trained to show 1 item(s)" in other
    assert str(path) in damaged
    assert other.count("\n") == damaged.count("\n") == 1
    assert not (tmp_path / "out").exists()
