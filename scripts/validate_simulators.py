"""Prove the published simulators: their tables reproduced, and what planning and learning gain.

As `validate_meta.py`: a list of cells, each measured once and kept in OUT, and a page of those that
are done. With `--write` the scores of policies without training are written too, where
`driftrec.envs.reference_scores` finds them.

Examples:
    python scripts/validate_simulators.py --list
    python scripts/validate_simulators.py --sections published --workers 2
    python scripts/validate_simulators.py --only "SlateTopK-Bored"
    python scripts/validate_simulators.py --write
    python scripts/validate_simulators.py --size smoke --seeds 1 --out runs/smoke
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from common import run
from validation import headroom, published
from validation.cells import Plan
from validation.script import Options, Script

from driftrec.envs.files import write_json
from driftrec.envs.scores import SCORES

SECTIONS = {part.SECTION: part for part in (published, headroom)}

SectionName = Literal["published", "headroom"]

SCRIPT = Script(
    "validate_simulators",
    Path(__file__).parents[1] / "docs" / "simulators.md",
    "Published simulators",
    "The simulators of other people, written from their equations, beside the originals.",
    SECTIONS,
    Path(__file__).parents[1] / "docs" / "results" / "validation" / "simulators.json",
)


@dataclass(frozen=True)
class Validate(Options):
    """What to measure, and where the results go."""

    sections: tuple[SectionName, ...] = ("published", "headroom")
    """Parts to run or to list; the page always has all."""
    out: Path = Path("runs/simulators")
    """Folder of the results."""


def main() -> None:
    """Measure what is missing, or list it, or write the page."""
    options = tyro.cli(Validate, description=__doc__)
    SCRIPT.run(options, options.sections)
    if options.write:
        found = headroom.scores(Plan(options.size, options.seeds), options.out)
        smoke = options.size == "smoke"
        before = {} if smoke else json.loads(SCORES.read_text(encoding="utf-8"))
        merged = {task: before.get(task, {}) | found.get(task, {}) for task in before | found}
        write_json(options.out / "scores.json" if smoke else SCORES, merged)


if __name__ == "__main__":
    run(main)
