"""What a trained recommender leaves in a folder, and how a policy is made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from driftrec.agents.policy import Policy
from driftrec.agents.repeating import Repeating
from driftrec.envs import Catalogue, RecommendationVectorEnv
from driftrec.envs.arrays import Array
from driftrec.envs.files import replacing

FILE = "recommender.npz"
"""The arrays of a trained recommender, by name."""

Arrays = Mapping[str, Array]
"""Arrays by name."""


def save(folder: Path, arrays: Arrays) -> None:
    """Write the arrays atomically.

    Raises:
        OSError: if there is no room or no permission.
    """
    with replacing(folder / FILE) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load(folder: Path) -> dict[str, Array]:
    """Read what `save` wrote.

    Raises:
        ValueError: if nothing was trained in this folder.
    """
    path = folder / FILE
    if not path.is_file():
        raise ValueError(f"{path} is missing: call fit with this folder first")
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


@dataclass(frozen=True)
class Served:
    """A policy factory: makes the policy of a trained recommender for an environment.

    Attributes:
        folder: where it was trained.
        make: makes the policy of the arrays, a catalogue and the size of a slate.
        name: of the method, in errors.
        any_catalogue: whether it may serve items other than those it was trained on.
    """

    folder: Path
    make: Callable[[Arrays, Catalogue, int], Policy]
    name: str
    any_catalogue: bool

    def __call__(self, env: RecommendationVectorEnv) -> Policy:
        """The policy.

        Raises:
            ValueError: if it was trained on another catalogue, whose item numbers it knows.
        """
        simulation = env.simulation
        arrays, catalogue = load(self.folder), simulation.catalogue
        if not (self.any_catalogue or same_items(arrays, catalogue)):
            raise ValueError(
                f"{self.name} must serve the catalogue that it was trained on "
                f"({len(arrays['table'])} items), since it knows items by their numbers; got "
                f"another one ({len(catalogue)} items)"
            )
        policy = self.make(arrays, catalogue, simulation.slate)
        return Repeating(policy) if env.population.repeats else policy


def same_items(arrays: Arrays, catalogue: Catalogue) -> bool:
    """Whether a recommender was trained on this catalogue."""
    table = catalogue.table
    return arrays["table"].shape == table.shape and np.allclose(arrays["table"], table, atol=1e-4)


def log_odds(arrays: Arrays, catalogue: Catalogue) -> Array:
    """Log-odds that anybody clicks each item, float32 `(items,)`.

    They are learned from the log for the items that it is of, and the public quality for others.
    """
    if same_items(arrays, catalogue):
        rates = arrays["rates"]
        return np.log(rates / (1 - rates))
    return np.asarray(catalogue.quality)
