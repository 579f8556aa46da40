"""Policies from checkpoints, as a method of a benchmark."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from driftrec.agents.method import Family, Method, Size
from driftrec.agents.policy import Policy, PolicyFactory, own_seed
from driftrec.envs import Population, RecommendationVectorEnv
from driftrec.envs.files import replacing
from driftrec.meta.registry import load, policy_file

FILE = "policy.safetensors"


@dataclass(frozen=True)
class SavedMethod(Method):
    """Checkpoints of one learner, one for each training seed.

    They are copied into the benchmark's folder, so that its results outlive the originals.

    Attributes:
        paths: of the checkpoints, in the order of their seeds.

    Raises:
        FileNotFoundError: if there is nothing at a path.
        ValueError: if there are no paths.
        CheckpointError: if a checkpoint is damaged or something else.
    """

    name: str
    family: Family = "meta"
    paths: tuple[str, ...] = ()

    trains: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.paths:
            raise ValueError(f"{self.name!r} needs at least one checkpoint, got none")
        for path in self.paths:
            if not Path(path).exists():
                raise FileNotFoundError(f"there is no checkpoint at {path}")
            # Read at once: a damaged one is better known now than after the others have run.
            load(path)

    def runs(self, seeds: int) -> int:
        """As many as there are checkpoints."""
        return len(self.paths)

    def fit(
        self, population: Population, folder: Path, *, seed: int, size: Size
    ) -> Mapping[str, float]:
        """Copy the checkpoint of this seed."""
        with replacing(folder / FILE) as temporary:
            shutil.copyfile(policy_file(self.paths[seed]), temporary)
        return {}

    def policy(self, folder: Path) -> PolicyFactory:
        """The policy as it was saved, for the catalogue at hand."""
        return partial(saved_policy, path=folder / FILE)

    @property
    def settings(self) -> dict[str, Any]:
        """The name and what the checkpoints hold, wherever they lie."""
        files = [policy_file(path) for path in self.paths]
        digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
        return {"method": "SavedMethod", "name": self.name, "sha256": digests}


def saved_policy(env: RecommendationVectorEnv, path: Path) -> Policy:
    """A saved policy for the catalogue and slate of an environment.

    Args:
        env: whose users it will serve.
        path: of the checkpoint.
    """
    simulation = env.simulation
    policy: Any = load(path).on(simulation.catalogue, simulation.slate)
    if hasattr(policy, "seed"):
        policy = replace(policy, seed=own_seed(env))
    served: Policy = policy
    return served
