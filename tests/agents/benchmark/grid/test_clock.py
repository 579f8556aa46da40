"""The cost of a training is that of all the runs it took."""

import time

from driftrec.agents.benchmark import clock as clocks
from driftrec.agents.benchmark.cells import Keys, part_of
from driftrec.agents.benchmark.clock import Clock, lasting_clock
from driftrec.agents.benchmark.store import Store
from driftrec.agents.benchmark.work import perform
from driftrec.envs.files import write_json


def test_time_asleep_passes_but_costs_no_processor():
    clock = Clock({"cpu_seconds": 5.0})
    time.sleep(0.2)
    assert clock.spent["wall_seconds"] >= 0.2
    assert 5 <= clock.spent["cpu_seconds"] < 5.15


def test_a_clock_goes_on_where_the_killed_one_last_wrote(tmp_path, monkeypatch):
    monkeypatch.setattr(clocks, "PERIOD", 0.01)
    path = tmp_path / "spent"
    with lasting_clock(path) as clock:
        while not path.exists():
            sum(range(1000))
    with lasting_clock(path) as later:
        assert 0 < later.spent["wall_seconds"] <= clock.spent["wall_seconds"]
    path.write_text("damaged")
    with lasting_clock(path) as fresh:
        assert fresh.spent["wall_seconds"] < 1


def test_a_training_costs_what_it_cost_before_it_was_killed_too(grid_methods, tmp_path):
    method, keys, store = grid_methods.Trained("learns", "bandit"), Keys(), Store(tmp_path)
    scenario = grid_methods.scenario("one", ["learns"])
    training = part_of(scenario, method, "smoke", keys).meetings[0].training
    write_json(store.spent(training), {"cpu_seconds": 1000.0, "wall_seconds": 2000.0})
    cost = perform(training, keys.supplies, store).cost
    assert 1000 < cost["cpu_seconds"] < 1060
    assert 2000 < cost["wall_seconds"] < 2060
    assert not store.spent(training).exists()
