"""A grid on a cluster of Ray gives what it gives here, whatever happens to the machines."""

import sys
import threading
import time

import pytest

from driftrec.agents.benchmark.executors import make_executor
from driftrec.agents.benchmark.grid import run_grid
from driftrec.agents.benchmark.ray_executor import RayTasks

ray = pytest.importorskip("ray")

# Ray leaves sockets and processes to the garbage collector, and announces changes to come.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def named(*methods):
    return {method.name: method for method in methods}


def on(executor, scenarios, methods, out, **options):
    return run_grid(scenarios, methods, out, size="smoke", executor=executor, **options)


@pytest.mark.slow
def test_one_machine_gives_to_the_byte_what_this_process_does(grid_methods, tmp_path, contents):
    """With a cell that kills its worker whenever it is tried, and one that does so once."""
    methods = named(
        grid_methods.Trained("learns", "bandit"),
        grid_methods.Untrained("stands", "bandit", 7),
        grid_methods.Broken("raises", "bandit", "raises"),
        grid_methods.Broken("killer", "bandit", "killed"),
        grid_methods.Broken("once", "bandit", "killed", str(tmp_path / "marker")),
    )
    scenarios = [grid_methods.scenario("one", methods)]
    results = on("ray", scenarios, methods, tmp_path / "ray", workers=1)
    assert not ray.is_initialized()
    failures = results.failures["one"]
    assert set(failures) == {"raises", "killer"}
    assert failures["raises"][0].startswith("KeyError: 'no such item'")
    assert failures["killer"][0].startswith("WorkerDied: Ray lost it 3 times, WorkerCrashedError")
    fine = {name: methods[name] for name in ("learns", "stands", "once")}
    on("here", scenarios, fine, tmp_path / "here")
    assert contents(tmp_path / "ray") == contents(tmp_path / "here")


@pytest.fixture
def cluster():
    """Two machines of one processor each, and none where this process runs."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    ray.init(address=cluster.address, log_to_driver=False)
    cluster.wait_for_nodes()
    yield cluster, nodes
    ray.shutdown()
    cluster.shutdown()


@pytest.mark.slow
def test_a_machine_that_is_killed_halfway_changes_nothing(
    grid_methods, tmp_path, contents, cluster, monkeypatch
):
    machines, nodes = cluster
    places = tmp_path / "places"
    places.mkdir()
    methods = named(
        grid_methods.Placed("learns", "bandit", 6, 0.3, str(places)),
        grid_methods.Trained("learns quickly", "bandit"),
        grid_methods.Untrained("stands", "bandit", 7),
    )
    other = grid_methods.population("Other")
    scenarios = [
        grid_methods.scenario("near", methods),
        grid_methods.scenario("far", methods, other, grid_methods.population()),
    ]

    def kill_the_first_that_trains():
        while not (found := [node for node in nodes if (places / node.node_id).exists()]):
            time.sleep(0.01)
        machines.remove_node(found[0], allow_graceful=False)

    killing = threading.Thread(target=kill_the_first_that_trains, daemon=True)
    killing.start()
    lost = RayTasks(2)
    hand_out, tries = lost._hand_out, []
    monkeypatch.setattr(
        lost, "_hand_out", lambda *given: tries.append(given[1]) or hand_out(*given)
    )
    results = on(lost, scenarios, methods, tmp_path / "ray")
    killing.join(timeout=30)
    assert not killing.is_alive()
    assert results.failures == {"near": {}, "far": {}}
    assert max(tries) > 1  # What the machine was at is done by another.
    assert ray.is_initialized()  # It was not begun by the grid.
    on("process", scenarios, methods, tmp_path / "process", workers=2)
    assert contents(tmp_path / "ray") == contents(tmp_path / "process")


def test_without_ray_one_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"needs the extra 'ray': pip install driftrec\[ray\]"):
        make_executor("ray", 2)
