"""How far a grid is, and how long the rest will take."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from driftrec.agents.benchmark.cells import Cell


@dataclass(frozen=True)
class Status:
    """Where a grid stands.

    Attributes:
        done: cells that are done, those of earlier runs included.
        failed: cells that are not, for good.
        total: cells in all.
        seconds_left: estimate of the time until all are done; NaN while nothing is known.
        last: what was just finished, in words.
    """

    done: int
    failed: int
    total: int
    seconds_left: float
    last: str = ""


Progress = Callable[[Status], None]
"""Told where a grid stands, after each cell."""


class Estimate:
    """Seconds that cells take, by what those of the same kind and method took.

    A training of a method counts like any other of it; a meeting by its users and requests. What
    was never seen counts like what was seen of its kind, on average.
    """

    def __init__(self) -> None:
        self._spent: dict[tuple[str, str], tuple[float, float]] = {}
        self._left: dict[tuple[str, str], float] = {}

    def expect(self, cells: Iterable[Cell], sign: int = 1) -> None:
        """Count cells among those that are left, or no longer."""
        for cell in cells:
            group = (cell.kind, cell.name)
            self._left[group] = self._left.get(group, 0.0) + sign * cell.work

    def learn(self, cell: Cell, seconds: float) -> None:
        """Take account of what a cell has taken."""
        for name in (cell.name, ""):
            group = (cell.kind, name)
            time, work = self._spent.get(group, (0.0, 0.0))
            self._spent[group] = time + seconds, work + cell.work

    def seconds(self, cell: Cell) -> float:
        """What a cell will take; NaN where nothing is known of its kind."""
        return self._rate(cell.kind, cell.name) * cell.work

    @property
    def seconds_left(self) -> float:
        """What all that is left will take one worker; NaN while nothing is known of a kind."""
        return math.fsum(self._rate(*group) * work for group, work in self._left.items() if work)

    def _rate(self, kind: str, name: str) -> float:
        found = self._spent.get((kind, name)) or self._spent.get((kind, ""))
        return found[0] / found[1] if found else math.nan


@contextmanager
def grid_bar() -> Iterator[Progress]:
    """A bar on the error stream, silent where that is no terminal.

    Yields:
        What `run_grid` takes as `progress`.
    """
    # Rich is an extra: a grid can do without it.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    screen = Console(stderr=True)
    columns = (
        TextColumn("{task.description:40.40}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[rest]}"),
    )  # fmt: skip
    with Bar(*columns, console=screen, disable=not screen.is_terminal) as bar:
        task = bar.add_task("", rest="")

        def report(status: Status) -> None:
            bar.update(
                task, description=status.last, total=status.total,
                completed=status.done + status.failed, rest=rest_of(status),
            )  # fmt: skip

        yield report


def rest_of(status: Status) -> str:
    """What is left and what has failed, in words."""
    failed = f"{status.failed} failed" if status.failed else ""
    return ", ".join(word for word in (duration(status.seconds_left), failed) if word)


def duration(seconds: float) -> str:
    """A time to wait in words, "about 3 h 20 min left"; nothing if it is unknown or over."""
    if math.isnan(seconds) or seconds <= 0:
        return ""
    if seconds < 60:
        return f"about {math.ceil(seconds)} s left"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return f"about {minutes} min left"
    return f"about {minutes // 60} h {minutes % 60:02} min left"
