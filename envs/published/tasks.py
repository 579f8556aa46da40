"""What the modules of published simulators share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from driftrec.envs.population import Population

OTHER_SEED = 1000
"""What the seed of the catalogue of `ood-items` has above that of the others."""


def check_task(task: str, known: Iterable[str]) -> None:
    """Refuse a task that there is not.

    Raises:
        ValueError: if it is none of those known.
    """
    if task not in known:
        raise ValueError(f"task must be one of {', '.join(known)}; got {task!r}")


def seeded_population(name: str, model: Any, **limits: Any) -> Population:
    """Users of one kind, who in `ood-items` are shown another catalogue of the same kind.

    Args:
        name: of the population.
        model: how they behave; its parameter `seed` is that of its own catalogue.
        limits: slate, requests and the like, see `Population`.
    """
    other = replace(model, seed=model.seed + OTHER_SEED)
    variants = {"ood-items": (other, other.default_catalogue())}
    return Population(name, model, model.default_catalogue(), variants, **limits)
