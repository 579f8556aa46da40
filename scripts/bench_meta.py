r"""Measure how fast learners train, and how fast their policies act.

All on the users of `DriftRec/Feed-v0` (500 items), in CPU-seconds of one thread, one after another
in one run. RL² and RecurrentPPO have recurrent networks of as many units; what RecurrentPPO takes a
step hangs on its epochs and batches, so it is run in three ways. The loop over tasks does what MAML
does, one user at a time (its gradients are the same, see the tests). Acting is the fastest of
several requests.

The efficiency of two workers is the time that an update takes one of them alone, over that which it
takes both, each with as many users. Time that passes says it on two idle cores. Where other
processes run, CPU time on the critical path does: between two averages, that of the slower worker.

Examples:
    python scripts/bench_meta.py
    python scripts/bench_meta.py --no-training --out runs/acting.json
    python scripts/bench_meta.py --users 64 --tasks 32 --baseline-steps 512
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from bench_speed import Measurement, readable
from common import console, run
from loop_over_tasks import LoopRun
from rich.table import Table
from torch import nn

from driftrec.envs import Population, RecommendationVectorEnv, feed_population
from driftrec.meta import RL2Config
from driftrec.meta.amortised import AmortisedPolicy
from driftrec.meta.belief_loss import FIRST_LESSONS
from driftrec.meta.gathering import gather
from driftrec.meta.maml.config import MAMLConfig
from driftrec.meta.maml.run import MAMLRun
from driftrec.meta.network import ActorCritic, BeliefNetwork, feature_scale
from driftrec.meta.rl2_policy import RL2Policy
from driftrec.meta.rl2_run import RL2Run
from driftrec.meta.track import NetworkShape
from driftrec.meta.workers import Worker, run_workers

UNITS = 64
"""Of the recurrent networks whose training is measured."""

RATE = 1e-4
"""Learning rate; it matters to no measurement."""

BATCH = 32
"""Users in a batch of a server that adapts."""


@dataclass(frozen=True)
class Baseline:
    """How RecurrentPPO is run."""

    users: int = 8
    """Environments at once."""
    batch: int = 128
    """Requests in a minibatch."""
    epochs: int = 10
    """Passes over each rollout."""


BASELINES = {
    "as it comes": Baseline(),
    "2 epochs": Baseline(epochs=2),
    "large batches": Baseline(users=64, batch=4096, epochs=2),
}
"""As its defaults are; with as many epochs as RL²; and then with large batches, too."""


@dataclass(frozen=True)
class BenchMeta:
    """What to measure, and where the numbers go."""

    users: int = 1024
    """Users that RL² trains on, and that are served."""
    tasks: int = 512
    """Users that MAML trains on."""
    loop_tasks: int = 6
    """Of them, users that the loop goes over while the clock runs."""
    baseline_steps: int = 4096
    """Environment steps that RecurrentPPO trains for."""
    requests: int = 12
    """Requests that a policy serves, of which the fastest counts."""
    training: bool = True
    """Whether to measure training, which takes minutes, too."""
    workers: bool = True
    """Whether to measure training by two workers, too."""
    out: Path | None = None
    """JSON file for the numbers; none without it."""


def main() -> None:
    """Measure, show a table as the numbers come, and write them."""
    options = tyro.cli(BenchMeta, description=__doc__)
    sizes = (options.users, options.tasks, options.loop_tasks, options.baseline_steps)
    if min(*sizes, options.requests) < 1:
        raise ValueError("users, tasks, loop_tasks, baseline_steps and requests must be at least 1")
    torch.set_num_threads(1)
    found = []
    for measurement in measurements(options):
        found.append(measurement)
        console().print(f"{measurement.what}, {measurement.users} user(s): {shown(measurement)}")
    console().print(table(found))
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report(options, found), indent=2) + "\n")


def measurements(options: BenchMeta) -> Iterator[Measurement]:
    """Every number of the table, in its order."""
    yield from acting(options)
    if options.training:
        yield from training(options)
    if options.workers:
        yield from parallel(options)


def acting(options: BenchMeta) -> Iterator[Measurement]:
    """CPU time of a request of many users, and of batches of users that take a gradient step."""
    users, population = options.users, feed_population()
    for name, policy in policies(population).items():
        taken = 1e3 * serving(policy, population, users, options.requests)
        yield Measurement(f"{name} acts", users, taken, "ms", "< 40 ms", taken < 40)
    taken = 1e3 * adapting(population, users)
    what = f"MAML steps and acts, a batch of {BATCH}"
    yield Measurement(what, users, taken, "ms", "< 5 ms", taken < 5)


def training(options: BenchMeta) -> Iterator[Measurement]:
    """Environment steps a CPU-second, of learners and of what they are held against."""
    population = feed_population()
    filtered, ours = (recurrent_rate(population, options.users, way) for way in (True, False))
    yield Measurement(f"RL² (GRU {UNITS}, filter) trains", options.users, filtered, "steps/s")
    yield Measurement(f"RL² (GRU {UNITS}) trains", options.users, ours, "steps/s")
    for name, baseline in BASELINES.items():
        theirs = baseline_rate(options.baseline_steps, baseline)
        what = f"RecurrentPPO (LSTM {UNITS}) trains, {name}"
        yield Measurement(what, baseline.users, theirs, "steps/s")
        ratio = ours / theirs
        yield Measurement("RL² (GRU) beside it", options.users, ratio, "x", ">= 15", ratio >= 15)
    ours, looped = maml_rates(population, options.tasks, options.loop_tasks)
    yield Measurement("MAML trains, all tasks at once", options.tasks, ours, "steps/s")
    yield Measurement("MAML trains, looping over tasks", options.tasks, looped, "steps/s")
    ratio = ours / looped
    yield Measurement("MAML beside the loop", options.tasks, ratio, "x", ">= 20", ratio >= 20)


def parallel(options: BenchMeta) -> Iterator[Measurement]:
    """What a second worker costs the first, at as many users for each."""
    users = options.users
    alone, both = (run_workers(count, timed_updates, users, 2) for count in (1, 2))
    for which, one, two in zip(("time that passes", "critical path"), alone, both, strict=True):
        efficiency, what = 100 * one / two, f"RL² by two workers, efficiency, {which}"
        yield Measurement(what, 2 * users, efficiency, "%", ">= 80%", efficiency >= 80)


# What is measured


def policies(population: Population) -> dict[str, Any]:
    """The policies whose acting is measured, untrained: what they cost is the same."""
    items = torch.from_numpy(np.array(population.split("test").catalogue.table))
    found: dict[str, Any] = {}
    for with_filter, kind in ((False, "GRU"), (True, "GRU, filter")):
        shape = NetworkShape.of(population, hidden=RL2Config().hidden, filter=with_filter)
        belief = BeliefNetwork(shape, feature_scale(items))
        for way in ("greedy", "ucb"):
            found[f"Amortised ({kind}, {way})"] = AmortisedPolicy(belief, items, acting=way)
        network = ActorCritic(shape, feature_scale(items))
        found[f"RL² ({kind}, greedy)"] = RL2Policy(network, items)
    return found


def serving(policy: Any, population: Population, users: int, requests: int) -> float:
    """CPU-seconds of the fastest request of a batch of users."""
    env = RecommendationVectorEnv(population, users, split="test", autoreset_mode="Disabled")
    observation, _ = env.reset(seed=0)
    state, times = policy.start(users), []
    for _ in range(requests):
        begin = time.process_time()
        slate, state = policy.act(observation, state)
        times.append(time.process_time() - begin)
        observation, *_ = env.step(slate)
    return min(times)


def adapting(population: Population, users: int) -> float:
    """CPU-seconds a batch of the request at which each of its users takes a gradient step."""
    config = MAMLConfig(users=1, validation_users=2)
    run = MAMLRun(Worker(), config, population)
    policy = run.policy(run.network)
    times = []
    for number in range(-(-users // BATCH)):
        env = RecommendationVectorEnv(population, BATCH, split="test", autoreset_mode="Disabled")
        observation, _ = env.reset(seed=number)
        state = policy.start(BATCH)
        for _ in range(config.rule.every):
            slate, state = policy.act(observation, state)
            observation, *_ = env.step(slate)
        begin = time.process_time()
        policy.act(observation, state)
        times.append(time.process_time() - begin)
    return float(np.mean(times))


def recurrent_rate(population: Population, users: int, with_filter: bool) -> float:
    """Environment steps of RL² a CPU-second of training."""
    warm, run = (
        recurrent_run(Worker(), population, count, with_filter) for count in (min(users, 16), users)
    )
    warm.update(0, RATE)
    return users * population.max_requests / spent(lambda: run.update(1, RATE))


def recurrent_run(worker: Worker, population: Population, users: int, with_filter: bool) -> RL2Run:
    """A run of RL² whose filter, if it has one, is past its first lessons."""
    config = RL2Config(
        users=users, workers=worker.count, hidden=UNITS, filter=with_filter, validation_users=2
    )
    run = RL2Run(worker, config, population)
    run.iteration = FIRST_LESSONS
    return run


def baseline_rate(steps: int, baseline: Baseline) -> float:
    """Environment steps a CPU-second of sb3-contrib's RecurrentPPO, with as many units."""
    from sb3_contrib import RecurrentPPO
    from stable_baselines3.common.env_util import make_vec_env

    env = make_vec_env("DriftRec/Feed-v0", n_envs=baseline.users)
    agent = RecurrentPPO(
        "MultiInputLstmPolicy",
        env,
        n_steps=max(min(2048, steps) // baseline.users, 2),
        batch_size=baseline.batch,
        n_epochs=baseline.epochs,
        device="cpu",
        seed=0,
        policy_kwargs={"lstm_hidden_size": UNITS},
    )
    begin = time.process_time()
    agent.learn(steps)
    return float(agent.num_timesteps) / (time.process_time() - begin)


def maml_rates(population: Population, tasks: int, loop_tasks: int) -> tuple[float, float]:
    """Environment steps a CPU-second of MAML on all tasks at once, and looping over them."""
    at_once = MAMLRun(Worker(), MAMLConfig(users=tasks, validation_users=2), population)
    loop = LoopRun(Worker(), MAMLConfig(users=1, validation_users=2), population)
    loop.update(0, RATE)
    looped = spent(lambda: [loop.update(seed, RATE) for seed in range(1, loop_tasks + 1)])
    together = spent(lambda: at_once.update(1, RATE))
    requests = population.max_requests
    return tasks * requests / together, loop_tasks * requests / looped


def timed_updates(worker: Worker, users: int, updates: int, lead: Any) -> tuple[float, float]:
    """Seconds that pass, and CPU-seconds on the critical path, in updates with `users` a worker."""
    timed = TimedWorker(worker)
    run = recurrent_run(timed, feed_population(), users * worker.count, True)
    # Its averages wait for the other worker to be as far.
    run.update(0, RATE)
    begin = time.perf_counter()
    timed.times = [time.process_time()]
    for number in range(updates):
        run.update(2 * number + worker.rank + 1, RATE)
    passed = time.perf_counter() - begin
    between = gather(worker, np.diff([*timed.times, time.process_time()])[None])
    return passed, float(between.max(0).sum())


class TimedWorker(Worker):
    """A worker that notes its CPU time whenever it meets the others."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker.rank, worker.count, worker.device)
        self.times: list[float] = []

    def average_gradients(self, module: nn.Module) -> None:
        """As `Worker.average_gradients`."""
        self.times.append(time.process_time())
        super().average_gradients(module)

    def average(self, *values: float) -> list[float]:
        """As `Worker.average`."""
        self.times.append(time.process_time())
        return super().average(*values)


def spent(go: Callable[[], Any]) -> float:
    """CPU-seconds of a run."""
    begin = time.process_time()
    go()
    return time.process_time() - begin


# How it is shown


def shown(measurement: Measurement) -> str:
    """The number with its unit."""
    digits = readable(measurement.value)
    return f"{digits}{'' if measurement.unit == '%' else ' '}{measurement.unit}"


def table(found: list[Measurement]) -> Table:
    """All numbers beside their goals."""
    result = Table(title="Learners and their policies on Feed, in CPU-seconds of one thread")
    for name in ("what", "users", "measured", "goal", ""):
        result.add_column(name, justify="left" if name == "what" else "right")
    marks = {True: "met", False: "not met", None: ""}
    for one in found:
        result.add_row(one.what, f"{one.users:,}", shown(one), one.goal, marks[one.met])
    return result


def report(options: BenchMeta, found: list[Measurement]) -> dict[str, Any]:
    """The numbers with what they depend on."""
    packages = ("driftrec", "gymnasium", "numpy", "torch", "stable-baselines3", "sb3-contrib")
    return {
        "measurements": [asdict(measurement) for measurement in found],
        "options": {**asdict(options), "out": str(options.out)},
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
    }


if __name__ == "__main__":
    run(main)
