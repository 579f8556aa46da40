"""What the trainings of all deep agents share: a place of their own, and the choice of weights."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from driftrec.agents.deep.layers import write_network
from driftrec.agents.deep.reading import Reader, feature_scale
from driftrec.agents.deep.saved import OfArrays
from driftrec.agents.harness import evaluate
from driftrec.agents.method import Size
from driftrec.envs import Population
from driftrec.envs.arrays import Array

VALIDATION_SEED = 20_000_003

STEPS: dict[Size, float] = {"smoke": 0.02, "standard": 1.0, "full": 3.0}
"""Length of a training beside the standard one."""

VALIDATION_USERS: dict[Size, int] = {"smoke": 50, "standard": 400, "full": 400}

LOOKS: dict[Size, int] = {"smoke": 2, "standard": 10, "full": 20}
"""How often validation users are met."""


@contextmanager
def alone(seed: int) -> Iterator[None]:
    """One thread and global random numbers of its own, which are put back afterwards."""
    threads, python = torch.get_num_threads(), random.getstate()
    state = np.random.get_state()  # noqa: NPY002 (Stable-Baselines3 seeds the global generator)
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)
        random.setstate(python)
        np.random.set_state(state)  # noqa: NPY002 (the same)


def reader_of(population: Population, summarised: bool = True) -> Reader:
    """Reads the training users' observations."""
    split = population.split("train")
    return Reader(
        feature_scale(split.catalogue), population.slate, split.model.context_size, summarised
    )


def scaled_table(population: Population, reader: Reader) -> Array:
    """Scaled features of the items that training users are shown, float32 `(items, width)`."""
    return np.asarray(population.split("train").catalogue.table) * reader.scale


def described(population: Population, reader: Reader, **more: Any) -> dict[str, Any]:
    """What a network is, as JSON: on whom it was trained, the sizes that it fits, and more."""
    return {
        "population": population.name,
        "width": len(reader.scale),
        "slate": reader.slate,
        "context": reader.context,
        **more,
    }


def linear_layers(*modules: nn.Module) -> dict[str, Array]:
    """Weights and biases of the linear layers in some modules, in order, as `actor.<n>.…`."""
    layers = [
        layer for module in modules for layer in module.modules() if isinstance(layer, nn.Linear)
    ]
    return {
        f"actor.{place}.{name}": tensor.detach().numpy().copy()
        for place, layer in enumerate(layers)
        for name, tensor in layer.named_parameters()
    }


@dataclass
class Best:
    """The network that was best on the validation users, of those looked at.

    Attributes:
        population: whose validation users are met.
        about: what the network is, as JSON.
        size: how many of them.
        arrays: of the best network.
        score: its reward a request, acting greedily.
        step: environment steps that it had learnt from.
        steps: those of the last network looked at.
    """

    population: Population
    about: dict[str, Any]
    size: Size
    arrays: Mapping[str, Array] | None = None
    score: float = -float("inf")
    step: int = 0
    steps: int = 0

    def look(self, arrays: Mapping[str, Array], step: int) -> None:
        """Let a network meet the validation users, and keep it if it is the best."""
        self.steps = step
        users = VALIDATION_USERS[self.size]
        found = evaluate(
            OfArrays(arrays, self.about), self.population, split="validation",
            users=users, batch=users, seed=VALIDATION_SEED,
        )  # fmt: skip
        score = float(found.reward.sum() / found.active.sum())
        if score > self.score:
            self.arrays, self.score, self.step = arrays, score, step

    def write(self, folder: Path) -> None:
        """Leave the best network in a folder."""
        assert self.arrays is not None
        about = self.about | {"validation": self.score, "step": self.step}
        write_network(folder, self.arrays, about)
