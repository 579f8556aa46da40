"""A run that is killed goes on, and gives to the byte what it would have given."""

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from driftrec.agents.benchmark.grid import list_cells, run_grid

SCRIPT = Path(__file__).parent / "killed_grid.py"

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")


@pytest.fixture
def killed_grid(grid_methods):
    return importlib.import_module("killed_grid")


def started(out):
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(out)], stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def kill(run, after):
    """Kill a run, but not its workers, once so many more cells are done."""
    with run:
        first = int(run.stdout.readline())
        while int(run.stdout.readline() or 99) < first + after:
            pass
        os.kill(run.pid, signal.SIGKILL)


def test_killed_again_and_again_a_grid_gives_what_it_gives_undisturbed(
    killed_grid, tmp_path, contents
):
    scenarios, methods = killed_grid.scenarios(), killed_grid.METHODS
    run_grid(scenarios, methods, tmp_path / "whole", size="smoke", executor="here")
    out = tmp_path / "out"
    left = []
    for after in (1, 2, 2, 3):
        kill(started(out), after)
        cells = list_cells(scenarios, methods, out, size="smoke")
        left.append(sum(one.state == "to do" for one in cells))
    assert left == sorted(left, reverse=True)
    assert left[0] > left[-1] > 0
    # A worker may still have been at the cell it was killed over: that waits for it.
    results = run_grid(scenarios, methods, out, size="smoke", executor="here")
    assert results.failures == {"near": {}, "far": {}, "again": {}}
    found = contents(out)
    assert {path: found[path] for path in contents(tmp_path / "whole")} == contents(
        tmp_path / "whole"
    )
    strays = set(found) - set(contents(tmp_path / "whole"))
    assert all(path.name.startswith(".") for path in strays)


def test_two_runs_in_one_folder_at_a_time_give_what_one_gives(killed_grid, tmp_path, contents):
    scenarios, methods = killed_grid.scenarios(), killed_grid.METHODS
    run_grid(scenarios, methods, tmp_path / "whole", size="smoke", executor="here")
    with started(tmp_path / "out") as one, started(tmp_path / "out") as other:
        one.communicate(timeout=60)
        other.communicate(timeout=60)
    assert one.returncode == other.returncode == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    states = {one.state for one in list_cells(scenarios, methods, tmp_path / "out", size="smoke")}
    assert states == {"done"}
