"""The catalogue: what can be shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from driftrec.envs.arrays import MANY, Array, namespace

LOOKED_UP = ("features", "topics", "topic", "quality")
"""What a catalogue says of each item."""


@dataclass
class Slate:
    """The items shown in one request, with what the catalogue says of them.

    Of large batches that is looked up when it is first read: few users need all of it.

    Attributes:
        items: item numbers, shape `(users, slate)`.
        features: shape `(users, slate, d)`.
        topics: shape `(users, slate, topics)`.
        quality: logits, shape `(users, slate)`.
        repeats: 1 where this user was shown the item before in this trial, `(users, slate)`.
    """

    items: Array
    features: Array
    topics: Array
    quality: Array
    repeats: Array

    @property
    def topic(self) -> Array:
        """Number of the topic that has the largest share, integer `(users, slate)`."""
        known = vars(self).get("catalogue")
        return main_topic(self.topics) if known is None else known.look_up("topic", self.items)

    def __getattr__(self, name: str) -> Array:
        if name not in LOOKED_UP:
            raise AttributeError(f"Slate has no attribute {name!r}")
        found = vars(self)["catalogue"].look_up(name, self.items)
        setattr(self, name, found)
        return found


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Items and their public features. Immutable.

    Attributes:
        features: latent or content features, float32 `(items, d)`.
        topics: share of each topic in each item, float32 `(items, topics)`; rows sum to one.
        quality: appeal to everyone, in logits, float32 `(items,)`.
        titles: a name for each item, or empty where unknown.
        topic_names: a name for each topic, or empty.

    Raises:
        ValueError: if shapes disagree, a value is not finite, or a topic row does not sum to one.
    """

    features: Array
    topics: Array
    quality: Array
    titles: tuple[str, ...] = field(default=(), repr=False)
    topic_names: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if type(self.features) is np.ndarray:
            for name in ("features", "topics", "quality"):
                array = np.array(getattr(self, name), np.float32)
                array.setflags(write=False)
                object.__setattr__(self, name, array)
            self._check()

    def _check(self) -> None:
        items = len(self.features)
        if items == 0:
            raise ValueError("a catalogue needs at least one item, got features with 0 rows")
        for name, dimensions in (("features", 2), ("topics", 2), ("quality", 1)):
            array = getattr(self, name)
            if array.ndim != dimensions or len(array) != items:
                raise ValueError(
                    f"{name} must have {dimensions} axes and {items} rows like features, "
                    f"got shape {array.shape}"
                )
            if not np.isfinite(array).all():
                raise ValueError(f"{name} must be finite, got NaN or infinity")
        if (self.topics < 0).any() or not np.allclose(self.topics.sum(1), 1, atol=1e-4):
            raise ValueError("each row of topics must be non-negative and sum to one")
        if self.titles and len(self.titles) != items:
            raise ValueError(f"titles must name all {items} items, got {len(self.titles)}")

    def __len__(self) -> int:
        """Number of items."""
        return int(self.quality.shape[0])

    @property
    def dimension(self) -> int:
        """Number of features d."""
        return int(self.features.shape[1])

    @cached_property
    def table(self) -> Array:
        """What an agent sees of each item: `(items, d + topics + 1)`: features, topics, quality."""
        xp = namespace(self.features)
        table = xp.concat([self.features, self.topics, self.quality[:, None]], axis=1)
        if xp is np:
            table.setflags(write=False)
        return table

    @cached_property
    def topic(self) -> Array:
        """Number of the topic that has the largest share of each item, integer `(items,)`."""
        return main_topic(self.topics)

    @cached_property
    def _columns(self) -> dict[str, np.ndarray]:
        return {name: np.ascontiguousarray(getattr(self, name).T) for name in LOOKED_UP}

    def show(self, items: Array, repeats: Array) -> Slate:
        """Look up a slate.

        Args:
            items: numbers of items that exist, integer `(users, slate)`.
            repeats: 1 where shown before, `(users, slate)`.
        """
        if items.shape[0] < MANY and type(items) is np.ndarray:
            # Here it is the calls that cost: all at once.
            shown, last = self.table.take(items, axis=0), self.dimension
            slate = Slate(items, shown[..., :last], shown[..., last:-1], shown[..., -1], repeats)
        else:
            slate = Slate.__new__(Slate)
            slate.items, slate.repeats = items, repeats
        vars(slate)["catalogue"] = self
        return slate

    def look_up(self, name: str, items: Array) -> Array:
        """One thing that the catalogue says of some items: what `Slate` has under this name.

        Args:
            name: one of `LOOKED_UP`.
            items: numbers of items that exist, integer `(users, slate)`.
        """
        if type(items) is not np.ndarray or items.shape[0] < MANY:
            return getattr(self, name)[items]
        # Columns are laid out one after the other, as the default user's state is. Items are known
        # to exist: to wrap around is quicker than to check.
        return self._columns[name].take(items.T, axis=-1, mode="wrap").T

    def to_library(self, xp: Any, device: Any = None) -> Catalogue:
        """The same catalogue with arrays of library `xp` on `device`."""
        if xp is np:
            return self
        features, topics, quality = (
            xp.asarray(np.array(array), device=device)
            for array in (self.features, self.topics, self.quality)
        )
        return Catalogue(features, topics, quality, self.titles, self.topic_names)


def main_topic(topics: Array) -> Array:
    """Number of the topic that has the largest share, integer, of shares along the last axis."""
    return namespace(topics).argmax(topics, axis=-1)


def synthetic_catalogue(
    items: int,
    rng: np.random.Generator,
    *,
    dimension: int = 10,
    topics: int = 8,
    quality_sd: float = 0.7,
) -> Catalogue:
    """Items with Gaussian features, one topic each and Gaussian quality.

    Features are N(0, I/d), so that a user with a standard normal core has taste of unit variance
    over items. The topic is the argmax of a random projection of the features: what an item is
    about and how it tastes go together, as in real catalogues.

    Args:
        items: number of items.
        rng: draws the catalogue.
        dimension: number of features d.
        topics: number of topics.
        quality_sd: standard deviation of quality in logits.
    """
    features = rng.standard_normal((items, dimension)) / np.sqrt(dimension)
    projection = rng.standard_normal((dimension, topics)) * np.sqrt(0.5)
    leaning = features @ projection + rng.standard_normal((items, topics)) * np.sqrt(0.5)
    return Catalogue(
        features.astype(np.float32),
        np.eye(topics, dtype=np.float32)[leaning.argmax(1)],
        (quality_sd * rng.standard_normal(items)).astype(np.float32),
        topic_names=tuple(f"topic {number}" for number in range(topics)),
    )
