"""Methods and scenarios for the tests of the grid, where spawned processes find them by name."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import gymnasium
import numpy as np

from driftrec.agents.benchmark.suite import Scenario
from driftrec.agents.method import Method
from driftrec.envs import DriftingUser, Population, default_personas, synthetic_catalogue
from driftrec.envs.files import write_json


def population(name="Small", items=20, requests=5, **parameters):
    catalogue = synthetic_catalogue(items, np.random.default_rng(items), dimension=4, topics=3)
    users = DriftingUser(personas=default_personas(3, 4), topics=3, **parameters)
    return Population(name, users, catalogue, max_requests=requests)


def scenario(name, methods, met=None, trained_on=None, *, users=4, batch=3, seeds=2, **options):
    met = population() if met is None else met
    return Scenario(
        name, "Does it run?", met, met if trained_on is None else trained_on, "test", users,
        tuple(methods), batch, seeds=seeds, **options,
    )  # fmt: skip


@dataclass
class Count:
    """Requests so far."""

    request: np.ndarray


@dataclass(frozen=True)
class InOrder:
    """Shows one item after the other."""

    items: int
    first: int

    def start(self, users):
        return Count(np.zeros(users, np.int64))

    def act(self, observation, state):
        slates = (self.first + state.request[:, None]) % self.items
        return slates, Count(state.request + 1)


@dataclass(frozen=True)
class Making:
    """A factory of policies that show items in order, beginning with `first`."""

    first: int

    def __call__(self, env):
        return InOrder(len(env.simulation.catalogue), self.first)


@dataclass(frozen=True)
class Untrained(Method):
    first: int = 0

    def policy(self, folder):
        return Making(self.first)


@dataclass(frozen=True)
class Trained(Method):
    """Adds up one number a step, and after each writes how far it is."""

    steps: int = 3
    pause: float = 0.0

    trains = True

    def fit(self, population, folder, *, seed, size):
        path = folder / "state.json"
        state = json.loads(path.read_text()) if path.exists() else {"step": 0, "total": 0}
        for step in range(state["step"], self.steps):
            time.sleep(self.pause)
            drawn = int(np.random.default_rng([seed, step]).integers(100))
            state = {"step": step + 1, "total": state["total"] + drawn}
            write_json(path, state)
        return {"user_steps": self.steps}

    def policy(self, folder):
        return Making(json.loads((folder / "state.json").read_text())["total"])


@dataclass(frozen=True)
class Placed(Trained):
    """Leaves the name of the machine of Ray that it trains on in a folder, when it begins."""

    places: str = ""

    def fit(self, population, folder, *, seed, size):
        if "ray" in sys.modules:
            import ray

            if ray.is_initialized():
                (Path(self.places) / ray.get_runtime_context().get_node_id()).touch()
        return super().fit(population, folder, seed=seed, size=size)


@dataclass(frozen=True)
class Broken(Method):
    """Goes wrong in one way or another; at first only, where a marker says that it did."""

    way: str = "raises"
    marker: str = ""

    def policy(self, folder):
        if self.marker and Path(self.marker).exists():
            return Making(0)
        if self.marker:
            Path(self.marker).touch()
        return Breaking(self.way)


@dataclass(frozen=True)
class BrokenTraining(Broken):
    """The same while it trains, the second time if it is to be half broken."""

    trains = True

    def fit(self, population, folder, *, seed, size):
        if self.way == "half" and seed == 1:
            raise KeyError("no such user")
        found = self.policy(folder)
        if isinstance(found, Breaking):
            found.act({}, found.start(1))
        return {}

    def policy(self, folder):
        return Making(0) if self.way == "half" else super().policy(folder)


@dataclass(frozen=True)
class Breaking:
    way: str

    def __call__(self, env):
        return self

    def start(self, users):
        return Count(np.zeros(users, np.int64))

    def act(self, observation, state):
        if self.way == "raises":
            raise KeyError("no such item")
        if self.way == "exits":
            raise SystemExit(3)
        if self.way == "memory":
            raise MemoryError
        if self.way == "full":
            raise OSError(errno.ENOSPC, "No space left on device")
        if self.way == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        slates = {"slate": -1, "nan": np.nan}[self.way]
        return np.full((len(state.request), 1), slates), state


@dataclass(frozen=True)
class Choosy(Untrained):
    def unsuited(self, population):
        return "it knows Small alone" if population.name != "Small" else ""


class Arms(gymnasium.Env):
    """An environment of another package: each action gives its number."""

    def __init__(self):
        self.action_space = gymnasium.spaces.Discrete(4)
        self.observation_space = gymnasium.spaces.Box(0, 1, (1,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), float(action), False, False, {}
