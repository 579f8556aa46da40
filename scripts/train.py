"""Meta-train an RL² policy on the training users of a population.

The best policy on the validation users lies in OUT/policy.safetensors; OUT/metrics.jsonl,
learning.png and TensorBoard's files hold the learning curve. A run that was killed goes on with
--resume.

Examples:
    python scripts/train.py --population Feed --out runs/feed
    python scripts/train.py --population KuaiRand --out runs/kuairand --rl2.iterations 60
    python scripts/train.py --population Feed --rl2.reward retention --out runs/retention
    python scripts/train.py --population my_plugin --rl2.users 256 --out runs/mine
    python scripts/train.py --population Feed --out runs/feed --resume
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import tyro
from common import console, progress_bar, run

from driftrec.envs import make_population
from driftrec.meta import RL2, RL2Config, plot_learning_curve


@dataclass(frozen=True)
class Train:
    """What to train on, how, and where the results go."""

    population: str = "Feed"
    """Name of a population, or of an installed plug-in."""
    out: Path = Path("runs/train")
    """Folder of the checkpoints and metrics."""
    resume: bool = False
    """Go on from the checkpoint in the folder."""
    max_requests: int | None = None
    """Cut training trials after so many requests, where the population's own are longer."""
    rl2: RL2Config = field(default_factory=lambda: RL2Config(workers=2))
    """How to train."""


def main() -> None:
    """Train, then say where the policy is and how good it was on the validation users."""
    options = tyro.cli(Train, description=__doc__)
    if not options.resume and (options.out / "training.safetensors").exists():
        raise ValueError(
            f"{options.out} holds a training run already: give --resume to go on with it, or "
            "another --out"
        )
    population = make_population(options.population)
    if options.max_requests is not None:
        population = replace(population, max_requests=options.max_requests)
    with progress_bar(options.rl2.iterations) as report:
        done = 0

        def progress(iteration: int, iterations: int, metrics: Mapping[str, float]) -> None:
            nonlocal done
            report(f"reward {metrics['reward']:.4f}", iteration - done)
            done = iteration
            if "validation" in metrics:
                console().print(
                    f"iteration {iteration}/{iterations}: reward a request "
                    f"{metrics['reward']:.4f} while training, {metrics['validation']:.4f} "
                    "greedy on validation users"
                )

        learner = RL2(options.rl2)
        policy = learner.fit(population, options.out, resume=options.resume, progress=progress)
    plot_learning_curve(options.out, options.out / "learning.png")
    console().print(
        f"best on validation users: {policy.about['validation']:.4f} a request -> "
        f"{options.out / 'policy.safetensors'}"
    )


if __name__ == "__main__":
    run(main)
