"""Cells of a grid: what is trained and who is met, each under a key made of all it depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

import driftrec
from driftrec.agents.benchmark.fingerprint import fingerprint, population_fingerprint
from driftrec.agents.benchmark.suite import Scenario
from driftrec.agents.method import Method, Size
from driftrec.envs import Population


@dataclass(frozen=True)
class Training:
    """One training of a method.

    Attributes:
        name: of the method.
        method: its key in `Supplies`.
        population: key in `Supplies` of whose `train` users it learns from.
        seed: of the training.
        size: how long it trains.
    """

    name: str
    method: str
    population: str
    seed: int
    size: Size

    kind = "training"
    work = 1.0

    def __str__(self) -> str:
        return f"{self.name} seed {self.seed}"

    @cached_property
    def key(self) -> str:
        """Hash of all that the result depends on but the code."""
        return fingerprint(
            driftrec.__version__, self.kind, self.method, self.population, self.seed, self.size
        )


@dataclass(frozen=True)
class Meeting:
    """One policy of a method and the users of one scenario.

    Attributes:
        name: of the method.
        method: its key in `Supplies`.
        population: key in `Supplies` of whose users are met.
        split: the part of it that they come from.
        users: how many.
        batch: users simulated at once.
        seed: of the users.
        requests: in the longest trial.
        training: what the policy was learnt in, None for a method that does not train.
    """

    name: str
    method: str
    population: str
    split: str
    users: int
    batch: int
    seed: int
    requests: int
    training: Training | None

    kind = "meeting"

    def __str__(self) -> str:
        return f"{self.training or self.name} and {self.users} users, {self.split} {self.seed}"

    @property
    def work(self) -> float:
        """Requests, at most: what the time that it takes goes by."""
        return float(self.users * self.requests)

    @cached_property
    def key(self) -> str:
        """Hash of all that the result depends on but the code."""
        learnt = self.training.key if self.training else ""
        return fingerprint(
            driftrec.__version__, self.kind, self.method, learnt, self.population, self.split,
            self.users, self.batch, self.seed,
        )  # fmt: skip


Cell = Training | Meeting


@dataclass(frozen=True)
class Supplies:
    """What cells refer to by key, given to a worker once.

    Attributes:
        methods: by the fingerprint of their settings.
        populations: by their fingerprint.
    """

    methods: dict[str, Method] = field(default_factory=dict)
    populations: dict[str, Population] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A method in a scenario, and the cells that it consists of.

    Attributes:
        method: who takes part.
        unsuited: why it cannot, in words; empty where it can.
        failure: what went wrong when it was asked whether it can; empty as a rule.
        meetings: by training seed; (0,) where nothing is trained, none where it cannot take part.
    """

    method: Method
    unsuited: str = ""
    failure: str = ""
    meetings: Mapping[int, Meeting] = field(default_factory=dict)


class Keys:
    """Fingerprints of populations and methods, each made once, and the supplies they are in."""

    def __init__(self) -> None:
        self.supplies = Supplies()
        # With what they are of, so that no other object can come to have its identity.
        self._known: dict[int, tuple[Any, str]] = {}

    def population(self, population: Population) -> str:
        """Key of a population."""
        if id(population) not in self._known:
            self._known[id(population)] = population, population_fingerprint(population)
        key = self._known[id(population)][1]
        self.supplies.populations.setdefault(key, population)
        return key

    def method(self, method: Method) -> str:
        """Key of a method: of its class and settings."""
        if id(method) not in self._known:
            self._known[id(method)] = method, fingerprint(type(method), method.settings)
        key = self._known[id(method)][1]
        self.supplies.methods.setdefault(key, method)
        return key


def part_of(scenario: Scenario, method: Method, size: Size, keys: Keys) -> Part:
    """The cells of one method in one scenario, or why it cannot take part."""
    part = Part(method)
    try:
        unsuited = method.unsuited(scenario.population)
        if not unsuited and method.trains:
            unsuited = method.unsuited(scenario.trained_on) or _strange_items(scenario, method)
    except Exception as error:
        return replace(part, failure=f"unsuited raised {type(error).__name__}: {error}")
    if unsuited:
        return replace(part, unsuited=unsuited)
    return replace(part, meetings=_meetings(scenario, method, size, keys))


def _strange_items(scenario: Scenario, method: Method) -> str:
    """Why the method cannot show the items of the scenario, if it knows items by number."""
    learnt = scenario.trained_on.split("train").catalogue.table
    shown = scenario.population.split(scenario.split).catalogue.table
    if method.any_catalogue or (learnt.shape == shown.shape and np.array_equal(learnt, shown)):
        return ""
    return "knows items by their numbers, and those it was trained on are others"


def _meetings(scenario: Scenario, method: Method, size: Size, keys: Keys) -> dict[int, Meeting]:
    own = keys.method(method)
    meeting = Meeting(
        method.name, own, keys.population(scenario.population), scenario.split, scenario.users,
        scenario.batch, scenario.seed, scenario.population.max_requests, None,
    )  # fmt: skip
    if not method.trains:
        return {0: meeting}
    learnt = keys.population(scenario.trained_on)
    return {
        seed: replace(meeting, training=Training(method.name, own, learnt, seed, size))
        for seed in range(method.runs(scenario.seeds))
    }
