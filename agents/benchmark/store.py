"""Where results lie: under keys made of all that they depend on, each with a record of itself."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from driftrec.agents.benchmark.cells import Cell, Training
from driftrec.agents.benchmark.record import Record
from driftrec.envs.files import write_bytes, write_json

try:
    import fcntl
except ImportError:  # Windows has none: there, two runs on one folder could train at once.
    fcntl = None  # type: ignore[assignment]  # looked at before it is used

LEFT_OVER = re.compile(r"\..+\.[a-z0-9_]{8}")
"""Names of the temporary files that `driftrec.envs.files.replacing` leaves if it is killed."""

OLD = 3600.0
"""Seconds after which a temporary file belongs to no process that is still writing it."""


@dataclass(frozen=True)
class Store:
    """Results of cells in a folder that several runs may use at once.

    A cell of key K has its record in `K.json`, written after the files that it holds the digests
    of: of a meeting an evaluation, `K.npz`; of a training all that lies in the folder `K`. They
    are in `meetings/` and `trainings/`, by the first two digits of their keys.

    Attributes:
        root: the folder.
    """

    root: Path

    def path(self, cell: Cell) -> Path:
        """The evaluation of a meeting, or the folder of a training."""
        path = self.root / f"{cell.kind}s" / cell.key[:2] / cell.key
        return path if isinstance(cell, Training) else path.with_suffix(".npz")

    def record(self, cell: Cell) -> Record | None:
        """What became of a cell, or None if that is unknown or its files are not as written."""
        try:
            record = Record.from_dict(json.loads(self._record(cell).read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        if record.state == "done" and record.files != digests(self.files(cell)):
            return None
        return record

    def damaged(self, cell: Cell) -> bool:
        """Whether there is a record of a cell, and it or its files are not as written."""
        return self._record(cell).exists() and self.record(cell) is None

    def files(self, cell: Cell) -> dict[str, Path]:
        """The files of a result, by their names in it."""
        path = self.path(cell)
        if not isinstance(cell, Training):
            return {path.suffix: path} if path.exists() else {}
        found = (file for file in sorted(path.rglob("*")) if file.is_file())
        return {
            file.relative_to(path).as_posix(): file
            for file in found
            if not LEFT_OVER.fullmatch(file.name)
        }

    def finish(self, cell: Cell, cost: Mapping[str, float]) -> Record:
        """Record that a cell is done and its files are written."""
        record = Record("done", cost, digests(self.files(cell)))
        self.write(cell, record)
        return record

    def write(self, cell: Cell, record: Record) -> None:
        """Write a record; a failure takes no place of what another run has done meanwhile."""
        if record.state == "failed":
            known = self.record(cell)
            if known is not None and known.state == "done":
                return
        what = {"kind": cell.kind, "method": cell.name, "seed": cell.seed}
        write_json(self._record(cell), {"what": what} | record.to_dict())

    def contents(self, cell: Cell) -> dict[str, bytes]:
        """The files of a result, read."""
        return {name: path.read_bytes() for name, path in self.files(cell).items()}

    def adopt(self, cell: Cell, contents: Mapping[str, bytes], record: Record) -> None:
        """Write a result that was made in another store; nothing else stays of an earlier one."""
        path = self.path(cell)
        with self.alone(cell) if isinstance(cell, Training) else nullcontext():
            for name, content in contents.items():
                write_bytes(path / name if isinstance(cell, Training) else path, content)
            for name in self.files(cell).keys() - contents.keys():
                (path / name).unlink()
            self.write(cell, record)

    def spent(self, training: Training) -> Path:
        """Where a training that is not done keeps what it has cost."""
        return self.path(training).with_suffix(".spent")

    def clear(self, training: Training) -> None:
        """Empty the folder of a training."""
        for path in (self._record(training), self.spent(training)):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.path(training), ignore_errors=True)
        self.path(training).mkdir(exist_ok=True)

    def sweep(self) -> None:
        """Remove temporary files of runs that were killed."""
        for path in self.root.glob("*s/??/.*"):
            if LEFT_OVER.fullmatch(path.name):
                with suppress(OSError):
                    if time.time() - path.stat().st_mtime > OLD:
                        path.unlink()

    @contextmanager
    def alone(self, training: Training) -> Iterator[Path]:
        """The folder of a training, for one process at a time: others wait until it is done.

        The lock goes with the process that holds it, however that ends.
        """
        folder = self.path(training)
        folder.mkdir(parents=True, exist_ok=True)
        with folder.with_suffix(".lock").open("wb") as lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            for path in folder.rglob(".*"):
                if LEFT_OVER.fullmatch(path.name):
                    path.unlink()
            yield folder

    def _record(self, cell: Cell) -> Path:
        path = self.path(cell)
        return path.with_name(f"{cell.key}.json")


def digests(files: Mapping[str, Path]) -> dict[str, str]:
    """SHA-256 of each file, by its name."""
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
