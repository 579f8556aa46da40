"""A training run of the tree-based learner."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from driftrec.envs import Population
from driftrec.meta.checkpoint import CheckpointError, read_checkpoint, reading, write_checkpoint
from driftrec.meta.learner import LearnedPolicy
from driftrec.meta.run import TrainingRun
from driftrec.meta.trees.config import TreesConfig
from driftrec.meta.trees.fitting import Rows, fit_ranker, held_out_error
from driftrec.meta.trees.policy import TreesPolicy
from driftrec.meta.trees.ranker import Ranker
from driftrec.meta.trees.statistics import Statistics
from driftrec.meta.trees.texts import tensor_of, text_of
from driftrec.meta.trees.trials import Trials, collect
from driftrec.meta.workers import Worker

PARTS = ("train", "validation")


class RankerModule(nn.Module):
    """A ranker as the training run keeps networks: its state is the text's bytes.

    Attributes:
        ranker: what was learnt.
    """

    def __init__(self, ranker: Ranker) -> None:
        super().__init__()
        self.ranker = ranker

    def get_extra_state(self) -> Tensor:
        """The ranker's text, uint8."""
        return tensor_of(self.ranker.text())

    def set_extra_state(self, state: Tensor) -> None:
        """Become the ranker of a text."""
        self.ranker = Ranker.from_text(text_of(state))


class TreesRun(TrainingRun[TreesConfig]):
    """A training run of the trees between two rounds.

    `training.safetensors` holds the trees, and `trials.safetensors` beside it the public history
    and the labels of all rounds, from which statistics are worked out again to resume. Of users who
    are known by what they do alone the labels are clicks, whatever the config says.

    Raises:
        ValueError: if the users' feedback is no click.
    """

    kind = "trees-training"
    network: RankerModule

    def __init__(self, worker: Worker, config: TreesConfig, population: Population) -> None:
        low, high = population.model.feedback_range
        if low < 0 or high > 1:
            raise ValueError(
                f"trees learn clicks, feedback in [0, 1]; that of {population.name!r} lies in "
                f"[{low}, {high}]: choose another learner"
            )
        if population.model.observed_only:
            config = replace(config, labels="clicks")
        split = population.split("train")
        self.statistics = Statistics(config.statistics, split.catalogue, population.slate)
        super().__init__(worker, config, population)
        self.envs = {
            "train": self.environment(population, "train", config.users),
            "validation": self.environment(population, "validation", max(config.users // 4, 1)),
        }
        self.base: Ranker | None = None
        self.trials: list[dict[str, Trials]] = []
        self.rows: list[dict[str, Rows]] = []

    def start_from(self, policy: LearnedPolicy) -> None:
        """As `TrainingRun.start_from`: every round adds trees to those of the policy.

        Raises:
            ValueError: if the policy is of another kind or has other rows.
        """
        columns, ranker = len(self.statistics.names), getattr(policy, "ranker", None)
        if not isinstance(ranker, Ranker) or len(ranker.linear) != columns:
            raise ValueError(
                f"trees go on from trees on rows of {columns} columns, got a "
                f"{type(policy).__name__}" + (f" of {len(ranker.linear)}" if ranker else "")
            )
        if len(ranker.members) != self.config.members:
            raise ValueError(
                f"the trees to go on from have {len(ranker.members)} members, this config "
                f"{self.config.members}"
            )
        self.base = self.network.ranker = ranker
        self.best_weights = self._weights()
        self.warm = True
        self._validate()

    def build(self) -> RankerModule:
        """A ranker by quality alone."""
        names = self.statistics.names
        quality = f"item_{self.statistics.table.shape[1] - 1}"
        linear = np.array([name == quality for name in names], np.float32)
        return RankerModule(Ranker(linear))

    def build_optimiser(self) -> None:
        """Trees have none."""

    def update(self, seed: int, rate: float) -> dict[str, float]:
        """Collect trials with the ranker so far, and fit the rows of all rounds anew."""
        share = 1.0 if self.iteration == 0 and not self.warm else self.config.explore
        policy, collected, reward = self.policy(self.network), {}, {}
        for part, env in self.envs.items():
            collected[part], reward[part] = collect(
                env, policy, self.config, seed=seed, share=share
            )
        self._add(collected)
        rows, held_out = (self._all_rows(part) for part in PARTS)
        ranker = fit_ranker(rows, held_out, self.config, rate, seed % 2**31, self.base)
        self.network.ranker = ranker
        return {
            "reward": reward["train"],
            "gradient_norm": held_out_error(ranker, held_out),
            "linear_error": held_out_error(Ranker(ranker.linear), held_out),
            "rows": float(rows.labels.size),
        }

    def _add(self, collected: dict[str, Trials]) -> None:
        self.trials.append(collected)
        rows = {part: Rows(*trials.rows(self.statistics)) for part, trials in collected.items()}
        self.rows.append(rows)

    def _all_rows(self, part: str) -> Rows:
        parts = [rows[part] for rows in self.rows]
        columns = np.concatenate([rows.columns for rows in parts])
        return Rows(columns, np.concatenate([rows.labels for rows in parts]))

    def policy(self, network: Any) -> TreesPolicy:
        """The policy of a ranker, with the config's bonus."""
        config = self.config
        return TreesPolicy(
            network.ranker,
            self.population.split("train").catalogue,
            self.population.slate,
            settings=config.statistics,
            bonus=config.bonus,
            candidates=config.candidates,
            unseen_only=self.unseen_only,
            about=self.about,
        )

    def save(self, folder: Path) -> None:
        """Write the best policy, and all that is needed to go on from here."""
        tensors = {
            f"{number}.{part}.{item.name}": torch.from_numpy(getattr(trials, item.name))
            for number, collected in enumerate(self.trials)
            for part, trials in collected.items()
            for item in fields(Trials)
        }
        # Before the training itself: what it holds too much is not read, too little is an error.
        write_checkpoint(folder / "trials.safetensors", "trees-trials", tensors, {})
        super().save(folder)

    def restore(self, path: Path) -> None:
        """Go back to where `save` was called.

        Raises:
            CheckpointError: if a file is damaged, or belongs to another config or population.
        """
        tensors, _ = read_checkpoint(path, self.kind)
        # Texts are of any length: shapes can be compared once ours is theirs.
        with reading(path, "the texts of trees"):
            ours = {name: tensors[f"network.{name}"] for name in self.network.state_dict()}
            self.network.load_state_dict(ours)
        super().restore(path)
        tensors, _ = read_checkpoint(path.with_name("trials.safetensors"), "trees-trials")
        for number in range(self.iteration):
            self._add({part: _trials(tensors, f"{number}.{part}", path) for part in PARTS})


def _trials(tensors: dict[str, Tensor], name: str, path: Path) -> Trials:
    try:
        return Trials(*(tensors[f"{name}.{item.name}"].numpy() for item in fields(Trials)))
    except KeyError as error:
        raise CheckpointError(
            f"the trials beside {path} lack {error}: they are of another run; train anew"
        ) from error
