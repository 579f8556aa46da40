"""What became of a cell: its cost and files, or what went wrong."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
"""Errors of a disk that is full, or a share of it that is used up."""


LONGEST = 1000
"""Characters of a message that are kept."""


class DiskFullError(OSError):
    """There is no room for results: nothing is lost, and the same call goes on later."""


@dataclass(frozen=True)
class Failure:
    """What went wrong.

    Attributes:
        kind: class of the exception.
        message: its message.
        where: the last line of the traceback; empty where there was none.
    """

    kind: str
    message: str
    where: str = ""

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """What an exception says."""
        frames = traceback.extract_tb(error.__traceback__)
        where = ""
        if frames:
            last = frames[-1]
            where = f"{Path(last.filename).name}:{last.lineno} in {last.name}: {last.line or ''}"
        message = " ".join(str(error).split())
        return cls(type(error).__name__, message[:LONGEST], where)

    def __str__(self) -> str:
        told = f"{self.kind}: {self.message}" if self.message else self.kind
        return f"{told} ({self.where})" if self.where else told


@dataclass(frozen=True)
class Record:
    """What became of a cell.

    Attributes:
        state: "full" where there was no room to write; such a record is never kept.
        cost: "cpu_seconds", "wall_seconds", and what else the method counted.
        files: digest of each file of the result, by its name.
        failure: what went wrong, unless all is done.
    """

    state: Literal["done", "failed", "full"]
    cost: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    failure: Failure | None = None

    @classmethod
    def of_error(cls, error: BaseException) -> Record:
        """The record of a cell that raised."""
        return cls("full" if is_full(error) else "failed", failure=Failure.of(error))

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Record:
        """What `to_dict` gave.

        Raises:
            KeyError, TypeError, ValueError: if it is something else.
        """
        state, failure = content["state"], content["failure"]
        if state not in ("done", "failed"):
            raise ValueError(f"state must be done or failed, got {state!r}")
        cost = {str(name): float(value) for name, value in content["cost"].items()}
        files = {str(name): str(value) for name, value in content["files"].items()}
        return cls(state, cost, files, Failure(**failure) if failure else None)


def is_full(error: BaseException) -> bool:
    """Whether an error, or what caused it, is that the disk is full.

    Libraries that write files themselves have errors of their own: those are known by their words.
    """
    return any(
        (isinstance(one, OSError) and one.errno in NO_ROOM) or "No space left on device" in str(one)
        for one in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
