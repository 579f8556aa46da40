r"""Measure how fast the environments step and how fast agents train on them.

Rates of environments are per second of CPU time of one thread, on the full default user and on
published ones, with random slates that were drawn beforehand, resets included. Each is the best of
several repeats: other processes can only make a repeat slower. Beside the published simulators
stand their originals, run here where they are installed (`originals.INSTALL` says how), else as
they were measured before. Rates of training are per second that passes, since
training may use several cores: measure them on a machine that does nothing else.

Examples:
    python scripts/bench_speed.py
    python scripts/bench_speed.py --repeats 5 --no-training
    python scripts/bench_speed.py --no-feed --no-training --out runs/speed.json
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
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import gymnasium as gym
import numpy as np
import torch
import tyro
from common import console, run
from originals import MAKERS, installed
from rich.table import Table

import driftrec.envs  # noqa: F401 (registers the ids)

VECTOR = "vector_entry_point"
AHEAD = 8
"""Slates for each user that are drawn before the clock starts."""

PUBLISHED = {
    "sardine.SingleItem-Static": 12e3,
    "sardine.SingleItem-BoredInf": 12e3,
    "sardine.SlateTopK-Bored": 9e3,
    "sardine.SlateTopK-BoredInf": 9e3,
    "sardine.SlateRerank-Bored": 8e3,
    "recsim.InterestEvolution": 8.3e3,
    "recsim.InterestExploration": 4.3e3,
    "recsim.LongTermSatisfaction": 31e3,
    "recogym.v0": 53e3,
    "recogym.v1": 12e3,
    "recgym.Preference": 48e3,
    "reclab.TopicsDynamic": 10e3,
    "kuaisim.WholeSession": 0.2e3,
}
"""Steps per CPU-second of the originals with a random policy, measured on two cores."""

BACK_END = 0.75e6
"""User-steps per CPU-second of recsim-ng's interest evolution for 1024 users, measured likewise."""

LARGE_GOAL = {"sardine": 300, "recsim": 300}
"""Times the original that 1024 users should reach on a core."""


@dataclass(frozen=True)
class BenchSpeed:
    """What to measure, and where the numbers go."""

    repeats: int = 30
    """Repeats of each measurement, of which the fastest counts."""
    feed: bool = True
    """Whether to measure the full default user."""
    published: bool = True
    """Whether to measure published simulators beside their originals."""
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
    if options.feed:
        yield from default_user(options.repeats)
    if options.published:
        yield from published(max(1, options.repeats // 3))
    if options.training:
        yield from training(options)


def default_user(repeats: int) -> Iterator[Measurement]:
    """Speed and memory of the full default user."""
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


def published(repeats: int) -> Iterator[Measurement]:
    """Steps of published simulators, beside those of their originals."""
    times: dict[str, list[float]] = {}
    for name, measured in PUBLISHED.items():
        family, task = name.split(".")
        here = family in MAKERS and installed(family)
        theirs = original(family, task, repeats) if here else measured
        yield rate(f"original {name}{'' if here else ', measured before'}", 1, theirs)
        one, many = single(name, repeats), vector(name, 1024, repeats)
        yield rate(f"gym.make {name}", 1, one, goal=theirs)
        large = LARGE_GOAL.get(family)
        yield rate(f"gym.make_vec {name}", 1024, many, goal=large and large * theirs)
        times.setdefault(family, []).append(one / theirs)
    middle = median(median(ratios) for ratios in times.values())
    yield Measurement(
        "gym.make beside originals, median of families", 1, middle, "x", ">= 3", middle >= 3
    )
    here = all(find_spec(module) is not None for module in ("recsim_ng", "tensorflow"))
    theirs = back_end(repeats) if here else BACK_END
    yield rate(f"recsim-ng's back end{'' if here else ', measured before'}", 1024, theirs)
    native = vector("recsim_ng.InterestEvolution", 1024, repeats)
    yield rate("gym.make_vec recsim_ng.InterestEvolution", 1024, native, goal=3 * theirs)


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


def original(family: str, task: str, repeats: int, steps: int = 1000) -> float:
    """Steps per CPU-second of an original, with random slates and with resets."""
    env, rng = MAKERS[family](task), np.random.default_rng(0)
    actions = [rng.permutation(env.items)[: env.slate] for _ in range(steps)]
    env.begin()
    # RecoGym compiles a part of itself at its first steps.
    if env.step(actions[0])[1]:
        env.begin()

    def go() -> None:
        for action in actions:
            if env.step(action)[1]:
                env.begin()

    return steps / fastest(go, repeats)


def back_end(repeats: int, users: int = 1024, steps: int = 60) -> float:
    """User-steps per CPU-second of recsim-ng's interest evolution, live in our back end."""
    env = gym.make_vec("DriftRec/RecSimNG-v0", num_envs=users, vectorization_mode=VECTOR)
    env.reset(seed=0)
    actions = [env.action_space.sample() for _ in range(AHEAD)]
    env.step(actions[0])

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
    strides = rng.integers(1, max(2, items // slate), size=(count, 1))
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
