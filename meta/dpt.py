"""The decision-pretrained transformer: taught the best action itself (Lee et al. 2023).

A network that reads the trial is trained by cross-entropy to name the item that the user is most
likely to click now, which simulated users' hidden state tells. Its softmax is then the posterior
of which item is best: drawn from, it acts like Thompson sampling (Lee et al. 2023, theorem 1);
its mode is the better choice where preferences drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from driftrec.meta.checks import check_not_negative, check_positive
from driftrec.meta.heads import QueryHead, TowerHead
from driftrec.meta.learner import Learner
from driftrec.meta.memories import MemoryName
from driftrec.meta.network import TrialNetwork, feature_scale
from driftrec.meta.plackett_luce import sample_slate
from driftrec.meta.rollout import Trials
from driftrec.meta.supervised import Scores, SupervisedConfig, SupervisedRun
from driftrec.meta.track import NetworkShape, Track
from driftrec.meta.trial_policy import TrialPolicy, load_trial_policy


@dataclass(frozen=True)
class DPTConfig(SupervisedConfig):
    """How DPT is trained, and how it acts."""

    memory: MemoryName = "transformer"
    """What remembers the trial: gru, lstm or transformer."""
    hidden: int = 64
    """Units of the memory."""
    towers: int = 0
    """Units of a score that is not linear in item features; 0 for scores that are."""
    acting: str = "greedy"
    """greedy shows the items most likely to be best; sample draws them."""
    temperature: float = 1.0
    """Of the draws: 1 draws by the posterior as Lee et al. (2023) do, less explores less."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "temperature")
        check_not_negative(self, "towers")
        if self.acting not in DPTPolicy.actings:
            raise ValueError(
                f"acting must be one of {', '.join(DPTPolicy.actings)}; got {self.acting!r}"
            )


class BestItemNetwork(TrialNetwork):
    """A trunk and a query that scores which item is best.

    Args:
        shape: sizes.
        scale: see `driftrec.meta.trunk.Trunk`.
        towers: units of what is added by a `TowerHead`; 0 for none.
    """

    def __init__(self, shape: NetworkShape, scale: Tensor, towers: int = 0) -> None:
        super().__init__(shape, scale)
        self.options = {"towers": towers}
        self.query = QueryHead(self.trunk)
        self.towers = TowerHead(self.trunk, towers) if towers else None
        with torch.no_grad():
            self.query.own.bias[-1] = 1 / scale[-1]

    def logits(self, known: Tensor, table: Tensor) -> Tensor:
        """Logits of each item being the best, `(..., items)`."""
        query: Tensor = self.query(known) * self.trunk.scale
        logits = query @ table.T
        if self.towers is not None:
            logits = logits + self.towers(known, table * self.trunk.scale)
        return logits


@dataclass(frozen=True, eq=False)
class DPTPolicy(TrialPolicy):
    """Acts by the posterior of which item is best: its mode, or draws from it.

    Attributes:
        temperature: see `DPTConfig`.
    """

    network: BestItemNetwork
    temperature: float = 1.0
    kind = "dpt-policy"
    options = (*TrialPolicy.options, "temperature")

    def scores(self, known: Tensor, track: Track) -> Tensor:
        """Logits of each item being the best, over the temperature, `(users, items)`."""
        return self.network.logits(known, self.table) / self.temperature


class DPTRun(SupervisedRun[DPTConfig, BestItemNetwork]):
    """A training run of DPT."""

    kind = "dpt-training"
    best_item = True

    def build(self) -> BestItemNetwork:
        """Memory and query."""
        return BestItemNetwork(self.shape(), feature_scale(self.table), self.config.towers)

    def slates(self, worth: Tensor, rng: torch.Generator) -> Tensor:
        """Training trials are those of the policy that will act."""
        if self.config.acting == "sample":
            return sample_slate(worth, self.network.shape.slate, rng)
        return super().slates(worth, rng)

    def scores(self, seed: int) -> Scores:
        """What the policy goes by."""
        return self.policy(self.network).scores

    def loss(self, known: Tensor, trials: Trials, users: Tensor) -> Tensor:
        """Cross-entropy of the best item among those that could be shown."""
        logits = self.network.logits(known, self.table)
        if (banned := trials.banned(users)) is not None:
            logits = logits.masked_fill(banned, -torch.inf)
        errors = nn.functional.cross_entropy(
            logits.flatten(0, 1), trials.best_item[:, users].flatten(), reduction="none"
        )
        loss: Tensor = (trials.weights(users).flatten() * errors).sum()
        return loss

    def policy(self, network: BestItemNetwork) -> DPTPolicy:
        """The policy of a network, acting as the config says."""
        config = self.config
        return DPTPolicy(
            network,
            self.table,
            unseen_only=self.unseen_only,
            acting=config.acting,
            temperature=config.temperature,
            about=self.about,
        )


class DPT(Learner[DPTConfig]):
    """Teaches a network to name the best item.

    Args:
        config: see `DPTConfig`.
    """

    config_type = DPTConfig
    run_type = DPTRun


def load(path: str | Path, **options: Any) -> DPTPolicy:
    """Read a `DPTPolicy`; see `load_trial_policy`."""

    def build(shape: Any, scale: Tensor, own: dict[str, Any]) -> BestItemNetwork:
        return BestItemNetwork(shape, scale, **own)

    return load_trial_policy(DPTPolicy, path, build, **options)
