"""The interaction log that everything is fitted to: plain numpy arrays, one row an event."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

_EVENT_FIELDS = ("user", "item", "time", "feedback", "rating", "surface", "watch_ratio")
_MINUTES_A_DAY = 24 * 60


class LogError(ValueError):
    """A log cannot be read or used: says which file, what was expected and what came."""


@dataclass(frozen=True, eq=False)
class InteractionLog:
    """Who met which item when, and what came of it; sorted by user, then by time.

    All arrays are read-only. Optional arrays are None where the log does not have them.

    Attributes:
        name: what the log is called in tables and cards.
        user: `(events,)` int64, dense codes 0..users-1; every user has at least one event.
        item: `(events,)` int64, codes 0..items-1 into the catalogue.
        time: `(events,)` float64, days since the first event of the log.
        feedback: `(events,)` float32, 1 for a click or a like, else 0.
        user_ids: `(users,)` original ids.
        item_ids: `(items,)` original ids.
        topics: `(items, topics)` float32, each row sums to 1.
        topic_names: one name a topic.
        has_skips: whether items that were shown and passed over are rows too. False for logs of
            ratings, where every row was consumed and `feedback` says whether it was liked.
        rating: `(events,)` float32, in the log's own scale.
        surface: `(events,)` int64, where the item was shown (KuaiRand's tab).
        watch_ratio: `(events,)` float32, time played over the video's length; NaN where unknown.
        titles: one title an item.
    """

    name: str
    user: NDArray[np.int64]
    item: NDArray[np.int64]
    time: NDArray[np.float64]
    feedback: NDArray[np.float32]
    user_ids: NDArray[np.generic]
    item_ids: NDArray[np.generic]
    topics: NDArray[np.float32]
    topic_names: tuple[str, ...]
    has_skips: bool
    rating: NDArray[np.float32] | None = None
    surface: NDArray[np.int64] | None = None
    watch_ratio: NDArray[np.float32] | None = None
    titles: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        self._check_shapes()
        self._check_values()
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                view = value.view()
                view.setflags(write=False)
                object.__setattr__(self, field.name, view)

    @property
    def num_events(self) -> int:
        """Rows of the log."""
        return len(self.user)

    @property
    def num_users(self) -> int:
        """Users with at least one event."""
        return len(self.user_ids)

    @property
    def num_items(self) -> int:
        """Items of the catalogue, met or not."""
        return len(self.item_ids)

    @property
    def num_topics(self) -> int:
        """Columns of `topics`."""
        return len(self.topic_names)

    def events_per_user(self) -> NDArray[np.int64]:
        """Count the events of each user, `(users,)`."""
        return np.bincount(self.user, minlength=self.num_users)

    def events_per_item(self) -> NDArray[np.int64]:
        """Count the events of each item, `(items,)`."""
        return np.bincount(self.item, minlength=self.num_items)

    def user_offsets(self) -> NDArray[np.int64]:
        """Say where each user's events lie: user i has rows `offsets[i]:offsets[i + 1]`.

        Returns:
            `(users + 1,)`, from 0 to the number of events.
        """
        return np.concatenate(([0], np.cumsum(self.events_per_user())))

    def sessions(self, gap_minutes: float = 30.0) -> NDArray[np.int64]:
        """Number the sessions: a new one begins after more than `gap_minutes` without an event.

        Args:
            gap_minutes: the longest pause within a session, in minutes.

        Returns:
            `(events,)`, a running number over the whole log (0..sessions-1), so that no two users
            share a session.

        Raises:
            ValueError: if the gap is negative or NaN.
        """
        if not gap_minutes >= 0:
            raise ValueError(f"gap_minutes must be 0 or more, got {gap_minutes}")
        pause = np.diff(self.time) * _MINUTES_A_DAY > gap_minutes
        starts = np.concatenate(([False], pause | (np.diff(self.user) != 0)))
        return np.cumsum(starts, dtype=np.int64)

    def subset_events(self, mask: NDArray[np.bool_]) -> InteractionLog:
        """Keep some events; users left without any are dropped, the catalogue stays whole.

        Args:
            mask: `(events,)` boolean, true where an event is kept.

        Returns:
            A log in which the remaining users are numbered anew, in the same order. Item codes
            and the origin of time do not change.

        Raises:
            ValueError: if the mask has another shape or dtype, or keeps nothing.
        """
        _check_mask(mask, self.num_events, "event")
        kept_users, codes = np.unique(self.user[mask], return_inverse=True)
        rest = {
            name: getattr(self, name)[mask]
            for name in _EVENT_FIELDS
            if name != "user" and getattr(self, name) is not None
        }
        return replace(self, user=codes, user_ids=self.user_ids[kept_users], **rest)

    def subset_users(self, mask: NDArray[np.bool_]) -> InteractionLog:
        """Keep some users with all their events; the catalogue stays whole.

        Args:
            mask: `(users,)` boolean, true where a user is kept.

        Returns:
            A log in which the remaining users are numbered anew, in the same order.

        Raises:
            ValueError: if the mask has another shape or dtype, or keeps nobody.
        """
        _check_mask(mask, self.num_users, "user")
        return self.subset_events(mask[self.user])

    def permuted_within_user(self, rng: np.random.Generator) -> InteractionLog:
        """Shuffle the order of each user's events: the control that must show no drift.

        The times stay where they are; what happened at them (item, feedback, rating, surface,
        watch ratio, as one) moves. Users, items and their marginals do not change.

        Args:
            rng: draws the order.
        """
        order = np.lexsort((rng.random(self.num_events), self.user))
        moved = {
            name: getattr(self, name)[order]
            for name in _EVENT_FIELDS
            if name not in ("user", "time") and getattr(self, name) is not None
        }
        return replace(self, **moved)

    def _check_shapes(self) -> None:
        if len(self.user) == 0:
            raise LogError(f"log {self.name!r}: expected at least one event, got none")
        for name in _EVENT_FIELDS:
            value = getattr(self, name)
            if value is not None and value.shape != (self.num_events,):
                raise LogError(
                    f"log {self.name!r}: {name} must have shape ({self.num_events},) like user, "
                    f"got {value.shape}"
                )
        expected = (self.num_items, len(self.topic_names))
        if self.topics.shape != expected:
            raise LogError(
                f"log {self.name!r}: topics must have shape (items, topics) = {expected}, "
                f"got {self.topics.shape}"
            )
        if self.titles is not None and len(self.titles) != self.num_items:
            raise LogError(
                f"log {self.name!r}: expected {self.num_items} titles, one an item, "
                f"got {len(self.titles)}"
            )

    def _check_values(self) -> None:
        problems = {
            "user must hold each code from 0 to users-1": not np.array_equal(
                np.unique(self.user), np.arange(self.num_users)
            ),
            "item must hold codes from 0 to items-1": bool(
                self.item.min() < 0 or self.item.max() >= self.num_items
            ),
            "time must be finite": not np.isfinite(self.time).all(),
            "events must be sorted by user, then by time": bool(
                np.any(np.diff(self.user) < 0)
                or np.any((np.diff(self.time) < 0) & (np.diff(self.user) == 0))
            ),
            "feedback must be 0 or 1": not np.isin(self.feedback, (0, 1)).all(),
            "each row of topics must sum to 1": not np.allclose(
                self.topics.sum(axis=1), 1, atol=1e-4
            ),
        }
        for problem, found in problems.items():
            if found:
                raise LogError(f"log {self.name!r}: {problem}")


def _check_mask(mask: NDArray[np.bool_], length: int, what: str) -> None:
    if mask.dtype != np.bool_ or mask.shape != (length,):
        raise ValueError(
            f"mask must be boolean with one entry a {what}, shape ({length},), "
            f"got {mask.dtype} of shape {mask.shape}"
        )
    if not mask.any():
        raise ValueError(f"mask keeps no {what}; keep at least one")
