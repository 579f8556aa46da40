"""The amortised filter: a network that is taught what a Bayesian would believe, and acts on it.

Simulated users' true click probabilities are known in training. A network that reads the trial is
trained to give them the highest likelihood under a Gaussian for each item's logit, which makes its
mean and variance those of the posterior (in expectation over users, at any history that training
reaches), whatever the users' model: no model is needed when it acts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from driftrec.envs import Catalogue
from driftrec.meta.belief_loss import likelihood_loss
from driftrec.meta.learner import Learner
from driftrec.meta.network import BeliefNetwork, feature_scale
from driftrec.meta.plackett_luce import capped_slate
from driftrec.meta.predicting import PredictsClicks
from driftrec.meta.rollout import Trials
from driftrec.meta.supervised import Scores, SupervisedConfig, SupervisedRun
from driftrec.meta.track import Track
from driftrec.meta.trial_policy import TrialPolicy, load_trial_policy


@dataclass(frozen=True)
class AmortisedConfig(SupervisedConfig):
    """How the amortised filter is trained, and how it acts."""

    acting: str = "greedy"
    """greedy shows the highest means; ucb the highest mean + bonus * standard deviation; thompson
    the highest draws from each item's Gaussian."""
    bonus: float = 1.0
    """Of ucb, in standard deviations."""
    cap: int = 0
    """Most items of one main topic in a slate, while there are others; 0 for no bound. A belief
    about each item alone cannot say that ten of a kind are too many."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.acting not in AmortisedPolicy.actings:
            raise ValueError(
                f"acting must be one of {', '.join(AmortisedPolicy.actings)}; got {self.acting!r}"
            )
        if not self.bonus >= 0:
            raise ValueError(f"bonus must not be negative, got {self.bonus}")
        if self.cap < 0:
            raise ValueError(f"cap must be 0 or more, got {self.cap}")


@dataclass(frozen=True, eq=False)
class AmortisedPolicy(PredictsClicks, TrialPolicy):
    """Acts on a learned belief about every item; see `AmortisedConfig.acting`.

    Attributes:
        cap: most items of one topic in a slate, while there are others; 0 for no bound.
        topic: main topic of each item, `(items,)`; None where a file of an earlier version did not
            hold it.

    Raises:
        ValueError: if the cap is negative, or there is one and no topics.
    """

    network: BeliefNetwork
    cap: int = 0
    topic: Tensor | None = None
    kind = "amortised-policy"
    options = (*TrialPolicy.options, "cap")
    of_items = ("table", "topic")
    actings = ("greedy", "ucb", "thompson")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cap < 0:
            raise ValueError(f"cap must be 0 or more, got {self.cap}")
        if self.cap and self.topic is None:
            raise ValueError(
                f"a cap ({self.cap}) needs to know the items' topics: call `on(catalogue)` first"
            )

    def on(self, catalogue: Catalogue, slate: int | None = None) -> AmortisedPolicy:
        """The same policy on another catalogue of as many features."""
        there = super().on(catalogue, slate)
        return replace(there, topic=main_topics(catalogue, self.table))

    def slates(self, scores: Tensor) -> Tensor:
        """The items of the highest scores, no more of a topic than the cap, `(users, slate)`."""
        if not self.cap or self.topic is None:
            return super().slates(scores)
        return capped_slate(scores, self.network.shape.slate, self.topic, self.cap)

    def scores(self, known: Tensor, track: Track) -> Tensor:
        """Means of items' logits, with a bonus or a draw, `(users, items)`."""
        mean = self.network.means(known, self.table)
        if self.acting == "ucb":
            return mean + self.bonus * self.network.sds(known, track, self.table)
        if self.acting == "thompson":
            draw = torch.randn(mean.shape, generator=self.rng, device=mean.device)
            return mean + draw * self.network.sds(known, track, self.table)
        return mean


def main_topics(catalogue: Catalogue, like: Tensor) -> Tensor:
    """Topic of the largest share of each item, `(items,)`, on the device of another tensor."""
    return torch.as_tensor(np.array(catalogue.topic), device=like.device)


class AmortisedRun(SupervisedRun[AmortisedConfig, BeliefNetwork]):
    """A training run of the amortised filter."""

    kind = "amortised-training"

    def build(self) -> BeliefNetwork:
        """Memory and belief."""
        return BeliefNetwork(self.shape(), feature_scale(self.table))

    def scores(self, seed: int) -> Scores:
        """What the policy goes by."""
        return replace(self.policy(self.network), seed=seed).scores

    def slates(self, worth: Tensor, rng: torch.Generator) -> Tensor:
        """As the policy's."""
        return self._serving.slates(worth)

    @cached_property
    def _serving(self) -> AmortisedPolicy:
        return self.policy(self.network)

    def loss(self, known: Tensor, trials: Trials, users: Tensor) -> Tensor:
        """Surprise at the probed items' true logits."""
        return likelihood_loss(self.network, known, self.table, trials, users)

    def policy(self, network: BeliefNetwork) -> AmortisedPolicy:
        """The policy of a network, acting as the config says."""
        config = self.config
        return AmortisedPolicy(
            network,
            self.table,
            unseen_only=self.unseen_only,
            acting=config.acting,
            bonus=config.bonus,
            about=self.about,
            cap=config.cap,
            topic=main_topics(self.population.split("train").catalogue, self.table),
        )


class Amortised(Learner[AmortisedConfig]):
    """Teaches a network the belief of a Bayesian filter, by labels of simulated users.

    Args:
        config: see `AmortisedConfig`.
    """

    config_type = AmortisedConfig
    run_type = AmortisedRun


def load(path: str | Path, **options: Any) -> AmortisedPolicy:
    """Read an `AmortisedPolicy`; see `load_trial_policy`."""

    def build(shape: Any, scale: Tensor, own: dict[str, Any]) -> BeliefNetwork:
        return BeliefNetwork(shape, scale)

    return load_trial_policy(AmortisedPolicy, path, build, **options)
