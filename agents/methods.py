"""Methods by name: those of this package, of the learners, and of other packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, get_args

from driftrec.agents.method import Family, Method
from driftrec.agents.policy import Policy, PolicyFactory
from driftrec.envs import RecommendationVectorEnv

ENTRY_POINTS = "driftrec.policies"
"""Entry-point group in which other packages name a `Method`, or a `PolicyFactory`."""

GROUPS: dict[str, str] = {
    "reference": "driftrec.agents.reference_methods:METHODS",
    "bandit": "driftrec.agents.bandits:METHODS",
    "recommender": "driftrec.agents.recommenders:METHODS",
    "deep-rl": "driftrec.agents.deep:METHODS",
    "meta": "driftrec.meta.methods:METHODS",
}
"""Where each family's methods are, as "module:name of a mapping"; imported when asked for, so that
a worker that runs bandits needs no torch."""

EXTRAS: dict[str, str] = {"recommender": "benchmark", "deep-rl": "benchmark", "meta": "learn"}
"""The extra that a group needs."""


@dataclass(frozen=True)
class PluggedIn(Method):
    """A policy factory of another package, which learns nothing before it acts.

    Attributes:
        reference: the entry point's value, "module:attribute".
        version: of the package that has it, where known.
    """

    reference: str = ""
    version: str = ""

    def policy(self, folder: Path) -> PolicyFactory:
        """The factory, found again by name, so that it can be pickled whatever it is."""
        return self._make

    def _make(self, env: RecommendationVectorEnv) -> Policy:
        point = EntryPoint(self.name, self.reference, ENTRY_POINTS)
        policy: Policy = point.load()(env)
        return policy


def method_names(family: str | None = None) -> list[str]:
    """Names that `make_method` knows here, plug-ins included; those of one family if it is given.

    Groups that need an extra which is not installed are left out, unless their family is asked for.

    Raises:
        ValueError: if there is no such family.
        ImportError: if that family needs an extra which is not installed.
    """
    if family is None:
        known = [name for group in GROUPS for name in _importable(group)]
        return known + _plugins_beside(known)
    if family not in get_args(Family):
        raise ValueError(f"family must be one of {', '.join(get_args(Family))}; got {family!r}")
    found = list(_methods(family)) if family in GROUPS else []
    return found + [name for name in _plugins_beside(found) if make_method(name).family == family]


def _plugins_beside(known: list[str]) -> list[str]:
    return sorted({point.name for point in entry_points(group=ENTRY_POINTS)} - set(known))


def make_method(name: str) -> Method:
    """The method called `name`, with its default settings.

    Raises:
        ValueError: if nothing or more than one thing is known by that name, or a plug-in cannot
            be imported, or is neither a method nor a policy factory.
        ImportError: if it may be in a group that needs an extra which is not installed.
    """
    plugins = list(entry_points(group=ENTRY_POINTS, name=name))
    missing: dict[str, ImportError] = {}
    found = _built_in(name, missing)
    if len(plugins) + (found is not None) > 1:
        values = ", ".join(repr(point.value) for point in plugins)
        raise ValueError(
            f"the method {name!r} must stand for one thing, but it is taken more than once, "
            f"by plug-ins {values}: rename or uninstall one"
        )
    if found is not None:
        return found
    if plugins:
        return _plugged_in(plugins[0])
    known = ", ".join(method_names())
    if missing:
        reasons = "; ".join(str(error) for error in missing.values())
        raise ImportError(f"no method {name!r} among those at hand ({known}); {reasons}")
    raise ValueError(f"method must be one of {known}; got {name!r}")


def all_methods() -> dict[str, Method]:
    """Every method that can be had here, by name."""
    return {name: make_method(name) for name in method_names()}


def _built_in(name: str, missing: dict[str, ImportError]) -> Method | None:
    """The method of this package called `name`; groups looked into in vain go into `missing`."""
    for group in GROUPS:
        try:
            methods = _methods(group)
        except ImportError as error:
            missing[group] = error
            continue
        if name in methods:
            return methods[name]
    return None


def _methods(group: str) -> Mapping[str, Method]:
    """The methods of a group.

    Raises:
        ImportError: if it cannot be imported, with what to install.
    """
    module, name = GROUPS[group].split(":")
    try:
        found: Mapping[str, Method] = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if group not in EXTRAS or (error.name or "").startswith("driftrec"):
            raise
        raise ImportError(
            f"{group} methods need the extra {EXTRAS[group]!r}, since {error.name} is not "
            f"installed: pip install 'driftrec[{EXTRAS[group]}]'",
            name=error.name,
        ) from error
    return found


def _importable(group: str) -> Mapping[str, Method]:
    try:
        return _methods(group)
    except ImportError:
        return {}


def _plugged_in(point: EntryPoint) -> Method:
    """What an entry point of another package names; whatever goes wrong there names the package."""
    try:
        found: Any = point.load()
        if isinstance(found, type) and issubclass(found, Method):
            found = found()  # type: ignore[call-arg]  # a plug-in's settings have defaults
    except Exception as error:
        raise ValueError(
            f"the plug-in {point.name!r} must name a Method or a function that makes a policy for "
            f"an environment, and {point.value!r} raised {type(error).__name__}: {error}"
        ) from error
    if isinstance(found, Method):
        if found.name != point.name:
            raise ValueError(
                f"the plug-in {point.name!r} must name a method of that name, got {found.name!r}"
            )
        return found
    if not callable(found):
        raise ValueError(
            f"the plug-in {point.name!r} must name a Method or a function that makes a policy for "
            f"an environment, got {type(found).__name__}"
        )
    version = point.dist.version if point.dist else ""
    return PluggedIn(point.name, "plug-in", point.value, version)
