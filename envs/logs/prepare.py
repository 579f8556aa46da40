"""The pipeline from a raw log to an `InteractionLog`: cleaning, features, normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.logs.log import InteractionLog, LogError
from driftrec.envs.logs.raw import RawLog
from driftrec.envs.logs.report import PreparationReport, StepReport
from driftrec.envs.logs.topics import OTHER, Topics, build_topics

if TYPE_CHECKING:
    import polars as pl

_Number = TypeVar("_Number", bound=np.generic)

_YEAR_2100 = 4_102_444_800.0
_SECONDS_A_DAY = 86_400.0
# Videos loop, so a ratio above 1 is real; ten loops of one video are an app left open.
_MAX_WATCH_RATIO = 10.0


def prepare(raw: RawLog, max_topics: int = 12) -> tuple[InteractionLog, PreparationReport]:
    """Clean a raw log, build its topics and bring it into the form that everything is fitted to.

    In order: exact duplicates are dropped; events at impossible times (missing, before the
    service existed, after 2099) are dropped; impossible watch ratios (not finite, negative,
    above 10) are set to NaN, their events stay; ratings become likes; items without tags are put
    under `other`; tags beyond the most common are folded into `other`; ids become codes, and
    times days since the first event.

    Args:
        raw: what a reader returned.
        max_topics: how many tags become topics of their own, beside `other`.

    Returns:
        The log and the report of what each step changed.

    Raises:
        LogError: if no event is left.
    """
    events, steps = raw.events, []
    for clean in (_drop_duplicates, _drop_impossible_times, _blank_watch_ratios, _to_likes):
        events, step = clean(events, raw)
        steps.append(step)
    if events.height == 0:
        raise LogError(f"{raw.source}: no event is left after cleaning; {steps[1].note}")
    log, feature_steps = _assemble(events, raw, max_topics)
    return log, PreparationReport(raw.name, raw.source, (*steps, *feature_steps))


def _drop_duplicates(events: pl.DataFrame, raw: RawLog) -> tuple[pl.DataFrame, StepReport]:
    kept = events.unique(maintain_order=True)
    dropped = events.height - kept.height
    return kept, StepReport("exact duplicates", dropped, events.height, "events dropped")


def _drop_impossible_times(events: pl.DataFrame, raw: RawLog) -> tuple[pl.DataFrame, StepReport]:
    import polars as pl

    kept = events.filter(pl.col("time").is_between(raw.earliest, _YEAR_2100, closed="left"))
    dropped = events.height - kept.height
    start = np.datetime64(int(raw.earliest), "s").astype("datetime64[D]")
    note = f"events dropped: time missing, before {start} or after 2099 (in seconds)"
    return kept, StepReport("impossible times", dropped, events.height, note)


def _blank_watch_ratios(events: pl.DataFrame, raw: RawLog) -> tuple[pl.DataFrame, StepReport]:
    import polars as pl

    step = "impossible watch ratios"
    if "watch_ratio" not in events.columns:
        return events, StepReport(step, 0, 0, "the log has none")
    ratio = pl.col("watch_ratio")
    possible = ratio.is_finite() & ratio.is_between(0, _MAX_WATCH_RATIO)
    cleaned = events.with_columns(
        pl.when(possible).then(ratio).otherwise(np.nan).alias("watch_ratio")
    )
    blank = int(cleaned["watch_ratio"].is_nan().sum())
    note = f"set to NaN, events kept: length unknown, negative or above {_MAX_WATCH_RATIO:g}"
    return cleaned, StepReport(step, blank, events.height, note)


def _to_likes(events: pl.DataFrame, raw: RawLog) -> tuple[pl.DataFrame, StepReport]:
    import polars as pl

    if "rating" not in events.columns:
        return events, StepReport("ratings to likes", 0, 0, "feedback is 0/1 in the log")
    liked = events.with_columns(feedback=pl.col("rating") >= raw.like_at)
    share = f"{liked['feedback'].sum() / max(liked.height, 1):.3f}"
    note = f"like = rating >= {raw.like_at:g}; liked {share}"
    return liked, StepReport("ratings to likes", events.height, events.height, note)


def _assemble(
    events: pl.DataFrame, raw: RawLog, max_topics: int
) -> tuple[InteractionLog, list[StepReport]]:
    import polars as pl

    ordered = events.sort("user", "time", maintain_order=True)
    user_ids, user = _codes(ordered["user"])
    item_ids, item = _codes(ordered["item"])
    items = _items_in_order(item_ids, raw)
    topics = build_topics(
        [row or [] for row in items["tags"].to_list()], np.bincount(item), max_topics
    )
    seconds = ordered["time"].to_numpy()
    log = InteractionLog(
        name=raw.name,
        user=user,
        item=item,
        time=(seconds - seconds.min()) / _SECONDS_A_DAY,
        feedback=ordered["feedback"].cast(pl.Float32).to_numpy(),
        user_ids=_plain(user_ids),
        item_ids=_plain(item_ids),
        topics=topics.matrix,
        topic_names=topics.names,
        has_skips=raw.has_skips,
        rating=_optional(ordered, "rating", np.float32),
        surface=_optional(ordered, "surface", np.int64),
        watch_ratio=_optional(ordered, "watch_ratio", np.float32),
        titles=tuple(items["title"].fill_null("").to_list()) if "title" in items.columns else None,
    )
    return log, [*_topic_steps(topics, log.num_items), _form_step(events, log)]


def _topic_steps(topics: Topics, items: int) -> tuple[StepReport, StepReport]:
    kept = len(topics.names) - (OTHER in topics.names)
    folded = f"items with a rare tag: {topics.folded_tags} tags folded into '{OTHER}', {kept} kept"
    return (
        StepReport("missing tags", topics.filled, items, f"items put under '{OTHER}'"),
        StepReport("topics", topics.folded_items, items, folded),
    )


def _form_step(events: pl.DataFrame, log: InteractionLog) -> StepReport:
    """Count the events that sorting by user and time moved from where they stood."""
    rows = events.select("user", "time").with_row_index("row")
    moved = int((rows.sort("user", "time", maintain_order=True)["row"] != rows["row"]).sum())
    note = (
        f"events moved by sorting; {log.num_users:,} users and {log.num_items:,} items coded, "
        f"time in days from the first event ({np.ptp(log.time):.1f} days)"
    )
    return StepReport("codes, order, days", moved, events.height, note)


def _codes(ids: pl.Series) -> tuple[pl.Series, NDArray[np.int64]]:
    """Return the distinct ids in ascending order, and each row's place among them."""
    return ids.unique().sort(), ids.rank("dense").to_numpy().astype(np.int64) - 1


def _plain(ids: pl.Series) -> NDArray[np.generic]:
    values = ids.to_numpy()
    return values.astype(np.str_) if values.dtype == object else values


def _items_in_order(item_ids: pl.Series, raw: RawLog) -> pl.DataFrame:
    """Look the items up in the item table; those it lacks get a row without tags."""
    table = raw.items.unique("item", keep="first", maintain_order=True)
    return item_ids.alias("item").to_frame().join(table, on="item", how="left").sort("item")


def _optional(events: pl.DataFrame, column: str, dtype: type[_Number]) -> NDArray[_Number] | None:
    if column not in events.columns:
        return None
    return events[column].to_numpy().astype(dtype)
