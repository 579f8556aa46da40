"""Cells: what is measured by itself, once, and kept."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from driftrec.envs.files import write_json

Size = Literal["smoke", "standard", "full"]

RESULT = "result.json"


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        size: smoke shows in seconds that all works; standard and full differ in training.
        seeds: trainings of each learner, with seeds 0, 1, ...
    """

    size: Size = "standard"
    seeds: int = 3

    def pick(self, smoke: Any, standard: Any, full: Any = None) -> Any:
        """One of the values, by size; full is standard unless it is given."""
        big = standard if full is None else full
        return {"smoke": smoke, "standard": standard, "full": big}[self.size]


@dataclass(frozen=True)
class Cell(ABC):
    """One thing to measure; its fields are all that the result depends on but the code.

    Attributes:
        section: the part of the page that it belongs to.
        name: says to people what it is.
        keeps_files: whether the page needs more of it than its record.
    """

    section: ClassVar[str]
    keeps_files: ClassVar[bool] = False

    @property
    @abstractmethod
    def name(self) -> str:
        """Says to people what it is."""

    @abstractmethod
    def measure(self, folder: Path) -> dict[str, Any]:
        """Measure, and go on from what an interrupted call left in the folder.

        Returns:
            Plain numbers, ready for JSON.
        """

    @property
    def settings(self) -> dict[str, Any]:
        """All fields as JSON."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @property
    def key(self) -> str:
        """Hash of what is measured and how: other settings are another cell."""
        text = json.dumps([type(self).__name__, self.settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def slug(self) -> str:
        """The name as a file may have it."""
        return re.sub(r"[^A-Za-z0-9.]+", "-", self.name)

    def folder(self, out: Path) -> Path:
        """Where it is measured."""
        return out / self.section / f"{self.slug}-{self.key}"

    def home(self, out: Path) -> Path:
        """Where its result lies: its folder, or that of the same settings before configs grew.

        A field that a config was given since then does not count while it has its default.
        """
        own = self.folder(out)
        if _read(own) is None:
            for path in sorted(own.parent.glob(f"{self.slug}-*")):
                record = _read(path)
                if record is not None and agrees(record["settings"], self):
                    return path
        return own


def result_of(cell: Cell, out: Path) -> dict[str, Any] | None:
    """What a cell gave, or None while it is not done."""
    record = record_of(cell, out)
    return None if record is None else record["result"]


def record_of(cell: Cell, out: Path) -> dict[str, Any] | None:
    """The result with its settings, cost and machine; None if absent or damaged."""
    return _read(cell.home(out))


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads((folder / RESULT).read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return record if {"result", "machine", "settings"} <= set(record) else None


def agrees(recorded: Any, current: Any) -> bool:
    """Whether settings of a record are those of a dataclass, fields that it lacks at their default.

    Args:
        recorded: as JSON.
        current: a dataclass, or any value of one of its fields.
    """
    if not is_dataclass(current):
        return bool(recorded == json.loads(json.dumps(current)))
    names = {item.name for item in fields(current)}
    if not isinstance(recorded, dict) or not set(recorded) <= names:
        return False
    return all(
        agrees(recorded[item.name], getattr(current, item.name))
        if item.name in recorded
        else getattr(current, item.name) == _default(item)
        for item in fields(current)
    )


def _default(item: Any) -> Any:
    return item.default if item.default_factory is MISSING else item.default_factory()


def run_cell(cell: Cell, out: Path) -> float:
    """Measure a cell in this process, on one thread, and keep the result.

    Returns:
        CPU-seconds, of this call alone.
    """
    torch.set_num_threads(1)
    began = time.process_time()
    result = cell.measure(cell.folder(out))
    spent = time.process_time() - began
    record = {
        "cell": cell.name,
        "settings": cell.settings,
        "machine": machine(),
        "cpu_seconds": spent,
        "result": result,
    }
    write_json(cell.folder(out) / RESULT, record)
    return spent


def forget(cell: Cell, out: Path) -> None:
    """Throw away all that is known of a cell."""
    for folder in (cell.home(out), cell.folder(out)):
        shutil.rmtree(folder, ignore_errors=True)


def unique(cells: Sequence[Cell]) -> list[Cell]:
    """The cells without those that are the same as an earlier one."""
    return list({(cell.section, cell.key): cell for cell in cells}.values())


def machine() -> str:
    """Processor, cores and versions, in words."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"model name\s*:\s*(.+)", info.read_text())
        model = found.group(1).strip() if found else model
    return (
        f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {torch.__version__}, numpy {np.__version__}"
    )
