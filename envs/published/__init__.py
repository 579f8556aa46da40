"""The user simulators of other people, written from their equations: installed, seeded, batched.

Each source is one module with its equations and its published or measured numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from driftrec.envs.population import Population
from driftrec.envs.published import (
    attrition,
    kuaisim,
    preference_dynamics,
    rebounding,
    recgym,
    reclab,
    recogym,
    recsim,
    recsim_ng,
    sardine,
)


class Source(NamedTuple):
    """Tasks of one source.

    Attributes:
        prefix: of the environment classes in the source's module.
        tasks: their names.
        population: makes that of a task.
    """

    prefix: str
    tasks: Iterable[str]
    population: Callable[..., Population]


SOURCES = {
    "attrition": Source("Attrition", attrition.TASKS, attrition.attrition_population),
    "kuaisim": Source("KuaiSim", kuaisim.TASKS, kuaisim.kuaisim_population),
    "preference_dynamics": Source(
        "PreferenceDynamics",
        preference_dynamics.TASKS,
        preference_dynamics.preference_dynamics_population,
    ),
    "rebounding": Source("Rebounding", rebounding.TASKS, rebounding.rebounding_population),
    "recgym": Source("RecGym", recgym.TASKS, recgym.recgym_population),
    "reclab": Source("RecLab", reclab.TASKS, reclab.reclab_population),
    "recogym": Source("RecoGym", recogym.TASKS, recogym.recogym_population),
    "recsim": Source("RecSim", recsim.TASKS, recsim.recsim_population),
    "recsim_ng": Source("RecSimNG", recsim_ng.TASKS, recsim_ng.recsim_ng_population),
    "sardine": Source("Sardine", sardine.TASKS, sardine.sardine_population),
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
            f"driftrec.envs.published.{module}:{source.prefix}Env",
            f"driftrec.envs.published.{module}:{source.prefix}VectorEnv",
            {"task": task},
            source.population,
        )
        for module, source in SOURCES.items()
        for task in source.tasks
    ]
