"""The user simulators of other people, written from their equations: installed, seeded, batched.

Each family is one module with its source, its equations and its published or measured numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from driftrec.envs.population import Population
from driftrec.envs.published.recsim_ng import TASKS as _RECSIM_NG
from driftrec.envs.published.recsim_ng import recsim_ng_population
from driftrec.envs.published.sardine import TASKS as _SARDINE
from driftrec.envs.published.sardine import sardine_population

FAMILIES: dict[str, tuple[str, tuple[str, ...], Callable[..., Population]]] = {
    "recsim_ng": ("RecSimNG", tuple(_RECSIM_NG), recsim_ng_population),
    "sardine": ("Sardine", tuple(_SARDINE), sardine_population),
}
"""By the module's name: the prefix of its environment classes, its tasks, and their populations."""


def registrations() -> list[tuple[str, str, str, dict[str, Any], Callable[..., Population]]]:
    """Of every task: population name, entry points single and vector, arguments, and factory."""
    return [
        (
            f"{module}.{task}",
            f"driftrec.envs.published.{module}:{prefix}Env",
            f"driftrec.envs.published.{module}:{prefix}VectorEnv",
            {"task": task},
            factory,
        )
        for module, (prefix, tasks, factory) in FAMILIES.items()
        for task in tasks
    ]


__all__ = ["FAMILIES", "recsim_ng_population", "registrations", "sardine_population"]
