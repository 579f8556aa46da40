"""Whoever does the work, results are the same; a worker that dies takes nothing with it."""

import multiprocessing
import os
import pickle
import shutil
import subprocess
from collections import Counter

import pytest

from driftrec.agents.benchmark import process_executor
from driftrec.agents.benchmark.cells import Supplies
from driftrec.agents.benchmark.grid import list_cells, run_grid
from driftrec.agents.benchmark.process_executor import Processes, WorkerStartError, pickled
from driftrec.agents.benchmark.record import DiskFullError


def named(*methods):
    return {method.name: method for method in methods}


def run(scenarios, methods, out, executor="process", **options):
    return run_grid(scenarios, methods, out, size="smoke", executor=executor, **options)


@pytest.fixture
def small(grid_methods):
    methods = named(
        grid_methods.Trained("learns", "bandit"), grid_methods.Untrained("stands", "bandit", 7)
    )
    return [grid_methods.scenario("one", methods)], methods


def test_processes_give_to_the_byte_what_this_one_does(small, tmp_path, contents):
    run(*small, tmp_path / "here", "here")
    run(*small, tmp_path / "process")
    assert contents(tmp_path / "process") == contents(tmp_path / "here")
    assert len(contents(tmp_path / "here")) == 5
    assert not multiprocessing.active_children()


def test_a_cell_that_kills_its_process_is_failed_and_the_others_go_on(
    grid_methods, tmp_path, contents
):
    """One kills its process always; two others the first time only, as a full machine might."""
    lasting = named(
        grid_methods.Broken("killer", "bandit", "killed"),
        grid_methods.Untrained("stands", "bandit"),
    )
    once = named(
        grid_methods.Broken("once", "bandit", "killed", str(tmp_path / "marker-1")),
        grid_methods.BrokenTraining("once taught", "bandit", "killed", str(tmp_path / "marker-2")),
    )
    methods = lasting | once
    scenarios = [grid_methods.scenario("one", methods, seeds=1)]
    results = run(scenarios, methods, tmp_path / "out")
    assert list(results.failures["one"]) == ["killer"]
    told = results.failures["one"]["killer"][0]
    assert told.startswith("WorkerDied: the process that worked on it was ended by SIGKILL")
    assert told.endswith("2 times")
    # What was begun twice is what it is in a process that nobody kills.
    others = {name: method for name, method in methods.items() if name != "killer"}
    run(scenarios, others, tmp_path / "here", "here")
    assert contents(tmp_path / "out") == contents(tmp_path / "here")
    assert not multiprocessing.active_children()


def test_a_full_disk_ends_the_workers_and_the_next_run_goes_on(grid_methods, tmp_path):
    methods = named(
        grid_methods.Untrained("stands", "bandit"),
        grid_methods.Broken("full", "bandit", "full", str(tmp_path / "marker")),
    )
    scenarios = [grid_methods.scenario("one", methods)]
    with pytest.raises(DiskFullError, match="No space left on device"):
        run(scenarios, methods, tmp_path / "out", workers=1)
    assert not multiprocessing.active_children()
    cells = list_cells(scenarios, methods, tmp_path / "out", size="smoke")
    assert Counter(one.state for one in cells) == {"done": 1, "to do": 1}
    assert run(scenarios, methods, tmp_path / "out", "here").failures == {"one": {}}


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 64 KiB, where this process may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if (
        mount is None
        or os.name != "posix"
        or subprocess.run(command, capture_output=True).returncode
    ):
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_on_a_disk_that_is_full_indeed_a_run_goes_on_once_there_is_room(
    small, tmp_path, contents, tiny_disk
):
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(40 * 1024))
    with pytest.raises(DiskFullError, match="make room and run the same again"):
        run(*small, tiny_disk / "out", "here")
    states = Counter(one.state for one in list_cells(*small, tiny_disk / "out", size="smoke"))
    assert states["to do"] > 0
    assert states["failed"] == 0
    ballast.unlink()
    run(*small, tiny_disk / "out", "here")
    run(*small, tmp_path / "whole", "here")
    assert contents(tiny_disk / "out") == contents(tmp_path / "whole")


def test_what_does_not_pickle_is_told_before_anything_runs(grid_methods, tmp_path):
    class Local(grid_methods.Untrained):
        pass

    methods = named(Local("local", "bandit"))
    scenarios = [grid_methods.scenario("one", methods)]
    with pytest.raises(ValueError, match=r"method 'local' must pickle.*executor='here' does"):
        run(scenarios, methods, tmp_path)
    assert run(scenarios, methods, tmp_path, "here").failures == {"one": {}}
    population = grid_methods.population()
    object.__setattr__(population, "card", lambda: "no text")
    with pytest.raises(ValueError, match="population 'Small' must pickle"):
        pickled(Supplies({}, {"p": population}))


class Fatal:
    """What a worker cannot read."""

    def __reduce__(self):
        return os._exit, (7,)


def test_workers_that_cannot_begin_stop_the_run(small, tmp_path, monkeypatch):
    monkeypatch.setattr(process_executor, "pickled", lambda supplies: pickle.dumps(Fatal()))
    with pytest.raises(
        WorkerStartError, match=r"ended before they were ready .ended with exit code 7"
    ):
        run(*small, tmp_path, workers=1)
    assert not multiprocessing.active_children()


def test_an_executor_of_ones_own_is_taken(small, tmp_path):
    executor = Processes(1)
    assert run(*small, tmp_path, executor).failures == {"one": {}}
    assert executor.workers == 1
