"""Fit a population of drifting users to a log and save it with its card.

Half the log's users give the parameters of train and validation, the other half those of test.

Examples:
    python scripts/fit.py --log KuaiRand --out envs/data/populations
    python scripts/fit.py --log Movies --out envs/data/populations
    python scripts/fit.py --log path/to/ml-1m --items 500 --out runs/populations
    python scripts/fit.py --log path/to/mine.inter --seed 3 --out runs/populations
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro
from common import console, run
from rich.markdown import Markdown

from driftrec.envs.fitting import fit_population
from driftrec.envs.logs import load_log
from driftrec.envs.storage import save_population


@dataclass(frozen=True)
class Fit:
    """What to fit, and where the result goes."""

    log: str = "KuaiRand"
    """KuaiRand or Movies, or the path of a log (see the guide for formats)."""
    out: Path = Path("runs/populations")
    """Folder of the two files, NAME.json and NAME.npz, named after the log."""
    items: int = 1000
    """Size of the catalogue: the items most met."""
    seed: int = 0
    """Of the split of users, of bootstraps and of simulations."""


def main() -> None:
    """Fit, print the card, and save."""
    options = tyro.cli(Fit, description=__doc__)
    if options.items < 2:
        raise ValueError(f"items must be at least 2, got {options.items}")
    log, report = load_log(options.log)
    screen = console()
    screen.print(str(report), markup=False, highlight=False)
    population = fit_population(log, seed=options.seed, items=options.items)
    screen.print(Markdown(population.card))
    for path in save_population(population, options.out / population.name):
        screen.print(f"written: {path}", soft_wrap=True)


if __name__ == "__main__":
    run(main)
