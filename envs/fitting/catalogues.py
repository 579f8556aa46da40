"""Catalogues of real items for fitted populations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.catalogue import Catalogue
from driftrec.envs.logs.factors import item_factors
from driftrec.envs.logs.log import InteractionLog

DIMENSION = 10


def content_features(
    topics: NDArray[np.float32], coherence: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Features drawn to fit the topics, rows of length 1, `(items, 10)`.

    Each topic has a random direction; an item has `coherence` of its squared length along the
    mean direction of its topics and the rest at random. Two items of one topic then share
    `coherence` of a user's lasting taste. Stands in for latent factors where a log is too thin.

    Args:
        topics: share of each topic in each item, `(items, topics)`.
        coherence: in [0, 1].
        rng: draws directions and the rest.
    """
    directions = _unit(rng.standard_normal((topics.shape[1], DIMENSION)))
    own = _unit(rng.standard_normal((len(topics), DIMENSION)))
    along = _unit(topics @ directions)
    return _unit(np.sqrt(coherence) * along + np.sqrt(1 - coherence) * own).astype(np.float32)


def latent_features(log: InteractionLog, seed: int) -> NDArray[np.float32]:
    """Latent factors of all items of a log, rows of length 1, `(items, 10)`.

    A user with a standard normal core then has taste of unit variance for every item. An item
    about which the factors say nothing gets a random direction.
    """
    rows = item_factors(log, DIMENSION, seed)
    rng = np.random.default_rng(seed)
    silent = np.linalg.norm(rows, axis=1) < 0.5
    rows[silent] = _unit(rng.standard_normal((int(silent.sum()), DIMENSION)))
    return rows


def catalogue_of(
    log: InteractionLog,
    items: NDArray[np.int64],
    features: NDArray[np.float32],
    quality: NDArray[np.float32],
) -> Catalogue:
    """Some items of a log as a catalogue.

    Args:
        log: gives topics, their names and titles.
        items: codes of the items, in the order of the catalogue.
        features: of all items of the log, `(items of the log, d)`.
        quality: likewise.
    """
    titles = log.titles or tuple(f"video {number}" for number in log.item_ids.tolist())
    return Catalogue(
        features[items],
        log.topics[items],
        quality[items],
        titles=tuple(titles[item] for item in items.tolist()),
        topic_names=log.topic_names,
    )


def _unit(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12))
