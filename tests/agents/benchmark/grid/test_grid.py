"""A grid does what is to be done once, and tells what went wrong."""

import errno
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from driftrec.agents.benchmark.grid import list_cells, run_grid
from driftrec.agents.benchmark.record import DiskFullError, is_full
from driftrec.agents.benchmark.suite import Suite
from driftrec.agents.evaluation import Evaluation
from driftrec.agents.harness import evaluate
from driftrec.envs.foreign import foreign_population


def named(*methods):
    return {method.name: method for method in methods}


def here(scenarios, methods, out, **options):
    return run_grid(scenarios, methods, out, size="smoke", executor="here", **options)


@pytest.fixture
def two(grid_methods):
    """A method that trains and one that does not; two scenarios, one and the same training."""
    methods = named(
        grid_methods.Trained("learns", "bandit"), grid_methods.Untrained("stands", "bandit", 7)
    )
    small = grid_methods.population()
    other = grid_methods.population("Other", items=30)
    return [
        grid_methods.scenario("near", methods, small),
        grid_methods.scenario("far", methods, other, small, seed=5),
    ], methods


def test_results_are_those_of_evaluate(two, tmp_path, grid_methods):
    scenarios, methods = two
    near, far = here(scenarios, methods, tmp_path)
    assert [near.scenario.name, far.scenario.name] == ["near", "far"]
    result = far.methods["stands"]
    (found,), (seed,) = result.evaluations, result.seeds
    expected = evaluate(
        grid_methods.Making(7), scenarios[1].population, name="stands", users=4, batch=3, seed=5,
        regret=True,
    )  # fmt: skip
    assert seed == 0
    assert found.who == expected.who
    for name in ("items", "feedback", "best", "day"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_trainings_are_shared_by_scenarios_and_those_without_training_meet_once(two, tmp_path):
    scenarios, methods = two
    near, far = here(scenarios, methods, tmp_path)
    cells = list_cells(scenarios, methods, tmp_path, size="smoke")
    kinds = [(listed.cell.kind, listed.cell.name) for listed in cells]
    assert kinds.count(("training", "learns")) == 2
    assert kinds.count(("meeting", "learns")) == 4
    assert kinds.count(("meeting", "stands")) == 2
    assert {listed.state for listed in cells} == {"done"}
    assert near.methods["learns"].seeds == far.methods["learns"].seeds == (0, 1)
    assert near.methods["learns"].costs == far.methods["learns"].costs
    for cost in near.methods["learns"].costs:
        assert cost["user_steps"] == 3
        assert 0 < cost["cpu_seconds"] < 60
    assert near.methods["stands"].costs == ({},)


def test_seeds_of_a_training_give_policies_of_their_own(two, tmp_path):
    scenarios, methods = two
    one, other = here(scenarios, methods, tmp_path)[0].methods["learns"].evaluations
    assert (one.items != other.items).any()


def test_what_is_done_is_not_done_again(two, tmp_path, monkeypatch):
    scenarios, methods = two
    first = here(scenarios, methods, tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.setattr("driftrec.agents.benchmark.executors.perform", None)
    again = here(scenarios, methods, tmp_path)
    assert again.records == first.records
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()} == times


def test_a_key_holds_all_that_a_result_depends_on(two, tmp_path, grid_methods):
    """Of a changed grid, only what has changed is to be done."""
    scenarios, methods = two
    here(scenarios, methods, tmp_path)

    def left(changed_scenarios, changed_methods=methods, size="smoke"):
        cells = list_cells(changed_scenarios, changed_methods, tmp_path, size=size)
        return [(one.cell.kind, one.cell.name) for one in cells if one.state == "to do"]

    met = [("meeting", "learns")] * 2 + [("meeting", "stands")]
    trained = [("training", "learns")] * 2
    near, far = scenarios
    assert left(scenarios) == []
    assert left([replace(near, name="again", question="The same?", jump=3), far]) == []
    for change in ({"users": 5}, {"batch": 2}, {"seed": 1}, {"split": "ood-items"}):
        assert left([replace(near, **change), far]) == met
    moved = grid_methods.population(taste_sd=0.8)
    assert left([replace(near, population=moved), far]) == met
    assert left([replace(near, trained_on=moved), far]) == trained + [("meeting", "learns")] * 2
    assert left([replace(near, seeds=3), far]) == [("training", "learns"), ("meeting", "learns")]
    assert left(scenarios, size="full") == trained + [("meeting", "learns")] * 4
    changed = methods | {"stands": grid_methods.Untrained("stands", "bandit", 8)}
    assert left(scenarios, changed) == [("meeting", "stands")] * 2


def test_damaged_results_are_made_again_as_they_were(two, tmp_path, contents):
    scenarios, methods = two
    here(scenarios, methods, tmp_path)
    whole = contents(tmp_path)
    assert len(whole) == 8
    for name, content in whole.items():
        (tmp_path / name).write_bytes(content[: len(content) // 2])
    here(scenarios, methods, tmp_path)
    assert contents(tmp_path) == whole


def test_failures_are_told_and_all_else_goes_on(grid_methods, tmp_path):
    ways = {
        "raises": ("KeyError: 'no such item'", "in act: raise KeyError"),
        "exits": ("SystemExit: 3", "grid_methods.py"),
        "memory": ("MemoryError", "in act: raise MemoryError"),
        "slate": ("PolicyError", "items are numbered 0 to 19, got -1"),
        "nan": ("PolicyError", "got float64"),
    }
    methods = named(
        *(grid_methods.Broken(way, "bandit", way) for way in ways),
        grid_methods.BrokenTraining("untaught raises", "bandit", "raises"),
        grid_methods.BrokenTraining("untaught exits", "bandit", "exits"),
        grid_methods.BrokenTraining("half", "bandit", "half"),
        grid_methods.Untrained("fine", "bandit"),
    )  # fmt: skip
    results = here([grid_methods.scenario("one", methods)], methods, tmp_path)
    (result,) = results
    assert len(result.methods["fine"].evaluations) == 1
    for way, words in ways.items():
        told = result.methods[way].failures[0]
        assert all(word in told for word in words), told
        assert result.methods[way].evaluations == ()
    assert "its training failed: KeyError" in result.methods["untaught raises"].failures[1]
    assert "its training failed: SystemExit" in result.methods["untaught exits"].failures[0]
    assert result.methods["half"].seeds == (0,)
    assert list(result.methods["half"].failures) == [1]
    assert set(results.failures["one"]) == set(methods) - {"fine"}


def test_failures_are_tried_again_unless_that_is_not_wanted(grid_methods, tmp_path):
    marker = tmp_path / "marker"
    methods = named(
        grid_methods.Broken("untaught", "bandit", "raises", f"{marker}-1"),
        grid_methods.BrokenTraining("taught", "bandit", "raises", f"{marker}-2"),
    )
    scenarios = [grid_methods.scenario("one", methods, seeds=1)]
    out = tmp_path / "out"
    first = here(scenarios, methods, out).failures["one"]
    assert set(first) == {"untaught", "taught"}
    assert here(scenarios, methods, out, retry=False).failures["one"] == first
    states = [one.state for one in list_cells(scenarios, methods, out, size="smoke")]
    assert states == ["failed", "failed", "to do"]
    assert here(scenarios, methods, out).failures == {"one": {}}


def test_who_is_unsuited_is_left_out_with_the_reason(grid_methods, tmp_path):
    class Unsure(grid_methods.Untrained):
        def unsuited(self, population):
            raise TypeError("what is this?")

    methods = named(
        grid_methods.Choosy("choosy", "bandit"), grid_methods.Untrained("fine", "bandit"),
        Unsure("unsure", "bandit"),
    )  # fmt: skip
    other = grid_methods.population("Other")
    scenarios = [
        grid_methods.scenario("one", methods), grid_methods.scenario("two", methods, other)
    ]  # fmt: skip
    results = here(scenarios, methods, tmp_path)
    assert results.unsuited == {"one": {}, "two": {"choosy": "it knows Small alone"}}
    assert list(results[0].methods) == ["choosy", "fine", "unsure"]
    assert list(results[1].methods) == ["fine", "unsure"]
    assert "TypeError: what is this?" in results[1].methods["unsure"].failures[0]


def test_who_knows_items_by_number_is_not_sent_among_others(grid_methods, tmp_path):
    class Numbered(grid_methods.Trained):
        any_catalogue = False

    methods = named(
        Numbered("numbered", "recommender"), grid_methods.Trained("by-features", "bandit")
    )
    small, large = grid_methods.population(), grid_methods.population("Large", items=21)
    scenarios = [
        grid_methods.scenario("home", methods, small, small),
        grid_methods.scenario("abroad", methods, large, small),
    ]
    results = here(scenarios, methods, tmp_path)
    reason = "knows items by their numbers, and those it was trained on are others"
    assert results.unsuited == {"home": {}, "abroad": {"numbered": reason}}
    assert list(results[1].methods) == ["by-features"]
    assert results[1].unsuited == {"numbered": reason}


def test_a_method_may_say_how_often_it_was_trained(grid_methods, tmp_path):
    class Thrice(grid_methods.Trained):
        def runs(self, seeds):
            return 3

    methods = named(Thrice("thrice", "meta"), grid_methods.Untrained("once", "bandit"))
    (result,) = here([grid_methods.scenario("one", methods, seeds=2)], methods, tmp_path)
    assert result.methods["thrice"].seeds == (0, 1, 2)
    assert result.methods["once"].seeds == (0,)


def test_a_full_disk_stops_the_run_and_the_next_one_goes_on(two, tmp_path, monkeypatch, contents):
    scenarios, methods = two
    here(scenarios, methods, tmp_path / "whole")
    save, room = Evaluation.save, [3]

    def cramped(self, path):
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(self, path)

    monkeypatch.setattr(Evaluation, "save", cramped)
    out = tmp_path / "out"
    with pytest.raises(DiskFullError, match="make room and run the same again"):
        here(scenarios, methods, out)
    monkeypatch.undo()
    cells = list_cells(scenarios, methods, out, size="smoke")
    assert Counter(one.state for one in cells) == {"done": 5, "to do": 3}
    here(scenarios, methods, out)
    assert contents(out) == contents(tmp_path / "whole")


def test_a_full_disk_is_known_behind_the_errors_of_libraries():
    def wrapped():
        try:
            raise OSError(errno.ENOSPC, "full")
        except OSError as error:
            raise RuntimeError("could not write") from error

    with pytest.raises(RuntimeError) as caught:
        wrapped()
    assert is_full(caught.value)
    assert is_full(RuntimeError("IoError: No space left on device (os error 28)"))
    assert not is_full(RuntimeError("no space"))


def test_progress_counts_cells_and_tells_the_time_left(two, tmp_path):
    scenarios, methods = two
    told: list = []
    here(scenarios, methods, tmp_path, progress=told.append)
    assert [status.done for status in told] == list(range(9))
    assert {status.total for status in told} == {8}
    assert math.isnan(told[0].seconds_left)
    assert told[-2].seconds_left > 0
    assert told[-1].seconds_left == 0
    here(scenarios, methods, tmp_path, progress=told.append)
    assert [told[-1].done, told[-1].seconds_left] == [8, 0]


def test_results_are_read_one_scenario_at_a_time(two, tmp_path, monkeypatch):
    scenarios, methods = two
    results = here(scenarios, methods, tmp_path)
    read: list = []
    load = Evaluation.load
    monkeypatch.setattr(Evaluation, "load", lambda path: read.append(path) or load(path))
    assert len(results) == 2
    assert not read
    assert results[-1].scenario.name == "far"
    assert len(read) == 3
    assert [one.scenario.name for one in results[:2]] == ["near", "far"]


def test_a_suite_is_run_in_the_size_that_is_asked_for(two, tmp_path):
    scenarios, methods = two
    suite = Suite("two-v1", "Two", "Both?", lambda size: tuple(scenarios) if size == "full" else ())
    assert len(run_grid(suite, methods, tmp_path, size="full", executor="here")) == 2
    with pytest.raises(ValueError, match="scenarios must be one or more"):
        run_grid(suite, methods, tmp_path, size="smoke", executor="here")


def test_scenarios_and_methods_must_go_together(two, tmp_path):
    scenarios, methods = two
    with pytest.raises(ValueError, match="'near' needs at least one of the methods learns, stands"):
        here(scenarios, {}, tmp_path)
    with pytest.raises(ValueError, match="given as 'other' must have that name, not stands"):
        here(scenarios, {"other": methods["stands"]}, tmp_path)
    with pytest.raises(ValueError, match="each with its own name, got"):
        here([scenarios[0], scenarios[0]], methods, tmp_path)
    with pytest.raises(ValueError, match="executor must be 'here', 'process' or 'ray'; got 'x'"):
        run_grid(scenarios, methods, tmp_path, size="smoke", executor="x")
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        run_grid(scenarios, methods, tmp_path, size="smoke", workers=0)


def test_users_known_by_what_they_do_alone_are_met_without_regret(grid_methods, tmp_path):
    population = foreign_population("Arms", grid_methods.Arms, max_requests=3)
    methods = named(grid_methods.Untrained("stands", "bandit"))
    scenarios = [grid_methods.scenario("one", methods, population)]
    results = here(scenarios, methods, tmp_path)
    assert results.failures == {"one": {}}
    (found,) = results[0].methods["stands"].evaluations
    assert found.best is None
    # Every item gives what its number says.
    np.testing.assert_array_equal(found.feedback, [[0, 1, 2]] * 4)
