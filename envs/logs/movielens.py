"""Readers for MovieLens, which may not be redistributed: from a folder that the user has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from driftrec.envs.logs.log import LogError
from driftrec.envs.logs.raw import RawLog
from driftrec.envs.logs.tables import read_csv, read_fields

if TYPE_CHECKING:
    import polars as pl

_YEAR_1995 = 788_918_400.0

# The order of the flags in u.item, as the data set's README gives it.
_GENRES_100K = (
    "unknown",
    *("Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary"),
    *("Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi"),
    *("Thriller", "War", "Western"),
)


def read_movielens(path: str | Path, version: str = "ml-1m") -> RawLog:
    """Read a MovieLens data set (Harper and Konstan, 2015) from a local folder.

    An event is a film that was rated; feedback is a like, a rating of 4 or more of 5. Films that
    were passed over are not in the log.

    Args:
        path: the unpacked folder.
        version: `ml-100k` (`u.data`, `u.item`), `ml-1m` (`ratings.dat`, `movies.dat`) or
            `ml-latest` (`ratings.csv`, `movies.csv`; also ml-latest-small, ml-20m and later).

    Raises:
        LogError: if the version is unknown, a file is absent, empty or malformed, or a rating
            lies outside the scale.
    """
    if version not in _VERSIONS:
        raise LogError(f"version must be one of {', '.join(_VERSIONS)}, got {version!r}")
    events_file, read, lowest = _VERSIONS[version]
    events, items = read(Path(path))
    return RawLog(
        name=version,
        source=str(Path(path) / events_file),
        events=events,
        items=items,
        has_skips=False,
        earliest=_YEAR_1995,
        rating_range=(lowest, 5.0),
        like_at=4.0,
    )


def _read_100k(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    import polars as pl

    events = read_fields(folder / "u.data", _event_types(), separator="\t")
    types: dict[str, pl.DataType] = {
        "item": pl.Int64(),
        "title": pl.String(),
        "release": pl.String(),
        "video_release": pl.String(),
        "url": pl.String(),
    }
    types |= dict.fromkeys(_GENRES_100K, pl.Int8())
    items = read_fields(folder / "u.item", types, separator="|", encoding="latin-1")
    known = [
        pl.when(pl.col(genre) == 1).then(pl.lit(genre))
        for genre in _GENRES_100K
        if genre != "unknown"
    ]
    return events, items.select(
        "item", "title", pl.concat_list(known).list.drop_nulls().alias("tags")
    )


def _read_1m(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    import polars as pl

    events = read_fields(folder / "ratings.dat", _event_types(), separator="::")
    types = {"item": pl.Int64(), "title": pl.String(), "genres": pl.String()}
    items = read_fields(folder / "movies.dat", types, separator="::", encoding="latin-1")
    return events, items.with_columns(pl.col("genres").str.split("|").alias("tags"))


def _read_latest(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    import polars as pl

    names = {"userId": "user", "movieId": "item", "rating": "rating", "timestamp": "time"}
    types = {raw: _event_types()[name] for raw, name in names.items()}
    events = read_csv(folder / "ratings.csv", types).rename(names)
    items = read_csv(
        folder / "movies.csv",
        {"movieId": pl.Int64(), "title": pl.String(), "genres": pl.String()},
    )
    listed = pl.when(pl.col("genres") != "(no genres listed)").then(pl.col("genres"))
    return events, items.select(
        pl.col("movieId").alias("item"), "title", listed.str.split("|").alias("tags")
    )


def _event_types() -> dict[str, pl.DataType]:
    import polars as pl

    return {
        "user": pl.Int64(),
        "item": pl.Int64(),
        "rating": pl.Float64(),
        "time": pl.Float64(),
    }


_VERSIONS: dict[str, tuple[str, Callable[[Path], tuple[pl.DataFrame, pl.DataFrame]], float]] = {
    "ml-100k": ("u.data", _read_100k, 1.0),
    "ml-1m": ("ratings.dat", _read_1m, 1.0),
    "ml-latest": ("ratings.csv", _read_latest, 0.5),
}
