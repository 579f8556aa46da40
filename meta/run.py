"""A training run between two iterations: what all learners share."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import nn

from driftrec.envs import Population, RecommendationVectorEnv
from driftrec.meta.belief_loss import FIRST_LESSONS
from driftrec.meta.checkpoint import (
    CheckpointError,
    check_finite,
    load_weights,
    optimiser_tensors,
    read_checkpoint,
    reading,
    restore_optimiser,
    write_checkpoint,
)
from driftrec.meta.schedules import LearningRate
from driftrec.meta.workers import Worker

if TYPE_CHECKING:
    from driftrec.meta.learner import LearnedPolicy

VALIDATION_SEED = 20_000_003

C = TypeVar("C", bound=Any)


class TrainingRun(ABC, Generic[C]):
    """A run of a learner, on one of its workers.

    A learner says what is trained (`build`), what an iteration does (`update`) and how the result
    acts (`policy`); validation, the best weights, checkpoints and convergence are here.

    Args:
        worker: which of the workers this is.
        config: a `LearnerConfig`.
        population: its `train` users are learnt from, its `validation` users watched.

    Attributes:
        kind: names the run's checkpoints.
        network: holds all that is learnt, as parameters and buffers.
        optimiser: of the network, or None for a learner without one.
        memo: numbers that updates need from one iteration to the next; kept in checkpoints.
        libraries: whose arrays its training users may be made of.
        warm: whether it began with weights that were learnt before, see `start_from`.
        initial: sha256 of the file of these weights, or "" for none; kept in checkpoints.

    Raises:
        ValueError: if the config wants arrays of another library.
    """

    kind: ClassVar[str]
    libraries: ClassVar[tuple[str, ...]] = ("numpy",)

    def __init__(self, worker: Worker, config: C, population: Population) -> None:
        if config.arrays not in self.libraries:
            raise ValueError(
                f"this learner trains on arrays of {' or '.join(self.libraries)}, "
                f"not of {config.arrays}"
            )
        self.worker = worker
        self.config = config
        self.population = population
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            self.network = self.build().to(config.device)
        self.optimiser = self.build_optimiser()
        share = max(config.validation_users // worker.count, 1)
        self.validation_env = self.environment(population, "validation", share)
        self.rate = LearningRate(
            config.schedule, config.learning_rate, config.iterations, config.target_kl
        )
        self.best_weights = self._weights()
        self.memo: dict[str, float] = {}
        self.iteration = 0
        self.best_score = -float("inf")
        self.looks_since_best = 0
        self.converged = False
        self.warm = False
        self.initial = ""

    def start_from(self, policy: LearnedPolicy) -> None:
        """Begin with the weights of a policy, which stay the best until others validate better.

        Raises:
            CheckpointError: if its network is another than the config's, or it has none.
        """
        network = getattr(policy, "network", None)
        if network is None:
            raise CheckpointError(
                f"the policy to start from must have a network, got a {type(policy).__name__}"
            )
        load_weights(self.network, network.state_dict(), "the policy to start from")
        self.warm = True
        self._validate()

    @abstractmethod
    def build(self) -> nn.Module:
        """The network as it is before training; torch's global randomness is seeded for it."""

    @abstractmethod
    def update(self, seed: int, rate: float) -> dict[str, float]:
        """Collect a batch of trials and learn from it.

        Args:
            seed: of this iteration on this worker.
            rate: the learning rate now.

        Returns:
            Metrics, the same on every worker; `reward` (a request) and `gradient_norm` among them,
            and `kl` where the update moved a policy.
        """

    @abstractmethod
    def policy(self, network: Any) -> LearnedPolicy:
        """The greedy policy with the weights of a network that `build` made."""

    def build_optimiser(self) -> torch.optim.Optimizer | None:
        """Adam on all parameters, unless a learner says otherwise."""
        return torch.optim.Adam(self.network.parameters(), lr=self.config.learning_rate, eps=1e-5)

    def environment(
        self, population: Population, split: str, users: int
    ) -> RecommendationVectorEnv:
        """Users of a split with the reward that is learnt, in trials that end where they end.

        Training users are of the config's arrays, on its device; others, which policies meet, of
        numpy's.
        """
        torch_options = {"array_library": "torch", "device": self.config.device}
        options = torch_options if (split, self.config.arrays) == ("train", "torch") else {}
        return RecommendationVectorEnv(
            population,
            users,
            split=split,
            reward=self.config.reward,
            autoreset_mode="Disabled",
            by_number=True,
            **options,
        )

    @property
    def unseen_only(self) -> bool:
        """Whether policies leave out what they have shown: as the config says, if it matters."""
        return self.config.unseen_only and not self.population.repeats

    @property
    def age(self) -> int:
        """Iterations behind the weights: those before the run count as the first lessons."""
        return self.iteration + FIRST_LESSONS * self.warm

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
        """Update once, and now and then validate.

        Raises:
            FloatingPointError: if a metric or a weight is not finite.
        """
        rate = self.rate.at(self.iteration)
        metrics = self.update(self._seed(), rate) | {"learning_rate": rate}
        if not all(np.isfinite(list(metrics.values()))):
            raise FloatingPointError(
                f"iteration {self.iteration}: a metric is not finite ({metrics}); lower the "
                "learning rate, and resume from the last checkpoint"
            )
        self._check_weights()
        if "kl" in metrics:
            self.rate.observe(metrics["kl"])
        self.converged = metrics["gradient_norm"] < self.config.gradient_tolerance
        self.iteration += 1
        if self.iteration % self.config.validate_every == 0 or self.finished:
            metrics["validation"] = self._validate()
        return metrics

    def _check_weights(self) -> None:
        """Of a filter's gradients and a policy's no metric tells; what they break is not saved."""
        for name, weight in self.network.named_parameters():
            if not weight.isfinite().all():
                raise FloatingPointError(
                    f"iteration {self.iteration}: the weight {name!r} is not finite; lower the "
                    "learning rate, and resume from the last checkpoint"
                )

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of every group of parameters, each by its share of it."""
        if self.optimiser is not None:
            for group in self.optimiser.param_groups:
                group["lr"] = rate * group.get("share", 1.0)

    def _seed(self) -> int:
        numbers = [self.config.seed, self.iteration, self.worker.rank]
        return int(np.random.SeedSequence(numbers).generate_state(1, np.uint32)[0])

    def _validate(self) -> float:
        """Reward of the greedy policy on validation users; keeps the best weights."""
        env, policy = self.validation_env, self.policy(self.network)
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
        trials = self.config.validate_by == "trial"
        score = sums[0] / (env.num_envs if trials else sums[1])
        if score > self.best_score:
            self.best_score, self.best_weights = score, self._weights()
            self.looks_since_best = 0
        else:
            self.looks_since_best += 1
        return score

    def _weights(self) -> dict[str, torch.Tensor]:
        return {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

    @property
    def about(self) -> dict[str, Any]:
        """Where the current weights come from, as JSON."""
        return {
            "population": self.population.name,
            "config": json.loads(json.dumps(asdict(self.config))),
            "iteration": self.iteration,
            "validation": self.best_score,
        }

    def best_policy(self) -> LearnedPolicy:
        """The policy with the weights that were best on the validation users."""
        with torch.random.fork_rng():
            network = self.build().to(self.config.device)
        network.load_state_dict(self.best_weights)
        return self.policy(network)

    def save(self, folder: Path) -> None:
        """Write the best policy, and all that is needed to go on from here."""
        self.best_policy().save(folder / "policy.safetensors")
        tensors = {f"network.{name}": tensor for name, tensor in self._weights().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best_weights.items()}
        if self.optimiser is not None:
            for name, tensor in optimiser_tensors(self.optimiser).items():
                tensors[f"optimiser.{name}"] = tensor
        standing = {
            "config": asdict(self.config),
            "population": self.population.name,
            "iteration": self.iteration,
            "best_score": self.best_score,
            "looks_since_best": self.looks_since_best,
            "converged": self.converged,
            "initial": self.initial,
            "memo": self.memo,
            "rate_factor": self.rate.factor,
        }
        write_checkpoint(folder / "training.safetensors", self.kind, tensors, standing)

    def restore(self, path: Path) -> None:
        """Go back to where `save` was called.

        Raises:
            CheckpointError: if the file is damaged, or belongs to another config or population, or
                to a run that began with other weights.
        """
        tensors, standing = read_checkpoint(path, self.kind)
        with reading(path, "weights, config and standing of a training run"):
            self._check_standing(standing, path)
            self._go_back(tensors, standing, path)

    def _check_standing(self, standing: dict[str, Any], path: Path) -> None:
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
        # Files of earlier versions do not say.
        initial = standing.get("initial", self.initial)
        if initial != self.initial:
            raise CheckpointError(
                f"{path} is of a run that began from {_origin(initial)}, this one from "
                f"{_origin(self.initial)}: resume with the same `initial`, or train into another "
                "folder"
            )

    def _go_back(self, tensors: dict[str, torch.Tensor], standing: Any, path: Path) -> None:
        parts: dict[str, dict[str, torch.Tensor]] = {"network": {}, "best": {}, "optimiser": {}}
        for name, tensor in tensors.items():
            part, rest = name.split(".", 1)
            parts[part][rest] = tensor
        load_weights(self.network, parts["network"], path)
        check_finite(parts["best"], path)
        if self.optimiser is not None:
            restore_optimiser(self.optimiser, parts["optimiser"])
        self.best_weights = parts["best"]
        self.iteration = standing["iteration"]
        self.best_score = standing["best_score"]
        self.looks_since_best = standing["looks_since_best"]
        self.converged = standing.get("converged", False)
        self.memo = standing["memo"]
        self.rate.factor = standing["rate_factor"]


def _origin(initial: str) -> str:
    return f"the policy of sha256 {initial}" if initial else "no policy"
