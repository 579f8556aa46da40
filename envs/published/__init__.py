"""The user simulators of other people, written from their equations: installed, seeded, batched.

Each family is one module with its source, its equations and its published or measured numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from driftrec.envs.population import Population
from driftrec.envs.published import (
    attrition,
    preference_dynamics,
    rebounding,
    recgym,
    reclab,
    recsim_ng,
    sardine,
)


class Family(NamedTuple):
    """Tasks of one source.

    Attributes:
        prefix: of the environment classes in the family's module.
        tasks: their names.
        population: makes that of a task.
    """

    prefix: str
    tasks: Iterable[str]
    population: Callable[..., Population]


FAMILIES = {
    "attrition": Family("Attrition", attrition.TASKS, attrition.attrition_population),
    "preference_dynamics": Family(
        "PreferenceDynamics",
        preference_dynamics.TASKS,
        preference_dynamics.preference_dynamics_population,
    ),
    "rebounding": Family("Rebounding", rebounding.TASKS, rebounding.rebounding_population),
    "recgym": Family("RecGym", recgym.TASKS, recgym.recgym_population),
    "reclab": Family("RecLab", reclab.TASKS, reclab.reclab_population),
    "recsim_ng": Family("RecSimNG", recsim_ng.TASKS, recsim_ng.recsim_ng_population),
    "sardine": Family("Sardine", sardine.TASKS, sardine.sardine_population),
}
"""By the name of the module."""


class Registration(NamedTuple):
    """A task as it is registered, with Gymnasium and among populations.

    Attributes:
        name: of the population, and in the id.
        entry_point: of one user.
        vector_entry_point: of many.
        kwargs: of both, and of the population.
        population: makes it.
    """

    name: str
    entry_point: str
    vector_entry_point: str
    kwargs: dict[str, Any]
    population: Callable[..., Population]


def registrations() -> list[Registration]:
    """Those of every task."""
    return [
        Registration(
            f"{module}.{task}",
            f"driftrec.envs.published.{module}:{family.prefix}Env",
            f"driftrec.envs.published.{module}:{family.prefix}VectorEnv",
            {"task": task},
            family.population,
        )
        for module, family in FAMILIES.items()
        for task in family.tasks
    ]
