"""Records that are kept with the code, so that a page can be written anew on another machine."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from driftrec.envs.files import write_json
from validation.cells import RESULT, Cell, record_of


def restore(path: Path, out: Path) -> None:
    """Put the records that were kept where those of cells lie, but for the cells that have one."""
    for name, record in _read(path).items():
        place = out / name / RESULT
        if not place.exists():
            write_json(place, record)


def keep(path: Path, cells: Sequence[Cell], out: Path) -> None:
    """Keep the records of the cells that are done, beside those kept before.

    What needs more than its record to be shown is not kept: its files are too large.
    """
    records = _read(path)
    for cell in cells:
        record = None if cell.keeps_files else record_of(cell, out)
        if record is not None:
            records[str(cell.home(out).relative_to(out))] = record
    if records:
        write_json(path, dict(sorted(records.items())))


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    records: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return records


def drop(path: Path, cells: Sequence[Cell], out: Path) -> None:
    """Keep the records of these cells no more."""
    records = _read(path)
    for cell in cells:
        for home in (cell.home(out), cell.folder(out)):
            records.pop(str(home.relative_to(out)), None)
    if path.exists():
        write_json(path, records)


def section_of(page: str, title: str, command: str) -> tuple[str, int, int]:
    """A section as a page has it, how many of its cells were done for it, and in how many seconds.

    The text is empty where the page has no such section, or one that another command made.
    """
    found = re.search(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    counted = re.search(
        rf"`{re.escape(command)}`: (\d+) of \d+ cells, ([\d,]+) CPU-seconds",
        found[0] if found else "",
    )
    if found is None or counted is None:
        return "", 0, 0
    return found[0].strip(), int(counted[1]), int(counted[2].replace(",", ""))
