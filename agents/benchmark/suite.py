"""Suites: named, immutable, versioned lists of scenarios."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from driftrec.agents.method import Size
from driftrec.envs import Population


@dataclass(frozen=True, eq=False)
class Scenario:
    """One question put to every method: who is trained on, who is met, and how many.

    Attributes:
        name: unique in its suite, in the characters of a file name.
        question: what it asks, in a sentence.
        population: whose users are met.
        trained_on: whose `train` users methods learn from.
        split: the part of `population` whose users are met.
        users: how many of them.
        batch: users simulated at once; part of what says who they are.
        seed: of the users.
        baseline: the method whose normalised score is 0.
        reference: the method whose normalised score is 1.
        methods: names of the methods that take part.
        seeds: trainings of each method that trains.
        jump: requests after which every user's taste changes abruptly; 0 for none.
    """

    name: str
    question: str
    population: Population
    trained_on: Population
    split: str
    users: int
    methods: tuple[str, ...]
    batch: int = 250
    seed: int = 0
    baseline: str = "most-popular"
    reference: str = "filter-ucb"
    seeds: int = 1
    jump: int = 0


@dataclass(frozen=True, eq=False)
class Suite:
    """Scenarios under one name; what a name and version stand for stays once released.

    Attributes:
        name: with its version, such as "cold-start-v1".
        title: for people.
        question: what the suite asks, in a sentence or two.
        make: gives the scenarios of a size.
    """

    name: str
    title: str
    question: str
    make: Callable[[Size], tuple[Scenario, ...]]
