"""Third-party packages, installed on their own, are found by name and used like built-in ones."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from driftrec.envs import Simulation, make_population, population_names
from driftrec.envs.rendering import TrialRecord
from driftrec.envs.testing import check_user_model

ROOT = Path(__file__).parents[2]
USERS = ROOT / "examples" / "plugin"
LEARNER = Path(__file__).parent / "tide_table"
USE = """
import json, sys
import gymnasium
from driftrec.envs import make_population, population_names
from driftrec.envs.testing import check_user_model

population = make_population("tides")
check_user_model(population.model, torch=True)
single = gymnasium.make("driftrec.envs:DriftRec/Population-v0", population="tides", split="test")
single.reset(seed=2)
gentle = gymnasium.make(
    "driftrec.envs:DriftRec/Population-v0", population="tides", parameters={"strength": 0.0}
).unwrapped
print(json.dumps({
    "names": population_names(),
    "file": sys.modules[type(population.model).__module__].__file__,
    "title": population.catalogue.titles[0],
    "items": int(single.action_space.n),
    "strengths": [population.model.strength, gentle.population.model.strength],
}))
"""
USE_LEARNER = """
from driftrec.meta import learner_names, learner_type
from driftrec.meta.testing import check_learner

assert "tide-table" in learner_names()
check_learner(learner_type("tide-table"))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip put the packages in, built from copies to keep the sources clean."""
    root = tmp_path_factory.mktemp("plugin")
    clean = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    sources = [shutil.copytree(path, root / path.name, ignore=clean) for path in (USERS, LEARNER)]
    run(
        "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", "--quiet",
        "--disable-pip-version-check", "--target", str(root / "site"), *map(str, sources), cwd=root,
    )  # fmt: skip
    return root / "site"


@pytest.fixture(scope="module")
def tides() -> Iterator[ModuleType]:
    """The template itself, without an installation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(USERS / "src"))
        yield importlib.import_module("driftrec_tides")


def run(*arguments: str, cwd: Path, path: Path | None = None) -> str:
    environment = os.environ | ({"PYTHONPATH": str(path)} if path else {})
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def train(out: str, *arguments: str, cwd: Path, path: Path) -> None:
    script = str(ROOT / "scripts" / "train.py")
    run(script, "--population", "tides", "--out", out, *arguments, cwd=cwd, path=path)


def benchmark(checkpoint: str, cwd: Path, path: Path) -> dict[str, Any]:
    """What became of each policy."""
    script = str(ROOT / "scripts" / "benchmark.py")
    run(
        script, "--population", "tides", "--checkpoint", f"learnt={checkpoint}", "--methods",
        "random", "most-popular", "clairvoyant", "--reference", "clairvoyant", "--users", "200",
        "--executor", "here", "--draws", "500", "--out", "results", cwd=cwd, path=path,
    )  # fmt: skip
    path = cwd / "results" / "tides" / "summary.json"
    (scenario,) = json.loads(path.read_text())["scenarios"]
    assert scenario["population"] == "tides"
    return {row["name"]: row for row in scenario["methods"]}


def ctr_of(name: str, policies: dict[str, Any]) -> dict[str, float]:
    ctr: dict[str, float] = policies[name]["metrics"]["ctr"]
    return ctr


def test_an_installed_package_is_found_by_name_and_its_users_run(
    installed: Path, tmp_path: Path
) -> None:
    seen: dict[str, Any] = json.loads(run("-W", "error", "-c", USE, cwd=tmp_path, path=installed))
    assert "tides" in seen["names"]
    assert Path(seen["file"]).parent == installed / "driftrec_tides"
    assert (seen["title"], seen["items"]) == ("mud 0", 60)
    assert seen["strengths"] == [2.0, 0.0]


def test_the_template_passes_its_own_tests(installed: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(USERS / "tests", tmp_path / "tests")
    shutil.copy(USERS / "pyproject.toml", tmp_path)
    told = run("-m", "pytest", "-q", "-p", "no:cacheprovider", str(copy), cwd=tmp_path,
               path=installed)  # fmt: skip
    assert "passed" in told


def test_the_scripts_train_on_its_users_and_compare_on_them(
    installed: Path, tmp_path: Path
) -> None:
    train(
        "agent", "--max-requests", "60", "learner:rl2", "--learner.iterations", "5",
        "--learner.users", "128", "--learner.hidden", "32", "--learner.validation-users", "50",
        cwd=tmp_path, path=installed,
    )  # fmt: skip
    policies = benchmark("agent", tmp_path, installed)
    assert ctr_of("learnt", policies)["low"] > ctr_of("random", policies)["high"]
    assert policies["learnt"]["score"]["low"] > 0
    assert policies["learnt"]["score"]["high"] < 1


def test_a_learner_of_an_installed_package_conforms_trains_and_is_benchmarked(
    installed: Path, tmp_path: Path
) -> None:
    run("-W", "error", "-c", USE_LEARNER, cwd=tmp_path, path=installed)
    train("table", "learner:tide-table", cwd=tmp_path, path=installed)
    policies = benchmark("table", tmp_path, installed)
    assert ctr_of("learnt", policies)["low"] > ctr_of("random", policies)["high"]
    script = str(ROOT / "scripts" / "train.py")
    told = run(script, "learner:tide-table", "--help", cwd=tmp_path, path=installed)
    assert "--learner.learning-rate" in told


def test_a_plug_in_that_is_no_learner_is_named(tmp_path: Path) -> None:
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[driftrec.learners]\nbroken = json:dumps\n")
    code = "from driftrec.meta import learner_type; learner_type('broken')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "must name a class with `config_type` and `fit`" in done.stderr


def test_without_the_installation_the_name_is_unknown() -> None:
    assert "tides" not in population_names()
    with pytest.raises(ValueError, match=r"population must be one of .*; got 'tides'"):
        make_population("tides")


def test_every_split_of_the_template_keeps_the_contract(tides: ModuleType) -> None:
    population = tides.tides_population()
    for split in ("train", "ood-drift", "ood-taste"):
        part = population.split(split)
        check_user_model(part.model, part.catalogue, seed=1)


def test_the_tide_shows_in_the_clicks_of_whoever_follows_it(tides: ModuleType) -> None:
    """Showing each user the best item earns far more clicks than showing any."""
    simulation = Simulation(tides.tides_population().split("test"), 200)
    rates = []
    for best in (True, False):
        simulation.reset(0)
        rng, clicks, shown = np.random.default_rng(0), 0.0, 0
        for _ in range(20):
            chance = simulation.click_probability()
            items = chance.argmax(1) if best else rng.integers(60, size=200)
            active = ~simulation.trials.over
            simulation.step(items[:, None])
            clicks += simulation.trials.feedback[active].sum()
            shown += active.sum()
        rates.append(clicks / shown)
    assert rates[0] > rates[1] + 0.25


def test_tides_run_on_torch_as_on_numpy(tides: ModuleType) -> None:
    clicks = []
    for library in ("numpy", "torch"):
        split = tides.tides_population().split("test")
        simulation = Simulation(split, 20, array_library=library)
        simulation.reset(3)
        record = TrialRecord.begin(simulation, row=5)
        for request in range(40):
            items = np.full((20, 1), request)
            simulation.step(simulation.xp.asarray(items))
            record.add(simulation)
        clicks.append((record.items, record.feedback, record.session))
    assert np.array_equal(clicks[0][0], clicks[1][0])
    assert np.array_equal(clicks[0][1], clicks[1][1])
    assert clicks[0][2] == clicks[1][2]
