r"""Measure how fast the environments step and how fast agents train on them.

Rates of environments are per second of CPU time of one thread, on the full default user, with
random slates that were drawn beforehand, resets included. Each is the best of several repeats:
other processes can only make a repeat slower. Rates of training are per second that passes, since
training may use several cores: measure them on a machine that does nothing else.

Examples:
    python scripts/bench_speed.py
    python scripts/bench_speed.py --repeats 5 --no-training
    python scripts/bench_speed.py --out runs/speed.json
"""

from __future__ import annotations

import json
import os
import platform
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
import tyro
from common import console, run
from rich.table import Table

import driftrec.envs  # noqa: F401 (registers the ids)

VECTOR = "vector_entry_point"
AHEAD = 8
"""Slates for each user that are drawn before the clock starts."""


@dataclass(frozen=True)
class BenchSpeed:
    """What to measure, and where the numbers go."""

    repeats: int = 30
    """Repeats of each measurement, of which the fastest counts."""
    training: bool = True
    """Whether to train RL² and agents of Stable-Baselines3 for a while, too."""
    training_steps: int = 8192
    """Environment steps that an agent of Stable-Baselines3 trains for."""
    training_iterations: int = 2
    """Iterations of RL² that are timed."""
    out: Path | None = None
    """JSON file for the numbers; none without it."""


@dataclass(frozen=True)
class Measurement:
    """One number.

    Attributes:
        what: what was run.
        users: users simulated at once.
        value: the number.
        unit: of it.
        goal: what it should reach, as text.
        met: whether it does.
    """

    what: str
    users: int
    value: float
    unit: str
    goal: str = ""
    met: bool | None = None


def main() -> None:
    """Measure, show a table as the numbers come, and write them."""
    options = tyro.cli(BenchSpeed, description=__doc__)
    if min(options.repeats, options.training_steps, options.training_iterations) < 1:
        raise ValueError("repeats, training_steps and training_iterations must be at least 1")
    torch.set_num_threads(1)
    found = []
    for measurement in measurements(options):
        found.append(measurement)
        console().print(f"{measurement.what}, {measurement.users} user(s): {shown(measurement)}")
    console().print(table(found))
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report(options, found), indent=2) + "\n")


def measurements(options: BenchSpeed) -> Iterator[Measurement]:
    """Every number of the table, in its order. A new one is one more `yield`."""
    repeats = options.repeats
    yield rate("gym.make Feed", 1, single("Feed", repeats), goal=20e3)
    yield rate("gym.make Slate", 1, single("Slate", repeats))
    goals = {1024: 3e6, 4096: 5e6}
    for users in (1, 64, 1024, 4096):
        steps = vector("Feed", users, repeats)
        yield rate("gym.make_vec Feed", users, steps, goal=goals.get(users))
    for users in (64, 1024, 4096):
        yield rate("gym.make_vec Slate", users, vector("Slate", users, repeats))
    for users in (1, 1024, 4096):
        steps = vector("Feed", users, repeats, array_library="torch")
        yield rate("gym.make_vec Feed, torch", users, steps)
    large = {users: vector("Feed", users, max(2, repeats // 4)) for users in (25_000, 100_000)}
    for users, steps in large.items():
        yield rate("gym.make_vec Feed", users, steps)
    ratio = large[25_000] / large[100_000]
    yield Measurement(
        "cost of a user-step, beside 25,000 users", 100_000, ratio, "x", "<= 1.25", ratio <= 1.25
    )
    held, peak = memory(4096, 8192)
    yield Measurement("memory of a user, held", 8192, held, "bytes", "< 2048", held < 2048)
    yield Measurement("memory of a user, at the peak of a step", 8192, peak, "bytes")
    if options.training:
        yield from training(options)


def training(options: BenchSpeed) -> Iterator[Measurement]:
    """Environment steps per second that passes while agents train."""
    users, steps = 1024, options.training_steps
    taken = train_rl2(users, options.training_iterations)
    yield rate("RL² (GRU 64), training, two cores, per second", users, taken, goal=30e3)
    yield rate("SB3 PPO (MLP), training, one core, per second", 8, train_ppo(steps))
    taken = train_recurrent(steps)
    yield rate("sb3-contrib RecurrentPPO, training, one core, per second", 8, taken)


def rate(what: str, users: int, steps: float, goal: float | None = None) -> Measurement:
    """User-steps per second, of CPU time if `what` says no more, with what they should reach."""
    if goal is None:
        return Measurement(what, users, steps, "steps/s")
    return Measurement(what, users, steps, "steps/s", f">= {readable(goal)}", steps >= goal)


# What is measured


def single(name: str, repeats: int, steps: int = 1000) -> float:
    """Steps per CPU-second of one environment as `gym.make` gives it."""
    env = gym.make(f"DriftRec/{name}-v0")
    env.reset(seed=0)
    actions = slates(env, steps)
    chosen = actions[:, 0].tolist() if actions.shape[1] == 1 else list(actions)

    def go() -> None:
        for action in chosen:
            *_, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    return steps / fastest(go, repeats)


def vector(name: str, users: int, repeats: int, **options: Any) -> float:
    """User-steps per CPU-second of the vector environment as `gym.make_vec` gives it."""
    env = gym.make_vec(f"DriftRec/{name}-v0", num_envs=users, vectorization_mode=VECTOR, **options)
    env.reset(seed=0)
    actions: Any = slates(env, AHEAD * users).reshape(AHEAD, users, -1)
    if options:
        actions = torch.from_numpy(actions)
    steps = min(max(60_000 // users, 40), 1000)
    # By then users are at all stages of their trials.
    for request in range(130):
        env.step(actions[request % AHEAD])

    def go() -> None:
        for request in range(steps):
            env.step(actions[request % AHEAD])

    return users * steps / fastest(go, repeats)


def memory(few: int, many: int) -> tuple[float, float]:
    """Bytes that one more user takes, held between steps and at the peak of a step."""
    (held, peak), (more_held, more_peak) = traced(few), traced(many)
    return (more_held - held) / (many - few), (more_peak - peak) / (many - few)


def traced(users: int) -> tuple[int, int]:
    """Bytes held after some steps, and the most that were held during them."""
    tracemalloc.start()
    env = gym.make_vec("DriftRec/Feed-v0", num_envs=users, vectorization_mode=VECTOR)
    observation, _ = env.reset(seed=0)
    action = np.zeros(users, np.int64)
    for _ in range(5):
        observation, *_ = env.step(action)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del observation
    return held, peak


def train_rl2(users: int, iterations: int) -> float:
    """Environment steps per second of RL² while it trains with two processes.

    The first iteration, in which the processes start, and the last, at which the policy is
    validated, are left out.
    """
    from driftrec.envs import feed_population
    from driftrec.meta import RL2, RL2Config

    population, times = feed_population(), []
    config = RL2Config(
        iterations=iterations + 2, users=users, hidden=64, workers=2, validate_every=iterations + 2,
        validation_users=2,
    )  # fmt: skip
    RL2(config).fit(population, progress=lambda *_: times.append(time.perf_counter()))
    return users * population.max_requests * iterations / (times[-2] - times[0])


def train_ppo(steps: int) -> float:
    """Environment steps per second of Stable-Baselines3's PPO while it trains."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env

    env = make_vec_env("DriftRec/Feed-v0", n_envs=8)
    return trained(PPO("MultiInputPolicy", env, n_steps=256, device="cpu", seed=0), steps)


def train_recurrent(steps: int) -> float:
    """Environment steps per second of sb3-contrib's RecurrentPPO while it trains."""
    from sb3_contrib import RecurrentPPO
    from stable_baselines3.common.env_util import make_vec_env

    env = make_vec_env("DriftRec/Feed-v0", n_envs=8)
    agent = RecurrentPPO("MultiInputLstmPolicy", env, n_steps=256, device="cpu", seed=0)
    return trained(agent, steps)


def trained(agent: Any, steps: int) -> float:
    """Environment steps per second of an agent's `learn`."""
    begin = time.perf_counter()
    agent.learn(steps)
    return float(agent.num_timesteps) / (time.perf_counter() - begin)


def fastest(go: Callable[[], None], repeats: int) -> float:
    """CPU-seconds of the fastest of several runs."""
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        go()
        times.append(time.process_time() - begin)
    return min(times)


def slates(env: Any, count: int) -> np.ndarray:
    """Random slates without duplicates, `(count, slate)`."""
    slate, items = env.unwrapped.population.slate, env.unwrapped.action_masks().shape[-1]
    rng = np.random.default_rng(0)
    starts = rng.integers(items, size=(count, 1))
    strides = rng.integers(1, items // slate, size=(count, 1))
    return np.asarray((starts + strides * np.arange(slate)) % items)


# How it is shown


def readable(number: float) -> str:
    """Three digits with k or M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"


def shown(measurement: Measurement) -> str:
    """The number with its unit."""
    if measurement.unit == "steps/s":
        return f"{readable(measurement.value)} steps/s"
    return f"{measurement.value:.4g} {measurement.unit}"


def table(found: list[Measurement]) -> Table:
    """All numbers beside their goals."""
    result = Table(title="Speed, per CPU-second of one thread; training, per second that passes")
    for name in ("what", "users", "measured", "goal", ""):
        result.add_column(name, justify="left" if name == "what" else "right")
    marks = {True: "met", False: "not met", None: ""}
    for one in found:
        result.add_row(one.what, f"{one.users:,}", shown(one), one.goal, marks[one.met])
    return result


def report(options: BenchSpeed, found: list[Measurement]) -> dict[str, Any]:
    """The numbers with what they depend on."""
    packages = ("driftrec", "gymnasium", "numpy", "torch", "stable-baselines3", "sb3-contrib")
    return {
        "measurements": [asdict(measurement) for measurement in found],
        "repeats": options.repeats,
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
    }


if __name__ == "__main__":
    run(main)
