"""Trains a checkpoint, or takes over a training that is finished."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from driftrec.envs.files import write_json
from driftrec.meta import CheckpointError, load
from driftrec.meta.learner_method import COST, cost_of, discard_training
from driftrec.meta.model_card import agrees
from driftrec.meta.saved_method import FILE
from pretraining.plan import Entry


def folder_of(entry: Entry, out: Path) -> Path:
    """Where the training of an entry lies."""
    return out / entry.population / f"{entry.method}-{entry.seed}"


def finished(entry: Entry, out: Path) -> bool:
    """Whether its training is done."""
    return (folder_of(entry, out) / COST).exists()


def train(entry: Entry, out: Path, commit: str, hardware: str) -> None:
    """Train, or go on where a training was cut; what it cost is written last."""
    folder = folder_of(entry, out)
    folder.mkdir(parents=True, exist_ok=True)
    cost = entry.learner.train(entry.config, entry.training_users, folder)
    write_json(folder / COST, {**cost, "commit": commit, "hardware": hardware})
    discard_training(folder)


def record_of(entry: Entry, out: Path) -> dict[str, Any]:
    """Cost and config of a finished training, and commit and hardware where they were noted.

    Raises:
        CheckpointError: if it is of another config or population.
    """
    folder = folder_of(entry, out)
    policy, population = load(folder), entry.training_users
    if policy.about["population"] != population.name:
        raise CheckpointError(
            f"{folder} was trained on {policy.about['population']!r}, not {population.name!r}"
        )
    if not agrees(policy.about["config"], entry.config):
        raise CheckpointError(
            f"{folder} was trained with another config than the method {entry.method!r} of size "
            f"{entry.size} has now: train into another folder"
        )
    known = json.loads((folder / COST).read_text())
    counted = cost_of(policy, entry.config, population, known["cpu_seconds"])
    noted = {name: known[name] for name in ("commit", "hardware") if name in known}
    return {**noted, **counted, "config": policy.about["config"]}


def weights_of(entry: Entry, out: Path) -> bytes:
    """The file of a finished training."""
    return (folder_of(entry, out) / FILE).read_bytes()
