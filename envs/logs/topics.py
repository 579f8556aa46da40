"""Topics of items: tags capped to the most common, the rest folded into 'other'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OTHER = "other"


@dataclass(frozen=True, eq=False)
class Topics:
    """The topics of a catalogue.

    Attributes:
        matrix: `(items, topics)` float32: an item's weight is shared equally by its topics.
        names: one a topic, the most common first; `other` is last where it is needed.
        filled: items that had no tag and were put under `other`.
        folded_tags: distinct tags that were folded into `other`.
        folded_items: items with at least one such tag.
    """

    matrix: NDArray[np.float32]
    names: tuple[str, ...]
    filled: int
    folded_tags: int
    folded_items: int


def build_topics(
    tags: Sequence[Sequence[str]], counts: NDArray[np.int64], max_topics: int = 12
) -> Topics:
    """Turn tags into topics that sum to one for each item.

    Args:
        tags: the tags of each item; none where they are missing.
        counts: `(items,)` events of each item: a tag is as common as the events that carry it,
            so that the topics are those that users meet.
        max_topics: how many tags become topics of their own; ties go by name.

    Raises:
        ValueError: if `max_topics` is below 1.
    """
    if max_topics < 1:
        raise ValueError(f"max_topics must be 1 or more, got {max_topics}")
    clean = [list(dict.fromkeys(tag for tag in row if tag)) for row in tags]
    common: Counter[str] = Counter()
    for row, count in zip(clean, counts.tolist(), strict=True):
        common.update(dict.fromkeys(row, count))
    ranked = sorted(common, key=lambda tag: (-common[tag], tag))
    kept, folded = ranked[:max_topics], set(ranked[max_topics:])
    filled = sum(not row for row in clean)
    names = (*kept, OTHER) if folded or filled else tuple(kept)
    column = {name: i for i, name in enumerate(names)}
    matrix = np.zeros((len(clean), len(names)), dtype=np.float32)
    for item, row in enumerate(clean):
        for tag in row or [OTHER]:
            matrix[item, column.get(tag, len(kept))] = 1
    return Topics(
        matrix=matrix / matrix.sum(axis=1, keepdims=True),
        names=names,
        filled=filled,
        folded_tags=len(folded),
        folded_items=sum(not folded.isdisjoint(row) for row in clean),
    )
