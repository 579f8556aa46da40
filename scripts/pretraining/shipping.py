"""Writes checkpoints and their model cards where the package looks for them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from driftrec.envs.files import write_bytes, write_text
from driftrec.meta.model_card import ModelCard, training_fingerprint
from pretraining.plan import LICENCES, Entry

LARGEST = 2**20
"""Bytes of a checkpoint, at most."""

USE = (
    "baselines and starting points for research on recommendation to simulated users who change; "
    "it acts on any catalogue of as many features, topics and items a request."
)

LIMITS = (
    "learned from {population} users of the simulator alone, whose true click probabilities were "
    "known in training. Nothing was measured on real people, and it must not decide what they are "
    "shown without a test of its own. On other users and items it may do worse than a bandit that "
    "starts from nothing."
)


def ship(
    entry: Entry, weights: bytes, record: Mapping[str, Any], test: Mapping[str, Any], data: Path
) -> ModelCard:
    """Write a checkpoint and its card, the card last.

    Raises:
        ValueError: if the checkpoint is too large.
    """
    if len(weights) >= LARGEST:
        raise ValueError(
            f"{entry.name} must be smaller than {LARGEST} bytes, got {len(weights)}: make its "
            "config smaller"
        )
    cost = {name: record[name] for name in ("cpu_seconds", "user_steps", "validation")}
    card = ModelCard(
        name=entry.name,
        method=entry.method,
        learner=entry.learner.learner,
        population=entry.population,
        users=training_fingerprint(entry.training_users),
        seed=entry.seed,
        config=record["config"],
        commit=record["commit"],
        cost=cost,
        hardware=record["hardware"],
        sha256=hashlib.sha256(weights).hexdigest(),
        size=len(weights),
        licence=LICENCES[entry.population],
        use=USE,
        limits=LIMITS.format(population=entry.population),
        test=test,
    )
    write_bytes(data / f"{entry.name}.safetensors", weights)
    card.save(data / f"{entry.name}.json")
    return card


def write_overview(cards: Iterable[ModelCard], command: str, data: Path) -> None:
    """A page with a line for each checkpoint."""
    lines = [
        "# Checkpoints that come with the package",
        "",
        f"Made by `{command}`. Each has a model card beside it, `NAME.json`: all",
        "options, commit, hash, intended use and limits. `driftrec.meta.load_pretrained(NAME)`",
        "loads one; without the number at the end, the first seed. CTR and score (0 is most",
        "popular, 1 a Bayesian filter that knows the true model) are of test users, with 95%",
        "intervals.",
        "",
        "| name | CTR | score | CPU-seconds | user-steps | KiB | licence |",
        "|-|-|-|-|-|-|-|",
        *(_row(card) for card in cards),
    ]
    write_text(data / "README.md", "\n".join(lines) + "\n")


def _row(card: ModelCard) -> str:
    columns = [
        card.name,
        *(_interval(card.test[name]) for name in ("ctr", "score")),
        f"{card.cost['cpu_seconds']:.0f}",
        f"{card.cost['user_steps'] / 1e6:.2f} M",
        f"{card.size / 1024:.0f}",
        card.licence.split(" (")[0],
    ]
    return f"| {' | '.join(columns)} |"


def _interval(found: Mapping[str, float]) -> str:
    if None in found.values():
        return "undefined"
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"
