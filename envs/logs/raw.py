"""What a reader hands to the pipeline: the events as they are in the file, checked for form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftrec.envs.logs.log import LogError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, eq=False)
class RawLog:
    """The events of a log and its items, before any cleaning.

    Attributes:
        name: what the log is called.
        source: the file that the events were read from, for messages.
        events: a polars frame, one row an event, in the order of the file, with `user`, `item`
            (integers or strings), `time` (float64, seconds), `feedback` (0 or 1) or `rating`
            (float64), and perhaps `surface` (integer) and `watch_ratio` (float64). Further
            columns may follow; they count when duplicates are looked for.
        items: a polars frame, one row an item, with `item`, `tags` (list of strings; null or
            empty where missing) and perhaps `title`. Items that are never met may be in it.
        has_skips: whether items that were passed over are rows too.
        earliest: seconds; an event before it is impossible, because the service did not exist.
        rating_range: lowest and highest rating of the scale; only with `rating`.
        like_at: the lowest rating that counts as a like; only with `rating`.
    """

    name: str
    source: str
    events: pl.DataFrame
    items: pl.DataFrame
    has_skips: bool
    earliest: float = 0.0
    rating_range: tuple[float, float] = (0.0, 5.0)
    like_at: float = 4.0

    def __post_init__(self) -> None:
        if missing := {"user", "item", "time"} - set(self.events.columns):
            raise LogError(f"{self.source}: expected columns {', '.join(sorted(missing))}")
        if self.events.height == 0:
            raise LogError(f"{self.source}: expected events, got a file without any row")
        for column in ("user", "item"):
            if empty := self.events[column].null_count():
                raise LogError(
                    f"{self.source}: expected an id in each row, got {empty} without {column}"
                )
        if "rating" in self.events.columns:
            self._check_ratings()
        elif "feedback" not in self.events.columns:
            raise LogError(f"{self.source}: expected a column feedback or rating, got neither")
        else:
            self._check_feedback()

    def _check_feedback(self) -> None:
        import polars as pl

        feedback = self.events["feedback"].cast(pl.Float64, strict=False)
        wrong = ~feedback.is_in([0.0, 1.0]).fill_null(False)
        if wrong.any():
            raise LogError(
                f"{self.source}: expected feedback of 0 or 1, got "
                f"{self.events['feedback'].filter(wrong)[0]} in event {wrong.arg_max()} "
                "(counted from 0)"
            )

    def _check_ratings(self) -> None:
        import polars as pl

        low, high = self.rating_range
        ratings = self.events["rating"].cast(pl.Float64, strict=False)
        wrong = ~(ratings.is_between(low, high) & ratings.is_finite()).fill_null(False)
        if wrong.any():
            raise LogError(
                f"{self.source}: expected ratings from {low:g} to {high:g}, got "
                f"{self.events['rating'].filter(wrong)[0]} in event {wrong.arg_max()} "
                f"(counted from 0; {wrong.sum()} such events); correct or remove them"
            )
