"""The contract of a learner: a config, and `fit`, which gives a policy."""

from __future__ import annotations

import hashlib
import json
from abc import ABC
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Protocol, Self, TypeVar

from driftrec.agents.policy import Policy
from driftrec.envs import Catalogue, Population
from driftrec.envs.files import write_json
from driftrec.envs.rewards import Reward, reward_function
from driftrec.meta.checks import check_counts, check_names, check_not_negative, check_positive
from driftrec.meta.metrics import MetricsLog
from driftrec.meta.run import TrainingRun
from driftrec.meta.schedules import LearningRate, ScheduleName
from driftrec.meta.workers import Worker, run_workers

Progress = Callable[[int, int, Mapping[str, float]], None]
"""Told of each iteration: how many are done, of how many, and its metrics."""

Arrays = Literal["numpy", "torch"]
"""Libraries that users can be simulated with."""


class LearnedPolicy(Policy, Protocol):
    """A policy that a learner made.

    Attributes:
        about: where it comes from: population, config, iteration, validation score.
    """

    @property
    def about(self) -> dict[str, Any]:
        """Where it comes from: population, config, iteration, validation score."""
        ...

    def on(self, catalogue: Catalogue, slate: int | None = None) -> LearnedPolicy:
        """The same policy on another catalogue of as many features."""
        ...

    def save(self, path: str | Path) -> None:
        """Write weights and description as one safetensors file, atomically."""
        ...


class AnyLearner(Protocol):
    """What scripts know of a learner: it is made from a config, and gives a policy.

    Attributes:
        config_type: its config, a dataclass.
    """

    config_type: ClassVar[type[Any]]

    def __init__(self, config: Any = None) -> None:
        """Make the learner, with the config's defaults if there is none."""
        ...

    def fit(
        self,
        population: Population,
        out: str | Path | None = None,
        *,
        resume: bool = False,
        progress: Progress | None = None,
    ) -> LearnedPolicy:
        """Learn from the population's `train` users; see `Learner.fit`."""
        ...


@dataclass(frozen=True)
class LearnerConfig:
    """What every learner that goes by iterations lets one choose.

    Attributes:
        smoke: what differs in the smallest size.
    """

    smoke: ClassVar[dict[str, Any]] = {
        "iterations": 2, "users": 64, "validate_every": 1, "validation_users": 64,
    }  # fmt: skip

    iterations: int = 150
    """Batches of trials to learn from."""
    users: int = 1024
    """Users in a batch, over all workers; each plays one whole trial."""
    learning_rate: float = 3e-3
    """Adam's step size at the start."""
    schedule: ScheduleName = "linear"
    """How the learning rate goes on: constant, linear, inverse-time, cosine or adaptive (on KL)."""
    target_kl: float = 0.01
    """Divergence an update that the adaptive schedule aims at."""
    reward: Reward = "clicks"
    """Name of the reward, or weights of several."""
    validate_by: str = "request"
    """What tells the best weights: reward a request, or a trial where its length is at stake."""
    unseen_only: bool = True
    """Never show an item twice to a user, while there are others, unless it may well be shown again
    (`Population.repeats`)."""
    validate_every: int = 10
    """Iterations between two looks at the validation users."""
    validation_users: int = 1000
    """Validation users, met with the same luck each time."""
    patience: int = 0
    """Stop after this many looks without a better one; 0 for never."""
    gradient_tolerance: float = 0.0
    """Stop when the gradient norm of an iteration falls below this; 0 for never."""
    workers: int = 1
    """Processes among which the users are divided; under `torchrun`, as many as it started."""
    device: str = "cpu"
    """Where training users, networks and learning live, such as "cuda"."""
    arrays: Arrays = "numpy"
    """What simulates training users: numpy is the quicker on a CPU; a GPU takes torch."""
    seed: int = 0
    """Reproduces the run, together with the number of workers."""

    def __post_init__(self) -> None:
        check_counts(self, "iterations", "users", "validate_every", "workers")
        check_not_negative(self, "patience", "gradient_tolerance", "validation_users")
        check_positive(self, "target_kl")
        if self.users % self.workers:
            raise ValueError(f"users ({self.users}) must divide among {self.workers} workers")
        if self.validate_by not in ("request", "trial"):
            raise ValueError(f"validate_by must be request or trial, got {self.validate_by!r}")
        check_names(self, arrays=Arrays)
        if self.arrays == "numpy" and self.device != "cpu":
            raise ValueError(f"device {self.device!r} needs arrays='torch', got 'numpy'")
        LearningRate(self.schedule, self.learning_rate, self.iterations)
        reward_function(self.reward)

    @classmethod
    def of_size(cls, size: str) -> Self:
        """The config of a size.

        Args:
            size: "smoke" shows in seconds that all works, not how well; "standard" is the default;
                "full" takes three times as many iterations.

        Raises:
            ValueError: if there is no such size.
        """
        standard = cls()
        if size == "smoke":
            return replace(standard, **cls.smoke)
        if size == "full":
            return replace(standard, iterations=3 * standard.iterations)
        if size == "standard":
            return standard
        raise ValueError(f"size must be smoke, standard or full, got {size!r}")

    @property
    def reward_weights(self) -> dict[str, float]:
        """Weight of each reward by name."""
        return {self.reward: 1.0} if isinstance(self.reward, str) else dict(self.reward)


C = TypeVar("C")


def config_from(config_type: type[C], values: Mapping[str, Any]) -> C:
    """The config that `dataclasses.asdict` described, configs inside it included.

    Raises:
        ValueError: if a field is unknown or a value out of range.
    """
    known: dict[str, Any] = {item.name: item for item in fields(config_type)}  # type: ignore[arg-type]  # a dataclass
    if unknown := set(values) - set(known):
        raise ValueError(f"{config_type.__name__} has no field {sorted(unknown)}")
    inner = {
        name: config_from(type(default), values[name])
        for name in values
        if is_dataclass(default := _default(known[name])) and isinstance(values[name], Mapping)
    }
    return config_type(**{**values, **inner})


def _default(item: Any) -> Any:
    return item.default_factory() if callable(item.default_factory) else item.default


class Learner(ABC, Generic[C]):
    """A learner whose runs are iterations: collect a batch of trials, learn from it, validate.

    Args:
        config: see `config_type`.

    Attributes:
        config_type: its config, a subclass of `LearnerConfig`.
        run_type: what an iteration does, a subclass of `TrainingRun`.
    """

    config_type: ClassVar[type[Any]]
    run_type: ClassVar[type[TrainingRun[Any]]]

    def __init__(self, config: C | None = None) -> None:
        self.config: Any = config or self.config_type()

    def fit(
        self,
        population: Population,
        out: str | Path | None = None,
        *,
        resume: bool = False,
        initial: str | Path | None = None,
        progress: Progress | None = None,
    ) -> LearnedPolicy:
        """Train, and give back the policy that was best on the validation users.

        Args:
            population: its `train` users are learnt from, its `validation` users watched.
            out: folder for `policy.safetensors` (the best so far), `training.safetensors` (to
                resume from), `config.json`, `metrics.jsonl` and TensorBoard's files.
            resume: go on from `training.safetensors` where there is one. The weights become those
                of a run that was never cut.
            initial: checkpoint of a policy of the same network, to go on from its weights on these
                users; they are the result unless others validate better. To resume, name it again.
            progress: told of each iteration.

        Raises:
            CheckpointError: if the training to resume is damaged or had another config or another
                `initial`, or the policy to go on from has another network.
            ValueError: if the folder holds a training run already and `resume` is not set, or
                trees are to go on from what has no such trees.
            FloatingPointError: if a metric or weight is not finite; the last checkpoint stays.
        """
        folder = None if out is None else Path(out)
        if folder is not None and not resume:
            check_unused(folder)
        job = (type(self), self.config, population, folder, resume, initial)
        config = self.config
        policy: LearnedPolicy = run_workers(
            config.workers, _train, *job, lead=progress, device=config.device
        )
        return policy


def check_unused(folder: Path) -> None:
    """Refuse a folder that a training run would write over.

    Raises:
        ValueError: if it holds a policy.
    """
    if (folder / "policy.safetensors").exists():
        raise ValueError(
            f"{folder} holds a training run already: give --resume (in Python, resume=True) to go "
            "on with it, or another folder"
        )


def _train(
    worker: Worker,
    learner: type[Learner[Any]],
    config: LearnerConfig,
    population: Population,
    folder: Path | None,
    resume: bool,
    initial: str | Path | None,
    progress: Progress | None,
) -> LearnedPolicy:
    """One worker's part of a run."""
    run = learner.run_type(worker, config, population)
    if initial is not None:
        from driftrec.meta.registry import load, policy_file

        run.start_from(load(initial))
        run.initial = hashlib.sha256(policy_file(initial).read_bytes()).hexdigest()
    if resume and folder is not None and (folder / "training.safetensors").exists():
        run.restore(folder / "training.safetensors")
    lead = worker.rank == 0
    if lead and folder is not None:
        write_json(folder / "config.json", json.loads(json.dumps(asdict(config))))
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
    policy: LearnedPolicy = run.best_policy()
    return policy
