"""Wheel and sdist hold every module and every data file once, and the wheel works alone."""

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("envs", "agents", "meta")
NOT_SOURCE = (".*", "__pycache__", "*.egg-info", "build", "dist", "runs", "_build", "generated")
USE_EVERY_ID = """
import gymnasium
gymnasium.make("driftrec.envs:DriftRec/Feed-v0").close()
import driftrec.envs
for name in driftrec.envs.list():
    env = gymnasium.make(name)
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation), name
    observation, *_ = env.step(env.action_space.sample())
    assert env.observation_space.contains(observation), name
print(driftrec.__file__)
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Runs a command outside this checkout's import path and returns what it printed."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(source: Path, out: Path, kind: str) -> Path:
    """Builds `kind` ("wheel" or "sdist") of the tree at `source` into `out`."""
    run(sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "-o", out, cwd=source)
    return next(path for path in out.iterdir() if path.suffix in {".whl", ".gz"})


def members(wheel: Path) -> dict[str, bytes]:
    """Reads a wheel's files, leaving out RECORD, whose order follows the build's."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/RECORD")]
        assert max(Counter(names).values()) == 1
        return {name: archive.read(name) for name in names}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, so that no stale build directory can reach the wheel."""
    target = tmp_path_factory.mktemp("tree") / "driftrec"
    return shutil.copytree(ROOT, target, symlinks=True, ignore=shutil.ignore_patterns(*NOT_SOURCE))


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tree, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def sdist(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tree, tmp_path_factory.mktemp("sdist"), "sdist")


def sources(tree: Path) -> dict[str, bytes]:
    """The files a wheel should hold, named as in the wheel."""
    rooms = {
        f"driftrec/{path.relative_to(tree).as_posix()}": path.read_bytes()
        for room in ROOMS
        for path in (tree / room).rglob("*")
        if path.is_file()
    }
    top = tree / "src" / "driftrec"
    return rooms | {
        f"driftrec/{path.name}": path.read_bytes() for path in top.iterdir() if path.is_file()
    }


def data_sets(tree: Path) -> list[Path]:
    return [path for path in (tree / "envs" / "data").iterdir() if path.is_dir()]


def test_the_wheel_holds_every_source_and_data_file_and_nothing_else(
    tree: Path, wheel: Path
) -> None:
    packed = members(wheel)
    package = {name: data for name, data in packed.items() if name.startswith("driftrec/")}
    expected = sources(tree)
    assert package.keys() == expected.keys()
    assert package == expected
    assert all(name.startswith("driftrec-") for name in packed.keys() - package.keys())


def test_the_wheel_carries_the_licence_of_the_code_and_of_each_data_set(
    tree: Path, wheel: Path
) -> None:
    licences = ["LICENSE", *(f"envs/data/{path.name}/LICENSE" for path in data_sets(tree))]
    packed = members(wheel)
    paths = {name: name.partition("/licenses/")[2] for name in packed}
    found = {path: packed[name] for name, path in paths.items() if path}
    assert found == {name: (tree / name).read_bytes() for name in licences}


def test_the_sdist_builds_the_same_wheel_as_the_tree(
    wheel: Path, sdist: Path, tmp_path: Path
) -> None:
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
        assert max(Counter(names).values()) == 1
        # The filter is an argument from Python 3.11.4 on.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(tmp_path)
    unpacked = next(tmp_path.iterdir())
    again = members(build(unpacked, tmp_path / "wheel", "wheel"))
    assert again == members(wheel)


def test_an_empty_environment_with_only_the_wheel_runs_every_environment(
    wheel: Path, tmp_path: Path
) -> None:
    home = tmp_path / "venv"
    venv.create(home, with_pip=True)
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(python, "-m", "pip", "install", "-q", wheel, cwd=tmp_path)
    where = run(python, "-c", USE_EVERY_ID, cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(home)
