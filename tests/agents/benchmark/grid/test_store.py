"""What a store gives back is what was written, or nothing."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from driftrec.agents.benchmark.cells import Keys, Training, part_of
from driftrec.agents.benchmark.record import Failure, Record
from driftrec.agents.benchmark.store import OLD, Store
from driftrec.agents.benchmark.work import perform


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.fixture
def learnt(grid_methods, store):
    """A training that is done, and the supplies that it was made from."""
    method, keys = grid_methods.Trained("learns", "bandit"), Keys()
    scenario = grid_methods.scenario("one", ["learns"])
    training = part_of(scenario, method, "smoke", keys).meetings[1].training
    assert perform(training, keys.supplies, store).state == "done"
    return training, keys.supplies


def test_a_record_is_read_as_it_was_written(store, learnt):
    training, _ = learnt
    record = Record("done", {"user_steps": 3.0}, store.record(training).files)
    store.write(training, record)
    assert store.record(training) == record
    other = Training("learns", "m", "p", 0, "smoke")
    failed = Record("failed", failure=Failure("KeyError", "'x'", "a.py:1 in act: x"))
    store.write(other, failed)
    assert store.record(other) == failed


@pytest.mark.parametrize("damage", ["changed", "cut off", "gone", "more", "record cut off"])
def test_damage_is_noticed_and_made_good(store, learnt, damage):
    training, supplies = learnt
    path = store.path(training) / "state.json"
    before = path.read_bytes()
    if damage == "changed":
        path.write_bytes(before.replace(b"3", b"4"))
    elif damage == "cut off":
        path.write_bytes(before[:-3])
    elif damage == "gone":
        path.unlink()
    elif damage == "more":
        (path.parent / "other.json").touch()
    else:
        record = path.parent.with_suffix(".json")
        record.write_bytes(record.read_bytes()[:-9])
    assert store.record(training) is None
    assert perform(training, supplies, store).state == "done"
    assert store.record(training).state == "done"
    assert {name: file.read_bytes() for name, file in store.files(training).items()} == {
        "state.json": before
    }


def test_what_a_training_that_was_cut_off_left_is_no_part_of_one_made_elsewhere(
    store, learnt, tmp_path
):
    training, _ = learnt
    other = Store(tmp_path / "other")
    with other.alone(training) as folder:
        (folder / "half.json").touch()
    other.adopt(training, store.contents(training), store.record(training))
    assert other.record(training) == store.record(training)


def test_a_library_that_finds_the_disk_full_costs_a_training_nothing(grid_methods, store):
    """What it had written is gone on with."""

    @dataclass(frozen=True)
    class Cramped(grid_methods.Trained):
        def fit(self, population, folder, *, seed, size):
            super().fit(population, folder, seed=seed, size=size)
            raise RuntimeError("IoError: No space left on device (os error 28)")

    keys = Keys()
    scenario = grid_methods.scenario("one", ["learns"])
    training = part_of(scenario, Cramped("learns", "bandit"), "smoke", keys).meetings[0].training
    assert perform(training, keys.supplies, store).state == "full"
    assert list(store.files(training)) == ["state.json"]


def test_a_failure_takes_no_place_of_what_another_run_has_done(store, learnt):
    training, _ = learnt
    store.write(training, Record("failed", failure=Failure("KeyError", "")))
    assert store.record(training).state == "done"


def test_one_training_is_done_once_by_two_at_a_time(grid_methods, store):
    method, keys = grid_methods.Trained("slow", "bandit", steps=4, pause=0.02), Keys()
    scenario = grid_methods.scenario("one", ["slow"])
    training = part_of(scenario, method, "smoke", keys).meetings[0].training
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: perform(training, keys.supplies, store), range(2))
    assert one == other  # Costs included: the second took what the first had done.


def test_temporary_files_of_the_killed_are_removed_when_nobody_can_be_writing_them(
    store, learnt, monkeypatch
):
    training, supplies = learnt
    stray = store.path(training).parent / f".{training.key}.json.abcd_123"
    inside = store.path(training) / ".state.json.abcd_123"
    for path in (stray, inside):
        path.touch()
    store.sweep()
    assert stray.exists()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 2 * OLD)
    store.sweep()
    assert not stray.exists()
    # A result holds none, and who trains removes it.
    assert store.record(training).state == "done"
    perform(training, supplies, store)
    assert not inside.exists()
