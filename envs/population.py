"""Populations: a distribution over users and the catalogue they are shown, with named splits."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np

from driftrec.envs.catalogue import Catalogue
from driftrec.envs.user_model import UserModel

SPLITS = ("train", "validation", "test", "ood-drift", "ood-taste", "ood-items")
"""`train` to learn on, `validation` to tune on, `test` and the `ood-*` ones to report."""


@dataclass(frozen=True)
class Split:
    """One named part of a population: its users never appear in another part.

    Attributes:
        population: name of the population.
        name: one of `SPLITS`.
        model: how these users behave.
        catalogue: what they can be shown.
    """

    population: str
    name: str
    model: UserModel
    catalogue: Catalogue

    def entropy(self, *numbers: int) -> list[int]:
        """Seed of a simulation on this split; no two splits share one."""
        return [zlib.crc32(self.population.encode()), SPLITS.index(self.name), *numbers]


@dataclass(frozen=True, eq=False)
class Population:
    """A user model, a catalogue, and what differs in the splits.

    Attributes:
        name: names the population in tables and seeds.
        model: how users of `train`, `validation` and `test` behave, unless `variants` says more.
        catalogue: what they are shown, likewise.
        variants: the model and the catalogue of a split, where they are not those above.
        slate: items shown in one request.
        max_requests: requests after which a trial is truncated.
        max_days: days after which a trial is truncated.
        repeats: whether an item may well be shown to a user again in a trial. Where it may not,
            policies leave out what they have shown, as long as there is anything else.
        candidates: items that are drawn for each request, from which its slate is chosen; 0 where
            that is the whole catalogue.
        arrivals: items, the last of the catalogue, that are not there from the start but arrive one
            after another, evenly over the trial; candidates are then drawn from those that are
            there and were not shown yet.
        card: where the parameters come from, in Markdown.
    """

    name: str
    model: UserModel
    catalogue: Catalogue
    variants: Mapping[str, tuple[UserModel, Catalogue]] = field(default_factory=dict)
    slate: int = 1
    max_requests: int = 120
    max_days: float = float("inf")
    repeats: bool = False
    candidates: int = 0
    arrivals: int = 0
    card: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if unknown := set(self.variants) - set(SPLITS):
            raise ValueError(f"variants must be of the splits {SPLITS}, got {sorted(unknown)}")
        smallest = min(len(self.split(name).catalogue) for name in SPLITS)
        if not 1 <= self.slate <= smallest:
            raise ValueError(f"slate must lie in [1, {smallest}] (the catalogue), got {self.slate}")
        if self.candidates and not self.slate <= self.candidates <= smallest:
            raise ValueError(
                f"candidates must be 0, or lie in [{self.slate}, {smallest}] (slate to catalogue), "
                f"got {self.candidates}"
            )
        if self.candidates and not self.repeats:
            raise ValueError("where candidates are drawn for each request, repeats must be True")
        if self.arrivals and not 0 < self.arrivals <= smallest - self.candidates < smallest:
            raise ValueError(
                f"arrivals must be 0, or leave the {self.candidates} candidates (at least 1) of "
                f"{smallest} items to begin with, got {self.arrivals}"
            )
        if self.max_requests < 1 or not self.max_days > 0:
            raise ValueError(
                "max_requests and max_days must be positive, "
                f"got {self.max_requests} and {self.max_days}"
            )

    def split(self, name: str) -> Split:
        """The part of the population called `name`.

        Raises:
            ValueError: if there is none of that name.
        """
        if name not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}; got {name!r}")
        model, catalogue = self.variants.get(name, (self.model, self.catalogue))
        return Split(self.name, name, model, catalogue)

    def replace_parameters(self, **parameters: Any) -> Population:
        """The same population with parameters of its user model changed in every split.

        Catalogues, slate and limits of trials stay as they are.

        Raises:
            ValueError: if the user model has no such parameter, or would come with another
                catalogue than the population shows.
        """
        variants = {
            name: (self._changed(model, catalogue, parameters), catalogue)
            for name, (model, catalogue) in self.variants.items()
        }
        model = self._changed(self.model, self.catalogue, parameters)
        return replace(self, model=model, variants=variants)

    def _changed(
        self, model: UserModel, catalogue: Catalogue, parameters: Mapping[str, Any]
    ) -> UserModel:
        check_parameters(model, parameters)
        changed = replace(model, **parameters)
        own = _same_items(catalogue, model.default_catalogue())
        if own and not _same_items(catalogue, changed.default_catalogue()):
            raise ValueError(
                f"{sorted(parameters)} of {type(model).__name__} must leave the catalogue as it "
                f"is, which the population {self.name!r} goes on showing, got another: give them "
                "to the function that makes the population, or to population_of(model, name)"
            )
        return changed


def check_parameters(model: UserModel, parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that a user model does not have.

    Raises:
        ValueError: if it has not all of them.
    """
    if not is_dataclass(model):
        raise ValueError(
            f"{type(model).__name__} is no dataclass: its parameters cannot be changed"
        )
    known = {item.name for item in fields(model)}
    if unknown := set(parameters) - known:
        raise ValueError(
            f"{type(model).__name__} has no parameter {sorted(unknown)}; it has {sorted(known)}"
        )


def _same_items(one: Catalogue, other: Catalogue) -> bool:
    return one is other or all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("features", "topics", "quality")
    )
