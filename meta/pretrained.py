"""Checkpoints that come with the package: found by name, or by what they were trained with.

    from driftrec.meta import load_pretrained
    policy = load_pretrained("feed-rl2")

Nothing is downloaded. Each checkpoint is one safetensors file with a model card beside it, which
names its hash; `scripts/pretrain.py` makes them all anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

from driftrec.agents.method import Family, Method, Size
from driftrec.agents.policy import PolicyFactory
from driftrec.envs import Population
from driftrec.envs.files import write_bytes
from driftrec.meta.checkpoint import CheckpointError
from driftrec.meta.learner import LearnedPolicy
from driftrec.meta.model_card import ModelCard
from driftrec.meta.registry import load
from driftrec.meta.saved_method import FILE, saved_policy

DATA = Path(__file__).parent / "data" / "pretrained"
"""Folder of the checkpoints that come with the package."""


@dataclass(frozen=True)
class Pretrained:
    """A checkpoint that comes with the package.

    Attributes:
        name: such as "feed-rl2-0": population, method, training seed.
        folder: where it lies.
    """

    name: str
    folder: Path = DATA

    @cached_property
    def card(self) -> ModelCard:
        """Where it comes from."""
        return ModelCard.load(self.folder / f"{self.name}.json")

    @cached_property
    def path(self) -> Path:
        """Of the file, whose content is the one that the card names.

        Raises:
            CheckpointError: if it is missing or damaged.
        """
        path = self.folder / f"{self.name}.safetensors"
        if not path.is_file():
            raise CheckpointError(f"there is no checkpoint at {path}, which has a model card")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != self.card.sha256:
            raise CheckpointError(
                f"{path} is damaged: its sha256 is {found}, and its model card says "
                f"{self.card.sha256}; install the package again"
            )
        return path


@cache
def _shipped(folder: Path) -> dict[str, Pretrained]:
    return {path.stem: Pretrained(path.stem, folder) for path in sorted(folder.glob("*.json"))}


def pretrained_names() -> list[str]:
    """Names that `load_pretrained` knows, each with its training seed last."""
    return list(_shipped(DATA))


def find_by_name(name: str) -> Pretrained:
    """The checkpoint of a name; without a training seed, the one of the lowest.

    Raises:
        ValueError: if there is none of that name.
    """
    known = _shipped(DATA)
    found = [name] if name in known else _seeds(name)
    if not found:
        raise ValueError(f"pretrained must be one of {', '.join(known) or 'none'}; got {name!r}")
    return known[found[0]]


def _seeds(name: str) -> list[str]:
    """Names of the checkpoints that differ in their training seed alone, the lowest first."""
    found = [one for one in _shipped(DATA) if one.rpartition("-")[0] == name]
    return sorted(found, key=lambda one: int(one.rpartition("-")[2]))


def find_pretrained(population: Population, learner: str, config: Any) -> Pretrained | None:
    """The checkpoint that this training would give, if one is shipped.

    Args:
        population: whose users it would learn from.
        learner: its name in the registry.
        config: its whole config, with the seed.
    """
    fits = (one for one in _shipped(DATA).values() if one.card.fits(population, learner, config))
    return next(fits, None)


def load_pretrained(name: str, **options: Any) -> LearnedPolicy:
    """A policy that comes with the package, on the catalogue it was trained with.

    Args:
        name: one of `pretrained_names`, or without its training seed.
        options: how it acts; see `driftrec.meta.load`.

    Raises:
        ValueError: if there is none of that name.
        CheckpointError: if its file is missing or damaged.
    """
    return load(find_by_name(name).path, **options)


@dataclass(frozen=True)
class PretrainedMethod(Method):
    """Checkpoints that come with the package, on whatever users they are put to.

    It takes part as one that trains: each training seed has a checkpoint, and the cost is what was
    recorded. The users that it is given to learn from are not looked at.

    Attributes:
        checkpoint: their name, without the training seed.
    """

    name: str
    family: Family = "meta"
    checkpoint: str = ""

    trains: ClassVar[bool] = True

    def runs(self, seeds: int) -> int:
        """As many as there are checkpoints, at most."""
        return min(seeds, len(_seeds(self.checkpoint)))

    def unsuited(self, population: Population) -> str:
        """Why the policy cannot show these items."""
        policy = load_pretrained(self.checkpoint)
        try:
            policy.on(population.catalogue, population.slate)
        except ValueError as error:
            return str(error)
        return ""

    def fit(
        self, population: Population, folder: Path, *, seed: int, size: Size
    ) -> Mapping[str, float]:
        """Copies the checkpoint of a training seed; gives the cost that was recorded."""
        found = find_by_name(f"{self.checkpoint}-{seed}")
        write_bytes(folder / FILE, found.path.read_bytes())
        return {**found.card.cost, "reused": 1.0}

    def policy(self, folder: Path) -> PolicyFactory:
        """Acts as it was saved."""
        return partial(saved_policy, path=folder / FILE)

    @property
    def settings(self) -> dict[str, Any]:
        """With the hashes of the weights."""
        seeds = _seeds(self.checkpoint)
        return {**super().settings, "sha256": [find_by_name(one).card.sha256 for one in seeds]}


def pretrained_methods() -> dict[str, Method]:
    """A method for each population and learner, such as "pretrained-feed-rl2"."""
    checkpoints = sorted({name.rpartition("-")[0] for name in _shipped(DATA)})
    methods = (PretrainedMethod(f"pretrained-{one}", checkpoint=one) for one in checkpoints)
    return {method.name: method for method in methods}
