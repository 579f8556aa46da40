"""A training run of evolution strategies."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from driftrec.envs import Population
from driftrec.meta.checkpoint import CheckpointError
from driftrec.meta.evolution.config import ESConfig
from driftrec.meta.evolution.estimate import ascent, weights_of
from driftrec.meta.evolution.perturbed import Perturbed
from driftrec.meta.evolution.stacked import StackedNetwork, stackable
from driftrec.meta.gathering import gather
from driftrec.meta.network import ActorCritic, TrialNetwork
from driftrec.meta.never_lost import never_lost
from driftrec.meta.plackett_luce import best_slate, sample_slate
from driftrec.meta.registry import load
from driftrec.meta.rl2_policy import RL2Policy
from driftrec.meta.rl2_run import RL2Run
from driftrec.meta.rollout import Choose, Notes, Trials, collect
from driftrec.meta.track import NetworkShape
from driftrec.meta.workers import Worker


class ESRun(RL2Run):
    """A run of evolution strategies between two generations, on one worker.

    Workers play batches of perturbations that they make from seeds, and tell each other nothing
    but what came of them.
    """

    kind = "es-training"
    libraries = ("numpy",)
    config: ESConfig

    def __init__(self, worker: Worker, config: ESConfig, population: Population) -> None:
        super().__init__(worker, _like_start(config), population)
        self.perturbed = Perturbed(self.optimiser, self.network)
        users = never_lost(population) if config.expected_rewards else population
        each = config.users // (2 * config.pairs)
        self.env = self.environment(users, "train", config.batch * each)

    def build(self) -> ActorCritic:
        """RL²'s network, with the weights of the checkpoint to start from where there is one."""
        network = super().build()
        if self.config.start_from:
            network.load_state_dict(_policy(self.config.start_from).network.state_dict())
        return network

    def build_optimiser(self) -> torch.optim.Optimizer:
        """Adam with decoupled weight decay, with the share of the step that each part takes."""
        groups = super().build_optimiser().param_groups
        shares = [{"params": group["params"], "share": group["share"]} for group in groups]
        config = self.config
        return torch.optim.AdamW(
            shares, lr=config.learning_rate, eps=1e-5, weight_decay=config.weight_decay
        )

    def update(self, seed: int, rate: float) -> dict[str, float]:
        """Try a generation of perturbed networks, and step where they say it goes up."""
        config, perturbed = self.config, self.perturbed
        batches = config.pairs // config.batch
        share = batches // self.worker.count
        first = self.worker.rank * share
        played = [self._play(number) for number in range(first, first + share)]
        fitness = torch.from_numpy(
            gather(self.worker, np.concatenate([part for part, _ in played]))
        )
        weights = weights_of(fitness.float(), config.ranks)
        direction = torch.zeros(perturbed.size)
        for number, part in enumerate(weights.chunk(batches)):
            noise = perturbed.noise(self._seed_of(number), config.batch)
            direction += ascent(part, noise, config.noise) / batches
        perturbed.set_gradients(-direction)
        self.set_rate(rate)
        self.optimiser.step()
        return {
            "reward": self.worker.average(float(np.mean([reward for _, reward in played])))[0],
            "trial_reward": float(fitness.mean()),
            "difference": float((fitness[:, 0] - fitness[:, 1]).abs().mean()),
            "gradient_norm": float(direction.norm()),
        }

    def _seed_of(self, batch: int) -> int:
        """Of a batch of perturbations in this generation, whoever plays it."""
        numbers = [self.config.seed, self.iteration, 0, batch]
        return int(np.random.SeedSequence(numbers).generate_state(1, np.uint32)[0])

    def _play(self, number: int) -> tuple[np.ndarray, float]:
        """Fitness of a batch of perturbations in both directions, and the reward a request."""
        config, seed = self.config, self._seed_of(number)
        noise = self.perturbed.noise(seed, config.batch)
        twin = stackable(self.network)
        directions = [
            self._trials(StackedNetwork(twin, self.perturbed.weights(sign * noise)), seed)
            for sign in (config.noise, -config.noise)
        ]
        fitness = [trial_rewards(one).view(config.batch, -1).mean(1) for one in directions]
        reward = float(np.mean([float(one.rewards[one.alive].mean()) for one in directions]))
        return torch.stack(fitness, 1).double().numpy(), reward

    def _trials(self, network: StackedNetwork, seed: int) -> Trials:
        config = self.config
        expected = config.reward_weights if config.expected_rewards else None
        return collect(
            self.env,
            cast(TrialNetwork, network),
            _chooser(network, self.table, None if config.greedy else seed),
            seed=seed,
            unseen_only=self.unseen_only,
            notes=Notes(expected_rewards=expected),
        )


def trial_rewards(trials: Trials) -> Tensor:
    """Sum of rewards over each trial, weighed by the chance that the user was there, `(users,)`."""
    there = torch.ones_like(trials.survival)
    there[1:] = trials.survival[:-1].cumprod(0)
    return (trials.rewards * there).sum(0)


def _chooser(network: StackedNetwork, table: Tensor, seed: int | None) -> Choose:
    """Shows the most probable slates, or, with a seed, draws them."""
    rng = torch.Generator().manual_seed(seed or 0)

    def choose(known: Tensor, track: Any, banned: Tensor | None) -> tuple[Tensor, Tensor]:
        logits = network.queries(known) @ table.T
        if banned is not None:
            logits.masked_fill_(banned, -torch.inf)
        size = network.shape.slate
        slate = best_slate(logits, size) if seed is None else sample_slate(logits, size, rng)
        return slate, torch.zeros(len(slate))

    return choose


def _like_start(config: ESConfig) -> ESConfig:
    """The config with the kind of network that the checkpoint to start from holds."""
    if not config.start_from:
        return config
    trained = _policy(config.start_from).about["config"]
    names = ["probes", "head", "privileged_critic", "continuing"]
    names += [item.name for item in fields(NetworkShape) if hasattr(config, item.name)]
    return replace(config, **{name: trained[name] for name in names})


def _policy(path: str) -> RL2Policy:
    policy = load(path)
    if not isinstance(policy, RL2Policy):
        raise CheckpointError(
            f"start_from must name a policy of rl2, es or curriculum; {path} holds a "
            f"{type(policy).__name__}"
        )
    return policy
