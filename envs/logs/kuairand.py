"""Reader for KuaiRand-Pure, the embedded log of a short-video feed."""

from __future__ import annotations

from pathlib import Path

from driftrec.envs.logs.raw import RawLog
from driftrec.envs.logs.tables import read_parquet

EMBEDDED = Path(__file__).parent.parent / "data" / "kuairand_pure"
EVENTS_FILE = "log_standard_4_25_to_5_08.parquet"
ITEMS_FILE = "video_features_basic.parquet"

_COLUMNS = ("user_id", "video_id", "time_ms", "is_click", "play_time_ms", "duration_ms", "tab")
_YEAR_2022 = 1_640_995_200.0


def read_kuairand_pure(path: str | Path | None = None) -> RawLog:
    """Read the standard-policy log of KuaiRand-Pure (Gao et al., CIKM 2022).

    An event is a video that was shown; feedback is the click, which in the feed (surface 1)
    means a valid play. The surface is the tab of the app.

    Args:
        path: the folder with the Parquet files as embedded; None for the embedded copy
            (CC BY-SA 4.0).

    Raises:
        LogError: if a file is absent, empty, truncated, or lacks a column.
    """
    import polars as pl

    folder = EMBEDDED if path is None else Path(path)
    events = read_parquet(folder / EVENTS_FILE, _COLUMNS).rename(
        {"user_id": "user", "video_id": "item", "is_click": "feedback", "tab": "surface"}
    )
    items = read_parquet(folder / ITEMS_FILE, ("video_id", "tag"))
    return RawLog(
        name="KuaiRand",
        source=str(folder / EVENTS_FILE),
        events=events.with_columns(
            time=pl.col("time_ms") / 1000,
            watch_ratio=pl.col("play_time_ms") / pl.col("duration_ms"),
        ),
        items=items.select(
            pl.col("video_id").cast(events.schema["item"]).alias("item"),
            pl.col("tag").str.split(",").alias("tags"),
        ),
        has_skips=True,
        earliest=_YEAR_2022,
    )
