r"""Measure the bridge to Stable-Baselines3 against its own `DummyVecEnv`.

Both step the same population with the same random actions, drawn beforehand, resets included, on
one thread. In each repeat both are timed, one after the other, and of each the fastest counts:
other processes can only make a repeat slower. Rates are user-steps per CPU-second.

Examples:
    python scripts/bench_bridge.py
    python scripts/bench_bridge.py --population Slate --environments 64
    python scripts/bench_bridge.py --repeats 20 --out runs/bridge.json
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from common import console, run
from rich.table import Table
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv
from validation.cells import machine

from driftrec.agents.deep.bridge import RecommendationVecEnv
from driftrec.envs import Population, RecommendationEnv, make_population
from driftrec.envs.files import write_json

AHEAD = 32
"""Slates for each user that are drawn before the clock starts."""


@dataclass(frozen=True)
class BenchBridge:
    """What to measure, and where the numbers go."""

    population: str = "Feed"
    """Name of a population, or of an installed plug-in."""
    environments: tuple[int, ...] = (1, 16, 64, 256)
    """Users at once."""
    steps: int = 4000
    """User-steps of a repeat; at least 20 for each user."""
    repeats: int = 7
    """Repeats of each measurement."""
    out: Path | None = None
    """JSON file for the numbers; none without it."""


@dataclass(frozen=True)
class Speed:
    """User-steps per CPU-second.

    Attributes:
        environments: users at once.
        dummy: of `DummyVecEnv` over single environments with `Monitor`.
        flat: of the bridge with flat observations.
        bridge: of the bridge with dictionaries, as `DummyVecEnv` gives them.
    """

    environments: int
    dummy: float
    bridge: float
    flat: float


def main() -> None:
    """Measure, show the table, and write the numbers."""
    options = tyro.cli(BenchBridge, description=__doc__)
    if min(options.repeats, options.steps, *options.environments) < 1:
        raise ValueError("repeats, steps and environments must be at least 1")
    population = make_population(options.population)
    found = [
        speed(population, count, options.steps, options.repeats) for count in options.environments
    ]
    console().print(table(population, found))
    if options.out is not None:
        speeds = [asdict(one) | {"ratio": one.bridge / one.dummy} for one in found]
        write_json(options.out, {"machine": machine(), "speeds": speeds})


def speed(population: Population, count: int, steps: int, repeats: int) -> Speed:
    """Rates with one number of environments."""
    rounds = max(steps // count, 20)
    runs = {
        "dummy": stepping(dummy(population, count), rounds),
        "bridge": stepping(RecommendationVecEnv(population, count), rounds),
        "flat": stepping(RecommendationVecEnv(population, count, flat=True), rounds),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, go in runs.items():
            begin = time.process_time()
            go()
            times[name].append(time.process_time() - begin)
    return Speed(count, **{name: rounds * count / min(taken) for name, taken in times.items()})


def dummy(population: Population, count: int) -> DummyVecEnv:
    """Single environments as `make_vec_env` wraps them."""
    single = partial(RecommendationEnv, population)
    return DummyVecEnv([lambda: Monitor(single())] * count)


def stepping(env: VecEnv, rounds: int) -> Callable[[], None]:
    """Steps an environment that was reset, with slates that were drawn."""
    actions = slates(env)
    env.seed(0)
    env.reset()

    def go() -> None:
        for request in range(rounds):
            env.step(actions[request % AHEAD])

    return go


def slates(env: VecEnv) -> np.ndarray:
    """Random actions, `(AHEAD, users)` or `(AHEAD, users, slate)`."""
    space: Any = env.action_space
    space.seed(0)
    drawn = [[space.sample() for _ in range(env.num_envs)] for _ in range(AHEAD)]
    return np.array(drawn)


def table(population: Population, found: list[Speed]) -> Table:
    """Rates, and how many times faster the bridge is."""
    result = Table(title=f"{population.name}: user-steps per CPU-second of one thread")
    for name in ("environments", "DummyVecEnv", "bridge", "ratio", "bridge, flat", "ratio"):
        result.add_column(name, justify="right")
    for one in found:
        result.add_row(
            f"{one.environments}", f"{one.dummy:,.0f}",
            f"{one.bridge:,.0f}", f"{one.bridge / one.dummy:.1f}",
            f"{one.flat:,.0f}", f"{one.flat / one.dummy:.1f}",
        )  # fmt: skip
    return result


if __name__ == "__main__":
    run(main)
