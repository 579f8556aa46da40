"""Reader for MovieTweetings, the embedded log of film ratings as they were tweeted."""

from __future__ import annotations

from pathlib import Path

from driftrec.envs.logs.raw import RawLog
from driftrec.envs.logs.tables import read_fields

EMBEDDED = Path(__file__).parent.parent / "data" / "movietweetings_100k"

_YEAR_2013 = 1_356_998_400.0


def read_movietweetings(path: str | Path | None = None) -> RawLog:
    """Read a MovieTweetings snapshot (Dooms et al., CrowdRec 2013).

    An event is a film that was watched and rated from 0 to 10; feedback is a like, a rating of 8
    or more. Films that were passed over are not in the log.

    Args:
        path: the folder with `ratings.dat` and `movies.dat`; None for the embedded copy of
            100,000 ratings (MIT).

    Raises:
        LogError: if a file is absent, empty or malformed, or a rating lies outside 0 to 10.
    """
    import polars as pl

    folder = EMBEDDED if path is None else Path(path)
    events = read_fields(
        folder / "ratings.dat",
        {"user": pl.Int64, "item": pl.Int64, "rating": pl.Float64, "time": pl.Float64},
        separator="::",
    )
    items = read_fields(
        folder / "movies.dat",
        {"item": pl.Int64, "title": pl.String, "genres": pl.String},
        separator="::",
    )
    return RawLog(
        name="Movies",
        source=str(folder / "ratings.dat"),
        events=events,
        items=items.with_columns(pl.col("genres").str.split("|").alias("tags")),
        has_skips=False,
        earliest=_YEAR_2013,
        rating_range=(0.0, 10.0),
        like_at=8.0,
    )
