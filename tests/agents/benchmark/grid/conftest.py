"""What the tests of the grid share."""

import importlib
from pathlib import Path

import pytest

# A script, which finds what it imports beside it; `--doctest-modules` would not.
collect_ignore = ["killed_grid.py"]


@pytest.fixture
def grid_methods():
    """The methods for tests, where spawned processes find them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        yield importlib.import_module("grid_methods")


@pytest.fixture
def contents():
    """Reads all bytes of the results in a folder; records hold times, which differ."""

    def read(out):
        paths = sorted(path for path in Path(out).rglob("*") if path.is_file())
        return {
            path.relative_to(out): path.read_bytes()
            for path in paths
            if path.suffix != ".lock" and not (path.suffix == ".json" and len(path.stem) == 64)
        }

    return read
