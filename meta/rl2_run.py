"""A training run of RL²."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from driftrec.envs import Population
from driftrec.meta.gae import generalised_advantages
from driftrec.meta.network import SHARPNESS_RATE, ActorCritic, feature_scale
from driftrec.meta.never_lost import never_lost
from driftrec.meta.plackett_luce import sample_slate, slate_log_probability
from driftrec.meta.ppo import Update, targets
from driftrec.meta.rl2_config import RL2Config
from driftrec.meta.rl2_policy import RL2Policy
from driftrec.meta.rollout import Choose, Notes, Trials, collect
from driftrec.meta.run import TrainingRun
from driftrec.meta.track import NetworkShape, Track
from driftrec.meta.workers import Worker


class RL2Run(TrainingRun[RL2Config]):
    """A training run of RL² between two iterations, on one worker."""

    kind = "rl2-training"
    libraries: ClassVar[tuple[str, ...]] = ("numpy", "torch")
    network: ActorCritic
    optimiser: torch.optim.Optimizer

    def __init__(self, worker: Worker, config: RL2Config, population: Population) -> None:
        table = np.array(population.split("train").catalogue.table)
        self.table = torch.as_tensor(table, device=config.device)
        super().__init__(worker, config, population)
        users = never_lost(population) if config.expected_rewards else population
        self.env = self.environment(users, "train", config.users // worker.count)

    def build(self) -> ActorCritic:
        """Memory and heads, with item features brought to unit variance."""
        config = self.config
        shape = NetworkShape.of(
            self.population,
            hidden=config.hidden,
            timed=not config.continuing,
            memory=config.memory,
            layers=config.layers,
            window=config.window,
            filter=config.filter,
        )
        return ActorCritic(
            shape,
            feature_scale(self.table),
            config.sharpness,
            belief=config.builds_on_belief,
            head=config.head,
            privileged_critic=config.privileged_critic,
            optimism=config.optimism,
        )

    def build_optimiser(self) -> torch.optim.Optimizer:
        """Adam, with the share of the step that each head takes."""
        config = self.config
        shares = {"query": config.own_rate, "sharpness": SHARPNESS_RATE}
        groups = self.network.parameter_groups(**(shares if config.builds_on_belief else {}))
        return torch.optim.Adam(groups, lr=config.learning_rate, eps=1e-5)

    def update(self, seed: int, rate: float) -> dict[str, float]:
        """Collect a batch of trials, and improve policy, belief and value on them."""
        config = self.config
        expected = config.reward_weights if config.expected_rewards else None
        trials = collect(
            self.env,
            self.network,
            plackett_luce(self.network, self.table, seed),
            seed=seed,
            unseen_only=self.unseen_only,
            notes=Notes(probes=config.probes, expected_rewards=expected),
        )
        if "return_scale" not in self.memo:
            self.memo["return_scale"] = self._spread_of_returns(trials)
        wanted = targets(
            self.network,
            trials,
            config.ppo,
            continuing=config.continuing,
            return_scale=self.memo["return_scale"],
            moments=self.worker.mean_and_spread,
        )
        self.set_rate(rate)
        report = Update(
            self.network,
            self.optimiser,
            trials,
            wanted,
            self.table,
            config.ppo,
            self.age,
            entropy_weight=config.ppo.entropy * (1 - self.iteration / config.iterations),
            rng=torch.Generator().manual_seed(seed),
            synchronise=self.worker.average_gradients,
        ).run()
        names = [*vars(report), "reward"]
        reward = float(trials.rewards[trials.alive].mean())
        means = self.worker.average(*vars(report).values(), reward)
        return dict(zip(names, means, strict=True))

    def _spread_of_returns(self, trials: Trials) -> float:
        """The unit of values, from the first batch: the spread of what is still to come."""
        nothing = torch.zeros_like(trials.rewards)
        discounts = self.config.ppo.gamma * trials.survival
        to_come = generalised_advantages(
            trials.rewards, nothing, trials.alive, nothing[0], discounts, 1.0
        )
        return max(self.worker.mean_and_spread(to_come[trials.alive])[1], 1e-3)

    def policy(self, network: ActorCritic) -> RL2Policy:
        """The policy of a network, acting as the config says."""
        config = self.config
        return RL2Policy(
            network,
            self.table,
            unseen_only=self.unseen_only,
            acting=config.acting,
            about=self.about,
        )


def plackett_luce(network: ActorCritic, table: torch.Tensor, seed: int) -> Choose:
    """Draws slates from a network's policy over the items of `table`."""
    rng = torch.Generator(table.device).manual_seed(seed)

    def choose(
        known: torch.Tensor, track: Track, banned: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        query = network.queries(known)
        logits = query @ table.T
        if banned is not None:
            logits.masked_fill_(banned, -torch.inf)
        slate = sample_slate(logits, network.shape.slate, rng)
        log_probability, _ = slate_log_probability(query, table, slate, banned)
        return slate, log_probability

    return choose
