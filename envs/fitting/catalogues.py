"""Catalogues of real items for fitted populations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.catalogue import Catalogue
from driftrec.envs.logs.factors import item_factors
from driftrec.envs.logs.log import InteractionLog

DIMENSION = 10


def item_features(
    topics: NDArray[np.float32],
    own: NDArray[np.floating],
    coherence: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Features that go with the topics as far as taste does, rows of length 1, `(items, d)`.

    Each topic has a random direction; an item has `coherence` of its squared length along the
    directions of its topics and the rest along `own`. A user with a standard normal core then
    has taste of unit variance for every item, of which items of one topic share `coherence`.

    Args:
        topics: share of each topic in each item, `(items, topics)`.
        own: what sets an item apart, rows of length 1, `(items, d)`.
        coherence: in [0, 1].
        rng: draws the directions.
    """
    directions = _unit(rng.standard_normal((topics.shape[1], own.shape[1])))
    along = _unit(topics @ directions)
    return _unit(np.sqrt(coherence) * along + np.sqrt(1 - coherence) * own).astype(np.float32)


def topic_coherence(topics: NDArray[np.float32], topic_taste_sd: float, taste_sd: float) -> float:
    """Share of taste that items of one topic have in common.

    Two items whose topics overlap by o share `coherence * taste_sd^2 * o / w`, with w the mean
    overlap of an item with itself; a log says that they share `topic_taste_sd^2 * o`.
    """
    width = float((topics**2).sum(1).mean())
    return min(topic_taste_sd**2 * width / taste_sd**2, 1.0)


def random_rows(items: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Random directions, `(items, 10)`, for logs too thin for latent factors."""
    return _unit(rng.standard_normal((items, DIMENSION)))


def latent_rows(log: InteractionLog, rng: np.random.Generator) -> NDArray[np.float64]:
    """Latent factors of all items of a log, `(items, 10)`; random where they say nothing."""
    rows = item_factors(log, DIMENSION, int(rng.integers(2**31))).astype(np.float64)
    silent = np.linalg.norm(rows, axis=1) < 0.5
    rows[silent] = random_rows(int(silent.sum()), rng)
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
        quality: of these items, `(items,)`.
    """
    titles = log.titles or tuple(f"video {number}" for number in log.item_ids.tolist())
    return Catalogue(
        features[items],
        log.topics[items],
        quality,
        titles=tuple(titles[item] for item in items.tolist()),
        topic_names=log.topic_names,
    )


def _unit(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12))
