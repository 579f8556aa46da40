"""A training run of RL²: iterations, validation, checkpoints."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from driftrec.envs import Population, RecommendationVectorEnv
from driftrec.meta.checkpoint import (
    CheckpointError,
    load_weights,
    optimiser_tensors,
    read_checkpoint,
    restore_optimiser,
    write_checkpoint,
)
from driftrec.meta.gae import generalised_advantages
from driftrec.meta.network import NetworkShape, RecurrentNetwork
from driftrec.meta.never_lost import never_lost
from driftrec.meta.ppo import Update, targets
from driftrec.meta.rl2_config import RL2Config
from driftrec.meta.rl2_policy import RL2Policy
from driftrec.meta.rollout import Trials, collect
from driftrec.meta.schedules import LearningRate
from driftrec.meta.workers import Worker

KIND = "rl2-training"
VALIDATION_SEED = 20_000_003


class TrainingRun:
    """A training run of RL² between two iterations, on one worker.

    Args:
        worker: which of the workers this is.
        config: see `RL2Config`.
        population: its `train` users are learnt from, its `validation` users watched.
    """

    def __init__(self, worker: Worker, config: RL2Config, population: Population) -> None:
        self.worker = worker
        self.config = config
        self.population = population
        whole = never_lost(population) if config.expected_rewards else population
        self.env = self._environment(whole, "train", config.users // worker.count)
        share = max(config.validation_users // worker.count, 1)
        self.validation_env = self._environment(population, "validation", share)
        table = np.array(population.split("train").catalogue.table)
        self.table = torch.from_numpy(table)
        shape = NetworkShape(
            slate=population.slate,
            width=table.shape[1],
            hidden=config.hidden,
            horizon=0 if config.continuing else population.max_requests,
            belief=config.probes > 0,
        )
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            spread = torch.from_numpy(table.std(0))
            scale = torch.where(spread > 1e-6, 1 / spread, torch.ones_like(spread))
            self.network = RecurrentNetwork(shape, scale, config.sharpness)
        self.optimiser = torch.optim.Adam(
            self.network.parameter_groups(config.own_rate), lr=config.learning_rate, eps=1e-5
        )
        self.rate = LearningRate(
            config.schedule, config.learning_rate, config.iterations, config.target_kl
        )
        self.best_weights = self._weights()
        self.iteration = 0
        self.best_score = -float("inf")
        self.looks_since_best = 0
        self.return_scale = 0.0
        self.converged = False

    def _environment(
        self, population: Population, split: str, users: int
    ) -> RecommendationVectorEnv:
        return RecommendationVectorEnv(
            population,
            users,
            split=split,
            reward=self.config.reward,
            autoreset_mode="Disabled",
        )

    @property
    def finished(self) -> bool:
        """Whether the run has used its iterations, converged, or lost patience."""
        patience = self.config.patience
        return (
            self.iteration >= self.config.iterations
            or self.converged
            or (patience > 0 and self.looks_since_best >= patience)
        )

    def iterate(self) -> dict[str, float]:
        """Collect a batch of trials, learn from it, and now and then validate."""
        config = self.config
        trials = collect(
            self.env,
            self.network,
            seed=self._seed(),
            unseen_only=config.unseen_only,
            probes=config.probes,
            expected_rewards=self._reward_weights(),
        )
        if not self.return_scale:
            self._measure_returns(trials)
        wanted = targets(
            self.network,
            trials,
            config.ppo,
            continuing=config.continuing,
            return_scale=self.return_scale,
        )
        rate = self.rate.at(self.iteration)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        report = Update(
            self.network,
            self.optimiser,
            trials,
            wanted,
            self.table,
            config.ppo,
            entropy_weight=config.ppo.entropy * (1 - self.iteration / config.iterations),
            rng=torch.Generator().manual_seed(self._seed()),
            synchronise=self.worker.average_gradients,
        ).run()
        names = [*vars(report), "reward"]
        reward = float(trials.rewards[trials.alive].mean())
        means = self.worker.average(*vars(report).values(), reward)
        metrics = dict(zip(names, means, strict=True)) | {"learning_rate": rate}
        if not all(np.isfinite(list(metrics.values()))):
            raise FloatingPointError(
                f"iteration {self.iteration}: a metric is not finite ({metrics}); lower the "
                "learning rate, and resume from the last checkpoint"
            )
        self.rate.observe(metrics["kl"])
        self.converged = metrics["gradient_norm"] < config.gradient_tolerance
        self.iteration += 1
        if self.iteration % config.validate_every == 0 or self.finished:
            metrics["validation"] = self._validate()
        return metrics

    def _reward_weights(self) -> dict[str, float] | None:
        """Weights of the rewards whose expectation is learnt from, or None."""
        reward = self.config.reward
        if not self.config.expected_rewards:
            return None
        return {reward: 1.0} if isinstance(reward, str) else dict(reward)

    def _seed(self) -> int:
        numbers = [self.config.seed, self.iteration, self.worker.rank]
        return int(np.random.SeedSequence(numbers).generate_state(1, np.uint32)[0])

    def _measure_returns(self, trials: Trials) -> None:
        """Take the unit of values from the first batch: the spread of what is still to come."""
        nothing = torch.zeros_like(trials.rewards)
        discounts = self.config.ppo.gamma * trials.survival
        to_come = generalised_advantages(
            trials.rewards, nothing, trials.alive, nothing[0], discounts, 1.0
        )
        spread = float(to_come[trials.alive].std())
        self.return_scale = max(self.worker.average(spread)[0], 1e-3)

    def _validate(self) -> float:
        """Reward a request of the greedy policy on validation users; keeps the best weights."""
        env, policy = self.validation_env, self._policy(self.network)
        observation, _ = env.reset(seed=VALIDATION_SEED + self.worker.rank)
        state, over = policy.start(env.num_envs), np.zeros(env.num_envs, bool)
        total, requests = 0.0, 0
        while not over.all():
            slate, state = policy.act(observation, state)
            requests += int((~over).sum())
            observation, reward, terminated, truncated, _ = env.step(slate)
            total += float(reward.sum())
            over = np.asarray(terminated | truncated)
        sums = self.worker.average(total, float(requests))
        score = sums[0] / sums[1]
        if score > self.best_score:
            self.best_score, self.best_weights = score, self._weights()
            self.looks_since_best = 0
        else:
            self.looks_since_best += 1
        return score

    def _weights(self) -> dict[str, torch.Tensor]:
        return {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

    def _policy(self, network: RecurrentNetwork) -> RL2Policy:
        about = {
            "population": self.population.name,
            "config": asdict(self.config),
            "iteration": self.iteration,
            "validation": self.best_score,
        }
        return RL2Policy(network, self.table, unseen_only=self.config.unseen_only, about=about)

    def best_policy(self) -> RL2Policy:
        """The policy with the weights that were best on the validation users."""
        network = RecurrentNetwork(self.network.shape, self.network.scale)
        network.load_state_dict(self.best_weights)
        return self._policy(network)

    def save(self, folder: Path) -> None:
        """Write the best policy, and all that is needed to go on from here."""
        self.best_policy().save(folder / "policy.safetensors")
        tensors = {f"network.{name}": tensor for name, tensor in self._weights().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best_weights.items()}
        for name, tensor in optimiser_tensors(self.optimiser).items():
            tensors[f"optimiser.{name}"] = tensor
        standing = {
            "config": asdict(self.config),
            "population": self.population.name,
            "iteration": self.iteration,
            "best_score": self.best_score,
            "looks_since_best": self.looks_since_best,
            "return_scale": self.return_scale,
            "rate_factor": self.rate.factor,
        }
        write_checkpoint(folder / "training.safetensors", KIND, tensors, standing)

    def restore(self, path: Path) -> None:
        """Go back to where `save` was called.

        Raises:
            CheckpointError: if the file is damaged, or belongs to another config or population.
        """
        tensors, standing = read_checkpoint(path, KIND)
        ours = json.loads(json.dumps(asdict(self.config)))
        theirs = standing["config"]
        if differ := sorted(name for name in ours if ours[name] != theirs.get(name)):
            raise CheckpointError(
                f"{path} was trained with another {', '.join(differ)}: resume with the same "
                "config, or train into another folder"
            )
        if standing["population"] != self.population.name:
            raise CheckpointError(
                f"{path} was trained on {standing['population']!r}, not {self.population.name!r}"
            )
        parts: dict[str, dict[str, torch.Tensor]] = {"network": {}, "best": {}, "optimiser": {}}
        for name, tensor in tensors.items():
            part, rest = name.split(".", 1)
            parts[part][rest] = tensor
        load_weights(self.network, parts["network"], path)
        restore_optimiser(self.optimiser, parts["optimiser"])
        self.best_weights = parts["best"]
        self.iteration = standing["iteration"]
        self.best_score = standing["best_score"]
        self.looks_since_best = standing["looks_since_best"]
        self.return_scale = standing["return_scale"]
        self.rate.factor = standing["rate_factor"]
