"""RL²: a recurrent policy trained by PPO over whole trials (Duan et al. 2016; Wang et al. 2016).

The memory is carried over all sessions of a user and reset between users only, so that what the
policy learns about a person is held in its activations: it adapts without a gradient step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from driftrec.envs import Population
from driftrec.envs.files import write_json
from driftrec.meta.metrics import MetricsLog
from driftrec.meta.rl2_config import RL2Config
from driftrec.meta.rl2_policy import RL2Policy
from driftrec.meta.rl2_run import TrainingRun
from driftrec.meta.workers import Worker, run_workers

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
    run = TrainingRun(worker, config, population)
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
