"""What a cell costs, in seconds; of a training, those of earlier runs that were killed included."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from driftrec.envs.files import write_json

PERIOD = 30.0
"""Seconds of work, at most, whose cost is forgotten if the process is killed."""


class Clock:
    """Measures what is spent from now on.

    Args:
        before: what was spent before.
    """

    def __init__(self, before: Mapping[str, float] | None = None) -> None:
        self._before = before or {}
        self._cpu, self._wall = _cpu_seconds(), time.perf_counter()

    @property
    def spent(self) -> dict[str, float]:
        """Seconds of processors, of this process and its children that have ended, and in all."""
        cpu, wall = _cpu_seconds() - self._cpu, time.perf_counter() - self._wall
        return {
            "cpu_seconds": cpu + self._before.get("cpu_seconds", 0.0),
            "wall_seconds": wall + self._before.get("wall_seconds", 0.0),
        }


@contextmanager
def lasting_clock(path: Path) -> Iterator[Clock]:
    """A clock that goes on from what a file says was spent, and writes it there now and then."""
    clock, over = Clock(_read(path)), threading.Event()
    writing = threading.Thread(target=_write, args=(clock, path, over), daemon=True)
    writing.start()
    try:
        yield clock
    finally:
        over.set()
        writing.join()


def _read(path: Path) -> dict[str, float]:
    try:
        return {name: float(value) for name, value in json.loads(path.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(clock: Clock, path: Path, over: threading.Event) -> None:
    while not over.wait(PERIOD):
        with suppress(OSError):
            write_json(path, clock.spent)


def _cpu_seconds() -> float:
    times = os.times()
    return time.process_time() + times.children_user + times.children_system
