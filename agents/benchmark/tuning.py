"""Tuning a method: options are chosen on validation users, within a budget that is stated.

Every method has the same budget: so many trials, each trained once and met by so many validation
users, and so many CPU-seconds in all. The first trial is the method as it is; the others are
proposed by a tree-structured Parzen estimator (Bergstra et al. 2011; Optuna: Akiba et al. 2019).
Users of other splits cannot be met: whoever asks for them gets an error.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from driftrec import __version__
from driftrec.agents.benchmark.clock import Clock
from driftrec.agents.benchmark.fingerprint import fingerprint, population_fingerprint
from driftrec.agents.benchmark.proposing import Trial, propose
from driftrec.agents.benchmark.spaces import space_of, with_options
from driftrec.agents.harness import evaluate
from driftrec.agents.method import Method, Size
from driftrec.agents.metrics import METRICS
from driftrec.envs import Population
from driftrec.envs.files import write_json
from driftrec.envs.population import SPLITS
from driftrec.envs.wrapped_users import WrappedUsers

OPEN = ("train", "validation")
"""Splits whose users tuning may meet."""

USERS_SEED = 30_000_001
"""Of the users that trials are compared on: not those that learners choose weights by."""

FORMAT = "driftrec-tuning-1"

AIMS = ("ctr", "ctr-interquartile", "retention-1", "retention-7", "retention-30", "kept", "reward")
"""Metrics of which more is better."""

Report = Callable[[Trial], None]
"""Told of each trial when it is done."""


@dataclass(frozen=True)
class Budget:
    """What may be spent on one method.

    Attributes:
        trials: settings tried, the method as it is included.
        users: validation users that each of them meets.
        cpu_seconds: after which no further trial is begun; what is begun is finished.

    Raises:
        ValueError: if a number is not positive.
    """

    trials: int = 20
    users: int = 500
    cpu_seconds: float = math.inf

    def __post_init__(self) -> None:
        if self.trials < 1 or self.users < 1 or not self.cpu_seconds > 0:
            raise ValueError(f"all of a budget must be positive, got {self}")


@dataclass(frozen=True)
class Tuning:
    """What came of tuning a method.

    Attributes:
        method: as it was.
        trials: in the order in which they were made, the method as it was first.
        margin: by how much another trial must be better than the first to be preferred.
    """

    method: Method
    trials: Sequence[Trial]
    margin: float = 0.0

    @property
    def best(self) -> Trial:
        """What is chosen of the trials.

        Raises:
            ValueError: if all went wrong.
        """
        found = choose(self.trials, self.margin)
        if found is None:
            raise ValueError(f"every trial of {self.method.name} failed: {self.trials[0].error}")
        return found

    @property
    def tuned(self) -> Method:
        """The method with the best options."""
        return with_options(self.method, self.best.options)


def choose(trials: Sequence[Trial], margin: float = 0.0) -> Trial | None:
    """The trial of the highest value, the earliest of equal ones; None if all went wrong.

    The first one, the method as it was, is chosen unless another is better by more than the margin.
    """
    done = [trial for trial in trials if trial.value is not None]
    if not done:
        return None
    best, first = max(done, key=lambda trial: trial.value or 0.0), done[0]
    gain = (best.value or 0.0) - (first.value or 0.0)
    return first if first is trials[0] and gain <= margin else best


class ClosedUsers(WrappedUsers):
    """Users who may not be met."""

    def sample(self, users: int, rng: np.random.Generator) -> Any:
        """Refuses.

        Raises:
            PermissionError: always.
        """
        raise PermissionError("tuning meets train and validation users alone, not these")


def tuning_users(population: Population) -> Population:
    """The population with all splits closed but those that tuning may meet."""
    variants = dict(population.variants)
    for name in SPLITS:
        if name not in OPEN:
            split = population.split(name)
            variants[name] = ClosedUsers(split.model), split.catalogue
    return replace(population, variants=variants)


def tune(
    method: Method,
    population: Population,
    folder: Path,
    *,
    budget: Budget,
    size: Size = "standard",
    metric: str = "ctr",
    margin: float = 0.0,
    seed: int = 0,
    report: Report | None = None,
) -> Tuning:
    """Try settings of a method's search space, and keep what came of each.

    Args:
        method: whose options are tuned; see `space_of`.
        population: whose `train` users are learnt from and whose `validation` users are met.
        folder: for `trials.json`, from which the same call goes on after it was cut.
        budget: what may be spent.
        size: of the trainings.
        metric: one of `AIMS`.
        margin: what may be luck; see `Tuning`.
        seed: of trainings and proposals.
        report: told of each trial.

    Raises:
        ValueError: if the method has nothing to tune or does not suit these users, the metric is
            unknown, or the folder holds the trials of something else.
    """
    space = space_of(method)
    if metric not in AIMS:
        raise ValueError(f"metric must be one of {', '.join(AIMS)}; got {metric!r}")
    if reason := method.unsuited(population):
        raise ValueError(f"{method.name} does not suit {population.name}: {reason}")
    task = _Task(method, tuning_users(population), folder, budget.users, size, metric, seed)
    trials = task.read()
    while len(trials) < budget.trials:
        spent = sum(trial.cpu_seconds for trial in trials)
        if trials and spent >= budget.cpu_seconds:
            break
        trials.append(task.run(propose(method, space, trials, seed)))
        task.write(trials, budget)
        if report:
            report(trials[-1])
    return Tuning(method, trials[: budget.trials], margin)


@dataclass(frozen=True)
class _Task:
    """What all trials of a tuning have in common."""

    method: Method
    population: Population
    folder: Path
    users: int
    size: Size
    metric: str
    seed: int

    @property
    def key(self) -> str:
        """Hash of all that a trial's value depends on but its options."""
        return fingerprint(
            type(self.method), self.method.settings, space_of(self.method),
            population_fingerprint(self.population), self.users, self.size, self.metric, self.seed,
        )  # fmt: skip

    @property
    def path(self) -> Path:
        return self.folder / "trials.json"

    def read(self) -> list[Trial]:
        """The trials made so far."""
        if not self.path.exists():
            return []
        content = json.loads(self.path.read_text(encoding="utf-8"))
        if content.get("format") != FORMAT or content.get("key") != self.key:
            raise ValueError(
                f"{self.path} holds the trials of another tuning (method, space, users, size, "
                "metric or seed differ): choose another folder"
            )
        return [Trial(**trial) for trial in content["trials"]]

    def write(self, trials: Sequence[Trial], budget: Budget) -> None:
        write_json(
            self.path,
            {
                "format": FORMAT,
                "key": self.key,
                "method": self.method.name,
                "population": self.population.name,
                "split": "validation",
                "size": self.size,
                "metric": self.metric,
                "seed": self.seed,
                "budget": asdict(budget),
                "settings": self.method.settings,
                "driftrec": __version__,
                "space": space_of(self.method),
                "trials": [asdict(trial) for trial in trials],
            },
        )

    def run(self, options: Mapping[str, Any]) -> Trial:
        """Train with these options, and meet the validation users."""
        clock, work = Clock(), self.folder / "work"
        # A trial that was cut may have had other options.
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        value, error, before = None, "", 0.0
        try:
            method = with_options(self.method, options)
            before = self._train(method, work)
            value = self._meet(method, work)
        except (ValueError, ArithmeticError, RuntimeError) as raised:  # torch raises the last
            error = f"{type(raised).__name__}: {raised}"
        shutil.rmtree(work)
        return Trial(options, value, round(clock.spent["cpu_seconds"] + before, 3), error)

    def _train(self, method: Method, work: Path) -> float:
        """Train; gives the CPU-seconds that a training took which is not of now, but shipped."""
        if not method.trains:
            return 0.0
        cost = method.fit(self.population, work, seed=self.seed, size=self.size)
        return cost["cpu_seconds"] if cost.get("reused") else 0.0

    def _meet(self, method: Method, work: Path) -> float:
        met = evaluate(
            method.policy(work),
            self.population,
            name=method.name,
            split="validation",
            users=self.users,
            batch=min(self.users, 250),
            seed=USERS_SEED,
        )
        value = float(METRICS[self.metric].measure(met, np.ones((1, met.users), np.float32))[0])
        if not math.isfinite(value):
            raise ValueError(f"{self.metric} of these users must be a number, got {value}")
        return value
