"""Train, evaluate and pack the checkpoints that come with the package.

Trainings lie in OUT/<population>/<method>-<seed> and go on where they were cut; each is then met by
test users and written to DATA with its model card. Evaluations are kept, so that a second call
writes the cards anew in seconds.

Examples:
    python scripts/pretrain.py                      # all of it: about five hours of one core
    python scripts/pretrain.py --only feed-rl2-0
    python scripts/pretrain.py --finished-only      # pack what is trained, and train nothing
    python scripts/pretrain.py --size smoke --seeds 1 --users 20 --out runs/s --data runs/s/data
"""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

import tyro
from common import console, progress_bar, run
from pretraining.plan import entries
from pretraining.shipping import ship, write_overview
from pretraining.testing import test_scores
from pretraining.training import finished, record_of, train, weights_of

from driftrec.agents.method import Size
from driftrec.meta.model_card import ModelCard
from driftrec.meta.pretrained import DATA


@dataclass(frozen=True)
class Pretrain:
    """What to train, and where it goes."""

    out: Path = Path("runs/pretrained")
    """Folder of the trainings, finished ones included."""
    data: Path = DATA
    """Folder that the package is made from."""
    only: tuple[str, ...] = ()
    """Names of the checkpoints to make; all of them if none is given."""
    seeds: int = 3
    """Trainings of each of the best learners."""
    finished_only: bool = False
    """Train nothing: take what is trained in OUT."""
    users: int = 2000
    """Test users to meet."""
    size: Size = "standard"
    """Of the trainings; smoke shows in a minute that all works."""
    commit: str = ""
    """Of this package at the training, where it was not noted; what git says if left out."""
    hardware: str = ""
    """Trained on, where it was not noted; this machine if left out."""


def main() -> None:
    """Train what is missing, meet test users, write checkpoints and cards."""
    options = tyro.cli(Pretrain, description=__doc__)
    chosen = entries(options.seeds, options.size)
    if unknown := set(options.only) - {entry.name for entry in chosen}:
        raise ValueError(
            f"only must hold names of {', '.join(entry.name for entry in chosen)}; got "
            f"{', '.join(sorted(unknown))}"
        )
    chosen = [entry for entry in chosen if not options.only or entry.name in options.only]
    if options.finished_only:
        chosen = [entry for entry in chosen if finished(entry, options.out)]
    made_by = {
        "commit": options.commit or commit_now(),
        "hardware": options.hardware or this_machine(),
    }
    with progress_bar(len(chosen)) as report:
        for entry in chosen:
            report(entry.name, 0)
            if not finished(entry, options.out):
                train(entry, options.out, **made_by)
            record = made_by | record_of(entry, options.out)
            test = test_scores(entry, options.out, options.users)
            card = ship(entry, weights_of(entry, options.out), record, test, options.data)
            console().print(
                f"{card.name}: CTR {card.test['ctr']['value']:.3f}, score "
                f"{card.test['score']['value']:.2f}, {card.size / 1024:.0f} KiB"
            )
            report(entry.name, 1)
    cards = [ModelCard.load(path) for path in sorted(options.data.glob("*.json"))]
    write_overview(cards, "python scripts/pretrain.py", options.data)
    total = sum(card.size for card in cards)
    console().print(f"{len(cards)} checkpoints, {total / 2**20:.1f} MiB -> {options.data}")


def commit_now() -> str:
    """The commit that is checked out; "unknown" where git cannot tell."""
    try:
        return subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def this_machine() -> str:
    """Processor and number of cores."""
    info = Path("/proc/cpuinfo")
    names = [
        line.partition(":")[2].strip()
        for line in (info.read_text().splitlines() if info.exists() else ())
        if line.startswith("model name")
    ]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"one core of {os.cpu_count()} of {name}"


if __name__ == "__main__":
    run(main)
