"""Reading one file into a polars frame, with an error that names the file and what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from driftrec.envs.logs.log import LogError

if TYPE_CHECKING:
    import polars as pl


def require_file(path: Path, what: str) -> Path:
    """Return `path` if a file that is not empty lies there.

    Args:
        path: where it should lie.
        what: what it should hold, for the message.

    Raises:
        LogError: if nothing, a folder, or an empty file is there.
    """
    if not path.is_file():
        came = "a folder" if path.is_dir() else "nothing"
        raise LogError(f"{path}: expected {what}, found {came} there")
    if path.stat().st_size == 0:
        raise LogError(f"{path}: expected {what}, got an empty file; fetch it again")
    return path


def read_parquet(path: Path, columns: Iterable[str]) -> pl.DataFrame:
    """Read a Parquet file whole.

    Args:
        path: the file.
        columns: names that must be among its columns.

    Raises:
        LogError: if the file is absent, empty, truncated, no Parquet, or lacks a column.
    """
    import polars as pl
    from polars.exceptions import PanicException, PolarsError

    require_file(path, "a Parquet file")
    try:
        frame = pl.read_parquet(path)
    except (PolarsError, PanicException, OSError) as error:
        raise LogError(
            f"{path}: expected a Parquet file, got one that cannot be read, truncated or of "
            f"another format ({error}); fetch it again"
        ) from error
    _require_columns(frame, columns, path)
    return frame


def read_csv(
    path: Path, columns: Mapping[str, pl.DataType | type[pl.DataType]], separator: str = ","
) -> pl.DataFrame:
    """Read a text file with a header line.

    Args:
        path: the file, in UTF-8.
        columns: the columns to keep and their types. Every value must be of that type.
        separator: one character between fields. Quotes are honoured where it is a comma.

    Returns:
        The columns asked for, in that order.

    Raises:
        LogError: if the file is absent, empty or ragged, or lacks a column, or a value is not of
            its type (a line cut short, say).
    """
    import polars as pl
    from polars.exceptions import PolarsError

    require_file(path, "a text table with a header line")
    try:
        frame = pl.read_csv(
            path,
            separator=separator,
            quote_char='"' if separator == "," else None,
            infer_schema=False,
        ).fill_null("")
    except (PolarsError, OSError) as error:
        raise LogError(
            f"{path}: expected text fields separated by {separator!r}, got: {error}"
        ) from error
    _require_columns(frame, columns, path)
    return _cast(frame.select(*columns), columns, path, frame_lines=range(2, frame.height + 2))


def read_fields(
    path: Path,
    columns: Mapping[str, pl.DataType | type[pl.DataType]],
    separator: str,
    encoding: str = "utf-8",
) -> pl.DataFrame:
    """Read a text file without a header, whose separator may be several characters.

    Args:
        path: the file. Blank lines are passed over.
        columns: names and types of all its fields, in order.
        separator: what stands between fields.
        encoding: of the text.

    Raises:
        LogError: if the file is absent, empty or of another encoding, or a line has another
            number of fields or a value that is not of its type.
    """
    import polars as pl

    require_file(path, f"lines of {separator.join(columns)}")
    try:
        lines = path.read_bytes().decode(encoding).replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise LogError(f"{path}: expected text in {encoding}, got: {error}") from error
    frame = (
        pl.DataFrame({"line": lines})
        .with_row_index("number", offset=1)
        .filter(pl.col("line") != "")
        .with_columns(pl.col("line").str.split(separator).alias("fields"))
    )
    if frame.height == 0:
        raise LogError(f"{path}: expected lines of {separator.join(columns)}, got only blank ones")
    ragged = frame.filter(pl.col("fields").list.len() != len(columns))
    if ragged.height:
        number, line, got = ragged.row(0)
        raise LogError(
            f"{path}, line {number}: expected {len(columns)} fields separated by {separator!r} "
            f"({', '.join(columns)}), got {len(got)}: {line[:80]!r}"
        )
    values = frame.select(pl.col("fields").list.get(i).alias(c) for i, c in enumerate(columns))
    return _cast(values, columns, path, frame_lines=frame["number"].to_list())


def _require_columns(frame: pl.DataFrame, columns: Iterable[str], path: Path) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise LogError(
            f"{path}: expected the columns {', '.join(columns)}; {', '.join(missing)} missing, "
            f"got {', '.join(frame.columns)[:200]}"
        )


def _cast(
    frame: pl.DataFrame,
    columns: Mapping[str, pl.DataType | type[pl.DataType]],
    path: Path,
    frame_lines: range | list[int],
) -> pl.DataFrame:
    import polars as pl

    typed = frame.select(pl.col(c).cast(dtype, strict=False) for c, dtype in columns.items())
    for column, dtype in columns.items():
        wrong = typed[column].is_null()
        if wrong.any():
            row = wrong.arg_max() or 0
            raise LogError(
                f"{path}, line {frame_lines[row]}: expected {column} of type {dtype}, "
                f"got {frame[column][row]!r}"
            )
    return typed
