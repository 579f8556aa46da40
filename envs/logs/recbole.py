"""Reader for RecBole's atomic files: tab-separated, with typed column names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from driftrec.envs.logs.log import LogError
from driftrec.envs.logs.raw import RawLog
from driftrec.envs.logs.tables import read_csv, require_file

if TYPE_CHECKING:
    import polars as pl

_TAGS = ("genre", "genres", "class", "tag", "tags", "category", "categories")
_TITLES = ("title", "movie_title", "name")
_FEEDBACK = ("label", "click", "is_click")


def read_recbole(path: str | Path, like_at: float | None = None) -> RawLog:
    """Read a RecBole `.inter` file, and the `.item` file beside it where there is one.

    The columns are `user_id:token`, `item_id:token`, `timestamp:float`, and `label:float` (0 or
    1, passed-over items are rows too) or `rating:float`; with neither, every row was consumed
    and counts as a like. Tags come from the `.item` column `genre`, `class`, `tag` or `category`
    (`token_seq`, separated by spaces), titles from `title` or `movie_title`.

    Args:
        path: the `.inter` file, or a folder that holds exactly one.
        like_at: the lowest rating that counts as a like; None for 4 where no rating exceeds 5
            and 8 where none exceeds 10.

    Raises:
        LogError: if there is no such file or it is empty, malformed, or lacks a column; if
            ratings exceed 10 and `like_at` is not given.
    """
    file = _inter_file(Path(path))
    events, has_skips = _read_events(file)
    scale, usual_like_at = (float("-inf"), float("inf")), 0.0
    if like_at is None and "rating" in events.columns:
        scale, usual_like_at = _guess_scale(file, events)
    return RawLog(
        name=file.stem,
        source=str(file),
        events=events,
        items=_read_items(file.with_suffix(".item"), events),
        has_skips=has_skips,
        rating_range=scale,
        like_at=usual_like_at if like_at is None else like_at,
    )


def _inter_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.inter"))
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise LogError(f"{path}: expected one .inter file, found {names}; give the file itself")
    return found[0]


def _read_events(file: Path) -> tuple[pl.DataFrame, bool]:
    import polars as pl

    header = _header(file)
    wanted = {"user_id": "user", "item_id": "item", "timestamp": "time"}
    outcome = next((name for name in (*_FEEDBACK, "rating") if name in header), None)
    if outcome is not None:
        wanted[outcome] = "rating" if outcome == "rating" else "feedback"
    if missing := [name for name in wanted if name not in header]:
        raise LogError(
            f"{file}: expected tab-separated columns user_id:token, item_id:token, "
            f"timestamp:float; {', '.join(missing)} missing, got {', '.join(header.values())}"
        )
    types = {header[name]: pl.String() if name.endswith("_id") else pl.Float64() for name in wanted}
    events = read_csv(file, types, separator="\t").rename({header[n]: wanted[n] for n in wanted})
    if outcome is None:
        events = events.with_columns(feedback=pl.lit(1.0))
    return events, outcome in _FEEDBACK


def _read_items(file: Path, events: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    no_tags = pl.lit(None, dtype=pl.List(pl.String))
    if not file.exists():
        return events.select(pl.col("item").unique().sort(), no_tags.alias("tags"))
    header = _header(file)
    if "item_id" not in header:
        raise LogError(f"{file}: expected the column item_id:token, got {', '.join(header)}")
    tags = next((name for name in _TAGS if name in header), None)
    title = next((name for name in _TITLES if name in header), None)
    wanted = [header[name] for name in ("item_id", tags, title) if name is not None]
    items = read_csv(file, dict.fromkeys(wanted, pl.String()), separator="\t")
    columns = [pl.col(header["item_id"]).alias("item")]
    columns.append((pl.col(header[tags]).str.split(" ") if tags else no_tags).alias("tags"))
    if title is not None:
        columns.append(pl.col(header[title]).alias("title"))
    return items.select(columns)


def _header(file: Path) -> dict[str, str]:
    """Return the header's names: without their type -> as they stand in the file."""
    require_file(file, "a RecBole atomic file, tab-separated with a header such as user_id:token")
    with file.open(encoding="utf-8", errors="replace") as lines:
        columns = lines.readline().rstrip("\r\n").split("\t")
    return {column.split(":")[0]: column for column in columns}


def _guess_scale(file: Path, events: pl.DataFrame) -> tuple[tuple[float, float], float]:
    top = cast(float, events["rating"].max())
    if top > 10:
        raise LogError(
            f"{file}: expected ratings up to 5 or 10, got {top:g}; give like_at, the lowest "
            "rating that counts as a like"
        )
    return ((0.0, 10.0), 8.0) if top > 5 else ((0.0, 5.0), 4.0)
