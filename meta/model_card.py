"""Model cards: where a checkpoint that is shipped comes from, and what it is good for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from driftrec.agents.benchmark.fingerprint import population_fingerprint
from driftrec.envs import Population
from driftrec.envs.files import write_json
from driftrec.meta.checkpoint import CheckpointError

FORMAT = "driftrec-model-card-1"


@dataclass(frozen=True)
class ModelCard:
    """What there is to know of a checkpoint.

    Attributes:
        name: by which it is loaded.
        method: how the benchmark calls it.
        learner: its name in the registry.
        population: whose `train` users it learned from.
        users: hash of these users and what they were shown, see `training_fingerprint`.
        seed: of the training.
        config: all options of the learner.
        commit: of this package, when it was trained.
        cost: `cpu_seconds`, `user_steps`, and the `validation` reward that chose the weights.
        hardware: that it was trained on.
        test: metrics on users who were never learnt from or chosen by, as {"value", "low",
            "high"}, and how many they were.
        sha256: of the file.
        size: of the file, in bytes.
        licence: of the file.
        use: what it is meant for.
        limits: what it is not.
    """

    name: str
    method: str
    learner: str
    population: str
    users: str
    seed: int
    config: Mapping[str, Any]
    commit: str
    cost: Mapping[str, float]
    hardware: str
    sha256: str
    size: int
    licence: str
    use: str
    limits: str
    test: Mapping[str, Any] = field(default_factory=dict)

    def fits(self, population: Population, learner: str, config: Any) -> bool:
        """Whether a training of this learner with this config on these users would give it."""
        return (
            self.learner == learner
            and self.population == population.name
            and agrees(self.config, config)
            and self.users == training_fingerprint(population)
        )

    def save(self, path: Path) -> None:
        """Write as JSON, atomically."""
        write_json(path, {"format": FORMAT, **asdict(self)})

    @classmethod
    def load(cls, path: Path) -> ModelCard:
        """Read what `save` wrote.

        Raises:
            CheckpointError: if the file is missing or damaged.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.pop("format") != FORMAT:
                raise ValueError(f"expected the format {FORMAT!r}")
            return cls(**content)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{path} is no readable model card: {error!r}") from error


def training_fingerprint(population: Population) -> str:
    """Hash of all of a population that a training depends on; the other splits may differ."""
    train, validation = population.split("train"), population.split("validation")
    learnt = replace(
        population,
        model=train.model,
        catalogue=train.catalogue,
        variants={"validation": (validation.model, validation.catalogue)},
    )
    return population_fingerprint(learnt)


def agrees(recorded: Mapping[str, Any], config: Any) -> bool:
    """Whether a config is the recorded one; options that came later must be at their defaults."""
    ours, defaults = (json.loads(json.dumps(asdict(one))) for one in (config, type(config)()))
    return _agree(recorded, ours, defaults)


def _agree(recorded: Mapping[str, Any], ours: Mapping[str, Any], defaults: Any) -> bool:
    if set(recorded) - set(ours):
        return False
    for name, value in ours.items():
        default = defaults.get(name) if isinstance(defaults, Mapping) else None
        was = recorded.get(name, default)
        if isinstance(was, Mapping) and isinstance(value, Mapping):
            if not _agree(was, value, default):
                return False
        elif was != value:
            return False
    return True
