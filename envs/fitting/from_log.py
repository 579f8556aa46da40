"""From a log to a population of drifting users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.catalogue import Catalogue
from driftrec.envs.drifting_user import DriftingUser, default_personas
from driftrec.envs.fitting.calibrate import calibrated, hidden_exposure
from driftrec.envs.fitting.card import fitted_card
from driftrec.envs.fitting.catalogues import (
    catalogue_of,
    item_features,
    latent_rows,
    random_rows,
    topic_coherence,
)
from driftrec.envs.fitting.feed import fit_feed
from driftrec.envs.fitting.quality import draw_quality
from driftrec.envs.fitting.ratings import fit_ratings
from driftrec.envs.fitting.recipe import PERSONAS, FittedUsers
from driftrec.envs.fitting.residuals import most_exposed, on_feed, returning_users
from driftrec.envs.fitting.simulate import Observation
from driftrec.envs.fitting.split import split_users
from driftrec.envs.logs.log import InteractionLog
from driftrec.envs.population import Population

ITEMS = 1000


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted population and what realism is judged by.

    Attributes:
        population: the users and what they are shown.
        users: parameters with their intervals, of "train" and of "test".
        items: codes of the catalogue's items in the log, in the catalogue's order.
        observation: how the log's users were shown items of the catalogue, and seen.
        held_out: log of the users who were not fitted on, on all items.
    """

    population: Population
    users: Mapping[str, FittedUsers]
    items: NDArray[np.int64]
    observation: Observation
    held_out: InteractionLog


def fit_population(log: InteractionLog, *, seed: int = 0, items: int = ITEMS) -> Population:
    """Fit drifting users to a log; see `fit`, whose population this is."""
    return fit(log, seed=seed, items=items).population


def fit(log: InteractionLog, *, seed: int = 0, items: int = ITEMS) -> Fit:
    """Fit drifting users to a log.

    The log's users are split in halves. `train` and `validation` have the parameters, and all
    splits the item quality and features, that one half gives; `test` and the `ood-*` splits have
    the parameters that the other half gives. `ood-drift` drifts faster, `ood-taste` has other
    personas, and `ood-items` shows the items next in rank of exposure.

    Args:
        log: with skips, it is taken for a feed of which the log may hold a share; without, for
            choices that users made themselves.
        seed: of the split, of bootstraps and of simulations.
        items: size of the catalogue; half the log's items where there are too few to hold as many
            out.

    Raises:
        ValueError: if the log has fewer than two users or four items.
    """
    fit_users = fit_feed if log.has_skips else fit_ratings
    fitted = on_feed(log) if log.has_skips else returning_users(log)
    known, held_out = split_users(fitted, seed)
    items = min(items, int((known.events_per_item() > 0).sum()) // 2)
    if items < 2:
        raise ValueError(f"expected a log of four items or more, got {log.num_items}")
    ranks = most_exposed(known, 0, items), most_exposed(known, items, 2 * items)
    users = {
        "train": fit_users(known, ranks[0], seed),
        "test": fit_users(held_out, ranks[0], seed),
    }
    shown, unseen = _catalogues(known, ranks, users["train"], seed)
    seen = users["train"].observation
    if log.has_skips:
        exposures = hidden_exposure(users["train"].model(shown), shown, seen, seed)
        users = {part: _per_request(fitted, exposures) for part, fitted in users.items()}
    rates = {"train": _rate(known, ranks[0]), "test": _rate(held_out, ranks[0])}
    train, test = (
        calibrated(users[part].model(shown), shown, seen, rates[part], seed)
        for part in ("train", "test")
    )
    population = Population(
        log.name,
        train,
        shown,
        variants=_variants(test, shown, unseen),
        card=fitted_card(log, users, {"train": train, "test": test}),
    )
    return Fit(population, users, ranks[0], seen, held_out)


def _variants(
    test: DriftingUser, shown: Catalogue, unseen: Catalogue
) -> dict[str, tuple[DriftingUser, Catalogue]]:
    faster = replace(
        test,
        retained_per_year=0.05,
        life_events_per_year=20.0,
        whim_minutes=test.whim_minutes / 3,
        mood_hours=test.mood_hours / 6,
    )
    strangers = replace(test, personas=default_personas(PERSONAS, test.dimension, seed=1))
    return {
        "test": (test, shown),
        "ood-drift": (faster, shown),
        "ood-taste": (strangers, shown),
        "ood-items": (test, unseen),
    }


def _catalogues(
    log: InteractionLog, ranks: tuple[NDArray[np.int64], ...], users: FittedUsers, seed: int
) -> list[Catalogue]:
    rng = np.random.default_rng([seed, log.num_items])
    rest = users.scale.variance - users.parameters["quality_sd"].value ** 2
    qualities = [draw_quality(log, rank, rest, rng) for rank in ranks]
    own = random_rows(log.num_items, rng) if log.has_skips else latent_rows(log, rng)
    topic_taste, taste = (users.parameters[name].value for name in ("topic_taste_sd", "taste_sd"))
    coherence = topic_coherence(log.topics[ranks[0]], topic_taste, taste)
    features = item_features(log.topics, own, coherence, rng)
    return [
        catalogue_of(log, rank, features, quality)
        for rank, quality in zip(ranks, qualities, strict=True)
    ]


def _per_request(users: FittedUsers, exposures: float) -> FittedUsers:
    """The same users with satiation per request, where an exposure in the log tells of more."""
    note = f"over {exposures:.2g} exposures for each in the log"
    satiation = users.parameters["satiation"].scaled(1 / exposures, note)
    return replace(users, parameters={**users.parameters, "satiation": satiation})


def _rate(log: InteractionLog, items: NDArray[np.int64]) -> float:
    return float(log.feedback[np.isin(log.item, items)].mean())
