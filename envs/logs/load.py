"""Opening a log by its name or by what lies in a folder."""

from __future__ import annotations

from pathlib import Path

from driftrec.envs.logs.kuairand import EVENTS_FILE, read_kuairand_pure
from driftrec.envs.logs.log import InteractionLog, LogError
from driftrec.envs.logs.movielens import read_movielens
from driftrec.envs.logs.movietweetings import read_movietweetings
from driftrec.envs.logs.prepare import prepare
from driftrec.envs.logs.raw import RawLog
from driftrec.envs.logs.recbole import read_recbole
from driftrec.envs.logs.report import PreparationReport

_EMBEDDED = {"KuaiRand": read_kuairand_pure, "Movies": read_movietweetings}
_KNOWN = (
    f"{EVENTS_FILE} (KuaiRand-Pure), u.data (ml-100k), ratings.dat (ml-1m, MovieTweetings), "
    "ratings.csv (ml-latest), one *.inter (RecBole)"
)


def read_log(name_or_path: str | Path) -> RawLog:
    """Read a log, the reader picked by its name or by the files that are there.

    Args:
        name_or_path: `KuaiRand` or `Movies` for the embedded logs; else a folder with one of the
            known layouts, or a RecBole `.inter` file.

    Raises:
        LogError: if it is neither, no known file is in the folder, or the file cannot be read.
    """
    if str(name_or_path) in _EMBEDDED:
        return _EMBEDDED[str(name_or_path)]()
    path = Path(name_or_path)
    if path.is_file() and path.suffix == ".inter":
        return read_recbole(path)
    if not path.is_dir():
        raise LogError(
            f"expected {' or '.join(map(repr, _EMBEDDED))}, a folder with a log or a RecBole "
            f".inter file, got {str(name_or_path)!r}"
        )
    return _read_folder(path)


def load_log(
    name_or_path: str | Path, max_topics: int = 12
) -> tuple[InteractionLog, PreparationReport]:
    """Read a log and prepare it: `read_log`, then `prepare`.

    Args:
        name_or_path: as for `read_log`.
        max_topics: how many tags become topics of their own, beside `other`.

    Returns:
        The log and the report of what each step of the preparation changed.

    Raises:
        LogError: as `read_log` and `prepare`.
    """
    return prepare(read_log(name_or_path), max_topics)


def _read_folder(path: Path) -> RawLog:
    if (path / EVENTS_FILE).exists():
        return read_kuairand_pure(path)
    if (path / "u.data").exists():
        return read_movielens(path, "ml-100k")
    if (path / "ratings.csv").exists():
        return read_movielens(path, "ml-latest")
    if (path / "ratings.dat").exists():
        tweets = _has_imdb_ids(path / "movies.dat")
        return read_movietweetings(path) if tweets else read_movielens(path, "ml-1m")
    if any(path.glob("*.inter")):
        return read_recbole(path)
    found = ", ".join(sorted(file.name for file in path.iterdir())[:8]) or "nothing"
    raise LogError(f"{path}: expected one of {_KNOWN}; found {found}")


def _has_imdb_ids(movies: Path) -> bool:
    """Tell MovieTweetings, whose ids have seven digits, from ml-1m with the same file names."""
    if not movies.is_file():
        return False
    with movies.open("rb") as lines:
        return len(lines.readline().split(b"::")[0]) >= 7
