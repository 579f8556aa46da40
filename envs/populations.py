"""Populations and user models by name, including those of other packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from driftrec.envs.population import Population, check_parameters
from driftrec.envs.user_model import UserModel

ENTRY_POINTS = "driftrec.user_models"
"""Entry-point group in which other packages name a `UserModel`, or what makes a population."""

PopulationSource = Population | str | Callable[..., Population]
"""A population, the name of one, or a function that makes one of parameters of its users."""

_populations: dict[str, Callable[[], Population]] = {}
_user_models: dict[str, Callable[[], UserModel]] = {}


def register_population(name: str, factory: Callable[[], Population]) -> None:
    """Make a population available to every script and environment as `name`.

    Raises:
        ValueError: if the name is taken.
    """
    _register(_populations, name, factory)


def register_user_model(name: str, factory: Callable[[], UserModel]) -> None:
    """Make a user model available by name, with its default catalogue and parameters.

    Raises:
        ValueError: if the name is taken.
    """
    _register(_user_models, name, factory)


def population_names() -> list[str]:
    """Names that `make_population` knows, those of installed plug-ins included."""
    plugins = {point.name for point in entry_points(group=ENTRY_POINTS)}
    return sorted({*_populations, *_user_models, *plugins})


def make_population(name: str) -> Population:
    """The population registered or plugged in as `name`, or that of a user model of that name.

    Raises:
        ValueError: if nothing or more than one thing is known by that name, or a plug-in is no
            user model and no population.
    """
    plugins = list(entry_points(group=ENTRY_POINTS, name=name))
    if len(plugins) + (name in _populations) + (name in _user_models) > 1:
        values = ", ".join(repr(point.value) for point in plugins)
        raise ValueError(
            f"the name {name!r} must stand for one thing, but it is taken more than once, "
            f"by plug-ins {values}: rename or uninstall one"
        )
    if name in _populations:
        return _populations[name]()
    if name in _user_models:
        return population_of(_user_models[name](), name)
    if plugins:
        found = _plugged_in(plugins[0])
        return found if isinstance(found, Population) else population_of(found, name)
    raise ValueError(f"population must be one of {', '.join(population_names())}; got {name!r}")


def _plugged_in(point: EntryPoint) -> Any:
    """What an entry point of another package makes; whatever goes wrong there names the package."""
    try:
        return point.load()()
    except Exception as error:
        raise ValueError(
            f"the plug-in {point.name!r} must name a UserModel that needs no arguments, or a "
            f"function that makes a Population, and {point.value!r} raised "
            f"{type(error).__name__}: {error}"
        ) from error


def population_of(model: UserModel, name: str) -> Population:
    """A population of the users of one model with its own catalogue.

    Raises:
        ValueError: if `model` is not a `UserModel`.
    """
    if not isinstance(model, UserModel):
        raise ValueError(f"{name!r} must be a driftrec UserModel, got {type(model).__name__}")
    return Population(name, model, model.default_catalogue())


def resolve_population(
    population: PopulationSource, parameters: Mapping[str, Any] | None = None
) -> Population:
    """A population by name, as it is, or made by a function, with parameters of its users changed.

    A function is given the parameters, so that catalogues and limits go with them.

    Raises:
        ValueError: if the users have no such parameter, or a population that is made already
            would need another catalogue.
    """
    if isinstance(population, str):
        population = make_population(population)
    if not isinstance(population, Population):
        return _made(population, parameters or {})
    return population.replace_parameters(**parameters) if parameters else population


def _made(factory: Callable[..., Population], parameters: Mapping[str, Any]) -> Population:
    try:
        return factory(**parameters)
    except TypeError:
        check_parameters(factory().model, parameters)
        raise


def _register(table: dict[str, Any], name: str, factory: Any) -> None:
    if name in _populations or name in _user_models:
        raise ValueError(f"the name {name!r} is registered already: choose another")
    table[name] = factory
