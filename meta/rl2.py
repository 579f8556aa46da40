"""RL²: a recurrent policy trained by PPO over whole trials (Duan et al. 2016; Wang et al. 2016).

The memory is carried over all sessions of a user and reset between users only, so that what the
policy learns about a person is held in its activations: it adapts without a gradient step.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from driftrec.envs import Population, RecommendationVectorEnv
from driftrec.envs.files import write_json
from driftrec.envs.rewards import reward_function
from driftrec.meta.checkpoint import (
    CheckpointError,
    load_weights,
    optimiser_tensors,
    read_checkpoint,
    restore_optimiser,
    write_checkpoint,
)
from driftrec.meta.gae import generalised_advantages
from driftrec.meta.metrics import MetricsLog
from driftrec.meta.network import NetworkShape, RecurrentNetwork
from driftrec.meta.ppo import PPOConfig, Update, targets
from driftrec.meta.rl2_policy import RL2Policy
from driftrec.meta.rollout import Trials, collect
from driftrec.meta.schedules import LearningRate, ScheduleName
from driftrec.meta.workers import Worker, run_workers

KIND = "rl2-training"
VALIDATION_SEED = 20_000_003


@dataclass(frozen=True)
class RL2Config:
    """How RL² is trained. The defaults are tuned on the validation users of `DriftRec/Feed-v0`."""

    iterations: int = 150
    """Batches of trials to learn from."""
    users: int = 1024
    """Users in a batch, over all workers; each plays one whole trial."""
    hidden: int = 96
    """Units of the GRU."""
    learning_rate: float = 3e-3
    """Adam's step size at the start."""
    own_rate: float = 0.02
    """Share of the step size for what the policy adds to its belief. It learns from rewards, far
    noisier than the belief's labels; where the reward is not clicks it has more to learn: 0.3."""
    schedule: ScheduleName = "linear"
    """How the learning rate goes on: constant, linear, inverse-time, cosine or adaptive (on KL)."""
    target_kl: float = 0.01
    """Divergence an update that the adaptive schedule aims at."""
    ppo: PPOConfig = field(default_factory=PPOConfig)
    """How the policy is updated from a batch."""
    reward: str | dict[str, float] = "clicks"
    """Name of the reward, or weights of several."""
    unseen_only: bool = True
    """Never show an item twice to a user, while there are others."""
    continuing: bool = True
    """A truncated trial is a longer story cut short: the value of its last observation follows.
    If false, the trial's end is the end, and the network sees the time in the trial."""
    probes: int = 32
    """Items a request whose true click probability the belief is trained on; 0 for plain RL²."""
    expected_rewards: bool = True
    """Learn from each request's expected reward given the hidden state, known in training,
    instead of the reward that chance gave."""
    sharpness: float = 4.0
    """The first policy draws items by softmax(sharpness * quality)."""
    validate_every: int = 10
    """Iterations between two looks at the validation users."""
    validation_users: int = 1000
    """Validation users, met with the same luck each time."""
    patience: int = 0
    """Stop after this many looks without a better one; 0 for never."""
    gradient_tolerance: float = 0.0
    """Stop when the gradient norm of an iteration falls below this; 0 for never."""
    workers: int = 1
    """Processes among which the users are divided."""
    seed: int = 0
    """Reproduces the run, together with the number of workers."""

    def __post_init__(self) -> None:
        for name in ("iterations", "users", "hidden", "validate_every", "workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.continuing and self.ppo.gamma >= 1:
            raise ValueError("gamma must be below 1 where trials are continuing, or values diverge")
        for name in ("probes", "patience", "gradient_tolerance", "validation_users"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if not 0 <= self.own_rate <= 1:
            raise ValueError(f"own_rate must lie in [0, 1], got {self.own_rate}")
        if self.users % self.workers:
            raise ValueError(f"users ({self.users}) must divide among {self.workers} workers")
        LearningRate(self.schedule, self.learning_rate, self.iterations)
        reward_function(self.reward)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RL2Config:
        """The config that `dataclasses.asdict` described.

        Raises:
            ValueError: if a field is unknown.
        """
        known = {item.name for item in fields(cls)}
        if unknown := set(values) - known:
            raise ValueError(f"RL2Config has no field {sorted(unknown)}")
        return cls(**{**values, "ppo": PPOConfig(**values["ppo"])})


Progress = Callable[[int, int, Mapping[str, float]], None]
"""Told of each iteration: how many are done, of how many, and its metrics."""


class RL2:
    """Meta-trains a recurrent policy on the training users of a population.

    Args:
        config: see `RL2Config`.
    """

    def __init__(self, config: RL2Config | None = None) -> None:
        self.config = config or RL2Config()

    def fit(
        self,
        population: Population,
        out: str | Path | None = None,
        *,
        resume: bool = False,
        progress: Progress | None = None,
    ) -> RL2Policy:
        """Train, and give back the policy that was best on the validation users.

        Args:
            population: its `train` users are learnt from, its `validation` users watched.
            out: folder for `policy.safetensors` (the best so far), `training.safetensors` (to
                resume from), `config.json`, `metrics.jsonl` and TensorBoard's files.
            resume: go on from `training.safetensors` where there is one. The weights become those
                of a run that was never cut.
            progress: told of each iteration.

        Raises:
            CheckpointError: if the training to resume is damaged or had another config.
            FloatingPointError: if a loss is not finite; the last checkpoint stays.
        """
        folder = None if out is None else Path(out)
        if folder is not None:
            write_json(folder / "config.json", asdict(self.config))
        best = run_workers(
            self.config.workers, _train, self.config, population, folder, resume, lead=progress
        )
        policy: RL2Policy = best
        return policy


def _train(
    worker: Worker,
    config: RL2Config,
    population: Population,
    folder: Path | None,
    resume: bool,
    progress: Progress | None,
) -> RL2Policy:
    """One worker's part of a run."""
    run = _Run(worker, config, population)
    if resume and folder is not None and (folder / "training.safetensors").exists():
        run.restore(folder / "training.safetensors")
    lead = worker.rank == 0
    log = MetricsLog(folder if lead else None, run.iteration)
    try:
        while not run.finished:
            metrics = run.iterate()
            log.write(run.iteration, metrics)
            if lead and folder is not None and "validation" in metrics:
                run.save(folder)
            if lead and progress is not None:
                progress(run.iteration, config.iterations, metrics)
    finally:
        log.close()
    return run.best_policy()


class _Run:
    """A training run between two iterations, on one worker."""

    def __init__(self, worker: Worker, config: RL2Config, population: Population) -> None:
        self.worker = worker
        self.config = config
        self.population = population
        self.env = self._environment("train", config.users // worker.count)
        share = max(config.validation_users // worker.count, 1)
        self.validation_env = self._environment("validation", share)
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

    def _environment(self, split: str, users: int) -> RecommendationVectorEnv:
        return RecommendationVectorEnv(
            self.population,
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
        to_come = generalised_advantages(
            trials.rewards, nothing, trials.alive, nothing[0], self.config.ppo.gamma, 1.0
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


def learning_curve(folder: str | Path) -> list[dict[str, float]]:
    """The lines of a run's `metrics.jsonl`."""
    lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]
