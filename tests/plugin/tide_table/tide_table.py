"""A learner for driftrec: how much each item is clicked, by where it lies and by how long ago."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from driftrec.agents.memory import Memory, new_memory, top_unseen
from driftrec.envs import Catalogue
from driftrec.envs.observation import Observation
from driftrec.meta import Learner, LearnerConfig, TrainingRun
from driftrec.meta.checkpoint import load_weights, read_checkpoint, write_checkpoint


@dataclass(frozen=True)
class TideTableConfig(LearnerConfig):
    """How a tide table is learnt."""

    iterations: int = 20
    """Batches of trials to learn from."""
    users: int = 256
    """Users in a batch."""
    learning_rate: float = 0.05
    """Adam's step size at the start."""


@dataclass(frozen=True, eq=False)
class TideTablePolicy:
    """Shows what is clicked most by all users: a weight for each feature.

    Attributes:
        weights: a linear layer without bias over the table of items.
        table: of the items, `(items, width)`.
        slate: items in a request.
        about: where the weights come from.
    """

    weights: nn.Linear
    table: np.ndarray
    slate: int
    about: dict[str, Any] = field(default_factory=dict)

    def on(self, catalogue: Catalogue, slate: int | None = None) -> TideTablePolicy:
        """The same weights on another catalogue."""
        if catalogue.table.shape[1] != self.table.shape[1]:
            raise ValueError(f"items must have {self.table.shape[1]} features")
        return replace(self, table=np.array(catalogue.table), slate=slate or self.slate)

    def start(self, users: int) -> Memory:
        """Nothing shown yet."""
        return new_memory(users, len(self.table), self.slate)

    @torch.no_grad()
    def act(self, observation: Observation, state: Memory) -> tuple[np.ndarray, Memory]:
        """The best items not shown yet."""
        scores = self.weights(torch.from_numpy(self.table)).numpy()[:, 0]
        items = top_unseen(scores, state.shown, self.slate)
        return items, state.after(items)

    def save(self, path: str | Path) -> None:
        """Write weights and table."""
        tensors = {"weight": self.weights.weight, "table": torch.from_numpy(self.table)}
        write_checkpoint(
            path, "tide-table-policy", tensors, {"slate": self.slate, "about": self.about}
        )


class TideTableRun(TrainingRun[TideTableConfig]):
    """Fits clicks on items shown at random."""

    kind = "tide-table-training"

    def build(self) -> nn.Linear:
        """One weight a feature."""
        table = self.population.split("train").catalogue.table
        return nn.Linear(table.shape[1], 1, bias=False)

    def update(self, seed: int, rate: float) -> dict[str, float]:
        """One step on one request of new users."""
        config, population = self.config, self.population
        env = self.environment(population, "train", config.users)
        env.reset(seed=seed)
        rng = np.random.default_rng(seed)
        slate = (config.users, population.slate)
        items = rng.permuted(
            np.tile(np.arange(len(env.simulation.catalogue)), (slate[0], 1)), axis=1
        )
        observation, reward, *_ = env.step(items[:, : slate[1]])
        logits = self.network(torch.from_numpy(observation["slate"]))[..., 0]
        clicks = torch.from_numpy(observation["feedback"])
        loss = nn.functional.binary_cross_entropy_with_logits(logits, clicks)
        self.set_rate(rate)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        norm = float(self.network.weight.grad.norm())
        return {"reward": float(reward.mean()), "loss": loss.item(), "gradient_norm": norm}

    def policy(self, network: nn.Linear) -> TideTablePolicy:
        """Acts by the weights."""
        table = np.array(self.population.split("train").catalogue.table)
        return TideTablePolicy(network, table, self.population.slate, self.about)


class TideTable(Learner[TideTableConfig]):
    """Learns what all users click."""

    config_type = TideTableConfig
    run_type = TideTableRun

    @staticmethod
    def load(path: str | Path) -> TideTablePolicy:
        """Read a policy back."""
        tensors, described = read_checkpoint(path, "tide-table-policy")
        table = tensors.pop("table")
        weights = nn.Linear(table.shape[1], 1, bias=False)
        load_weights(weights, tensors, path)
        return TideTablePolicy(weights, table.numpy(), described["slate"], described["about"])
