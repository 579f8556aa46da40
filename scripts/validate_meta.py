"""Prove the meta-learners: against published tables, exact optima, and each other.

The proof is a list of cells: one policy, or one training with one seed, on one task. Each is
measured once and kept in OUT; a run that was killed goes on where it was when the same command is
given again, its trainings included. The page is composed of the cells that are done, and says of
the others that they were not run. Records are kept beside it in docs/results, from which another
machine goes on; a section of which more was done elsewhere than is known here stays as it is.

Examples:
    python scripts/validate_meta.py --list
    python scripts/validate_meta.py --sections bandits mdp --workers 2
    python scripts/validate_meta.py --sections users --only "Feed amortised"
    python scripts/validate_meta.py --write
    python scripts/validate_meta.py --size smoke --seeds 1 --out runs/smoke
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from common import run
from validation import (
    bandits,
    dpt,
    efficiency,
    filters,
    generated,
    gradients,
    mdp,
    navigation,
    users,
)
from validation.script import Options, Script

SECTIONS = {
    part.SECTION: part
    for part in (bandits, mdp, dpt, navigation, gradients, filters, users, efficiency, generated)
}

SectionName = Literal[
    "bandits",
    "mdp",
    "dpt",
    "navigation",
    "gradients",
    "filters",
    "users",
    "efficiency",
    "generated",
]

SCRIPT = Script(
    "validate_meta",
    Path(__file__).parents[1] / "docs" / "validation.md",
    "Validation",
    "Learners against published tables, exact optima and each other.",
    SECTIONS,
    Path(__file__).parents[1] / "docs" / "results" / "validation" / "meta.json",
)


@dataclass(frozen=True)
class Validate(Options):
    """What to measure, and where the results go."""

    sections: tuple[SectionName, ...] = (
        "bandits", "mdp", "dpt", "navigation", "gradients", "filters", "users", "efficiency",
        "generated",
    )  # fmt: skip
    """Parts of the proof to run or to list; the page always has all."""


def main() -> None:
    """Measure what is missing, or list it, or write the page."""
    options = tyro.cli(Validate, description=__doc__)
    SCRIPT.run(options, options.sections)


if __name__ == "__main__":
    run(main)
