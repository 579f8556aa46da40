"""A third-party package, installed on its own, is found by name and used like a built-in one."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from driftrec.envs import Simulation, make_population, population_names, population_of
from driftrec.envs.rendering import TrialRecord
from driftrec.envs.testing import check_user_model

PACKAGE = Path(__file__).parent / "tides"
ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guide" / "own-users.md"
USE = """
import json, sys
import gymnasium
import numpy as np
from driftrec.envs import make_population, population_names
from driftrec.envs.testing import check_user_model

population = make_population("tides")
check_user_model(population.model)
single = gymnasium.make("DriftRec/Population-v0", population="tides", split="test")
users = gymnasium.make_vec("DriftRec/Population-v0", num_envs=16, population="tides", split="test")
observation, _ = users.reset(seed=1)
users.action_space.seed(1)
clicks = ends = 0
for _ in range(200):
    observation, reward, terminated, truncated, _ = users.step(users.action_space.sample())
    clicks, ends = clicks + reward.sum(), ends + (terminated | truncated).sum()
    assert users.observation_space.contains(observation)
single.reset(seed=2)
gentle = gymnasium.make(
    "DriftRec/Population-v0", population="tides", parameters={"strength": 0.0}
).unwrapped
print(json.dumps({
    "names": population_names(),
    "module": type(population.model).__module__,
    "file": sys.modules["tides"].__file__,
    "title": population.catalogue.titles[0],
    "items": int(single.action_space.n),
    "rate": float(clicks) / (16 * 200),
    "ends": int(ends),
    "strengths": [population.model.strength, gentle.population.model.strength],
}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip put the package in, built from a copy to keep the source clean."""
    root = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(PACKAGE, root / "source", ignore=shutil.ignore_patterns("__pycache__"))
    run(
        "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", "--quiet",
        "--disable-pip-version-check", "--target", str(root / "site"), str(source), cwd=root,
    )  # fmt: skip
    return root / "site"


@pytest.fixture(scope="module")
def tides() -> ModuleType:
    """The module itself, without an installation."""
    spec = importlib.util.spec_from_file_location("tides_in_place", PACKAGE / "tides.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["tides_in_place"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(*arguments: str, cwd: Path, path: Path | None = None) -> str:
    environment = os.environ | ({"PYTHONPATH": str(path)} if path else {})
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_installed_package_is_found_by_name_and_its_users_run(
    installed: Path, tmp_path: Path
) -> None:
    seen: dict[str, Any] = json.loads(run("-W", "error", "-c", USE, cwd=tmp_path, path=installed))
    assert "tides" in seen["names"]
    assert seen["module"] == "tides"
    assert Path(seen["file"]).parent == installed
    assert (seen["title"], seen["items"]) == ("mud 0", 60)
    assert 0.2 < seen["rate"] < 0.7
    assert seen["ends"] > 16
    assert seen["strengths"] == [2.0, 0.0]


LEARNT = """
import sys
import numpy as np
from driftrec.agents import POLICIES, evaluate
from driftrec.envs import make_population
from driftrec.meta import load

population, policy = make_population("tides"), load(sys.argv[1])
rates = [
    found.feedback.sum(1) / found.active.sum(1)
    for found in (
        evaluate(make, population, users=300)
        for make in (lambda env: policy.on(env.simulation.catalogue), POLICIES["random"])
    )
]
gain = rates[0] - rates[1]
print(gain.mean() / (gain.std() / len(gain) ** 0.5))
"""


def test_the_training_script_learns_to_please_its_users(installed: Path, tmp_path: Path) -> None:
    run(
        str(ROOT / "scripts" / "train.py"), "--population", "tides", "--out", "learnt",
        "learner:rl2", "--learner.iterations", "5", "--learner.users", "128",
        "--learner.hidden", "32",
        "--learner.validation-users", "50", cwd=tmp_path, path=installed,
    )  # fmt: skip
    standard_errors = float(run("-c", LEARNT, "learnt", cwd=tmp_path, path=installed))
    assert standard_errors > 4


USE_LEARNER = """
from driftrec.meta import learner_names, learner_type
from driftrec.meta.testing import check_learner

assert "tide-table" in learner_names()
check_learner(learner_type("tide-table"))
"""


def test_a_learner_of_an_installed_package_conforms_trains_and_is_benchmarked(
    installed: Path, tmp_path: Path
) -> None:
    run("-W", "error", "-c", USE_LEARNER, cwd=tmp_path, path=installed)
    scripts = ROOT / "scripts"
    train = str(scripts / "train.py")
    run(train, "--population", "tides", "--out", "table", "learner:tide-table", cwd=tmp_path,
        path=installed)  # fmt: skip
    assert float(run("-c", LEARNT, "table", cwd=tmp_path, path=installed)) > 4
    told = run(train, "learner:tide-table", "--help", cwd=tmp_path, path=installed)
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


def test_the_guide_runs_as_it_is_written(installed: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.M | re.S)
    code = "\n".join([*blocks, "test_tides()", "print(len(record), record.split.population)"])
    requests, name = run("-c", code, cwd=tmp_path, path=installed).split()
    assert name == "tides"
    assert 1 <= int(requests) <= 100
    assert (tmp_path / "trial.png").read_bytes().startswith(b"\x89PNG")


def test_without_the_installation_the_name_is_unknown() -> None:
    assert "tides" not in population_names()
    with pytest.raises(ValueError, match=r"population must be one of .*; got 'tides'"):
        make_population("tides")


@pytest.mark.parametrize("parameters", [{}, {"wander": 0.0}, {"strength": 0.0, "period": 3.0}])
def test_tides_keep_the_contract(tides: ModuleType, parameters: dict[str, float]) -> None:
    check_user_model(tides.Tides(**parameters), seed=1)


def test_the_taste_goes_round_once_in_a_period(tides: ModuleType) -> None:
    """Half a period on, what was liked most is liked least; a whole period on, it is again."""
    model = tides.Tides(wander=0.0)
    catalogue = model.default_catalogue()
    state = model.sample(50, np.random.default_rng(0))
    at_quality_zero = catalogue.features, catalogue.topics, np.zeros(len(catalogue))
    flat = type(catalogue)(*at_quality_zero)

    class Still:
        def normal(self, *shape: int) -> np.ndarray:
            return np.zeros(shape, np.float32)

    def logits_after(periods: float) -> np.ndarray:
        later = model.drift(state, periods * state.period, Still())
        chance = model.click_probability(later, flat)
        return np.log(chance / (1 - chance)) - state.level[:, None]

    now = logits_after(0.0)
    assert np.allclose(logits_after(0.5), -now, atol=1e-3)
    assert np.allclose(logits_after(1.0), now, atol=1e-3)
    assert now.max() == pytest.approx(2.0, abs=0.01)


def test_joy_keeps_users(tides: ModuleType) -> None:
    model = tides.Tides()
    state = model.sample(3, np.random.default_rng(0))
    state.joy[:] = [0, 2, 8]
    assert (np.diff(model.return_after(state).never) < 0).all()


def test_the_tide_shows_in_the_clicks_of_whoever_follows_it(tides: ModuleType) -> None:
    """Showing each user the best item earns far more clicks than showing any."""
    simulation = Simulation(population_of(tides.Tides(), "tides").split("test"), 200)
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
    population = population_of(tides.Tides(), "tides")
    clicks = []
    for library in ("numpy", "torch"):
        simulation = Simulation(population.split("test"), 20, array_library=library)
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


def test_a_period_must_be_positive(tides: ModuleType) -> None:
    with pytest.raises(ValueError, match="period and rest must be positive, got 0"):
        tides.Tides(period=0)
