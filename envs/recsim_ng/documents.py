"""Documents of a story as a catalogue."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from driftrec.envs.catalogue import Catalogue
from driftrec.envs.recsim_ng.story import Story


def catalogue_of(story: Story, documents: Mapping[str, np.ndarray]) -> Catalogue:
    """What agents see of the documents.

    Documents that change are told apart by their place alone: what they are now is part of the
    context of observations.

    Args:
        story: names the fields that are features, topic and quality.
        documents: their fields, each `(documents, ...)`.

    Raises:
        ValueError: if a field has another first axis, or one that the story names is absent.
    """
    count = int(story.config["num_docs"])
    for name, array in documents.items():
        if array.ndim == 0 or len(array) != count:
            raise ValueError(
                f"field {name!r} of the documents must have the {count} documents as its first "
                f"axis, got shape {array.shape}"
            )
    if story.documents_change:
        place = np.linspace(0, 1, count)[:, None]
        return Catalogue(place, np.ones((count, 1)), np.zeros(count))
    if absent := [name for name in story.features if name not in documents]:
        raise ValueError(f"the documents have no field {absent}; they have {sorted(documents)}")
    floats = [name for name, array in documents.items() if array.dtype.kind == "f"]
    names = story.features or [name for name in floats if name != story.quality]
    features = [documents[name].reshape(count, -1) for name in names]
    return Catalogue(
        np.concatenate(features or [np.zeros((count, 1))], axis=1),
        _topics(documents.get(story.topic), int(story.config["num_topics"]), count),
        documents.get(story.quality, np.zeros(count)),
    )


def _topics(topic: np.ndarray | None, topics: int, count: int) -> np.ndarray:
    if topic is None or topic.dtype.kind == "f":
        return np.ones((count, 1))
    if topic.min() < 0 or topic.max() >= topics:
        raise ValueError(
            f"topics of documents must lie in [0, {topics - 1}] (the config's num_topics), got "
            f"{topic.min()} to {topic.max()}"
        )
    shares: np.ndarray = np.eye(topics)[topic]
    return shares
