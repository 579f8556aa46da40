"""Meta-train a policy on the training users of a population.

The learner is a subcommand, with options of its own: `learner:rl2 --help` lists them. The best
policy on the validation users lies in OUT/policy.safetensors; OUT/metrics.jsonl, learning.png and
TensorBoard's files hold the learning curve. A run that was killed goes on with --resume.

Examples:
    python scripts/train.py --population Feed --out runs/feed learner:rl2
    python scripts/train.py --population KuaiRand --out runs/amortised learner:amortised
    python scripts/train.py --out runs/r learner:rl2 --learner.reward retention
    python scripts/train.py --population my_plugin --size smoke --out runs/mine learner:maml
    python scripts/train.py --out runs/feed --resume learner:rl2
    torchrun --nproc-per-node 2 scripts/train.py --out runs/two learner:rl2 --learner.workers 2
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, make_dataclass, replace
from pathlib import Path
from typing import Any, Literal

import tyro
from common import console, progress_bar, run

from driftrec.envs import make_population
from driftrec.meta import learner_names, learner_type, plot_learning_curve
from driftrec.meta.learner import check_unused
from driftrec.meta.workers import is_lead

Size = Literal["smoke", "standard", "full"]


@dataclass(frozen=True)
class Train:
    """What to train on, how, and where the results go."""

    population: str = "Feed"
    """Name of a population, or of an installed plug-in."""
    size: Size = "standard"
    """Defaults of the learner's options: smoke shows in seconds that all works, full takes three
    times as long as standard."""
    out: Path = Path("runs/train")
    """Folder of the checkpoints and metrics."""
    resume: bool = False
    """Go on from the checkpoint in the folder."""
    max_requests: int | None = None
    """Cut training trials after so many requests, where the population's own are longer."""


def main() -> None:
    """Train, then say where the policy is and how good it was on the validation users."""
    arguments = sys.argv[1:]
    options = tyro.cli(command(size_in(arguments)), args=arguments, description=__doc__)
    if not options.resume:
        # Plug-ins, whose `fit` may not look, included.
        check_unused(options.out)
    population = make_population(options.population)
    if options.max_requests is not None:
        population = replace(population, max_requests=options.max_requests)
    learner = learner_of(options.learner)
    with progress_bar(getattr(options.learner, "iterations", 1)) as report:
        done = 0

        def progress(iteration: int, iterations: int, metrics: Mapping[str, float]) -> None:
            nonlocal done
            report(f"reward {metrics['reward']:.4f}", iteration - done)
            done = iteration
            if "validation" in metrics:
                console().print(
                    f"iteration {iteration}/{iterations}: reward a request "
                    f"{metrics['reward']:.4f} while training, {metrics['validation']:.4f} "
                    "on validation users"
                )

        policy = learner.fit(population, options.out, resume=options.resume, progress=progress)
    if not is_lead():
        return
    if (options.out / "metrics.jsonl").exists():
        plot_learning_curve(options.out, options.out / "learning.png")
    console().print(
        f"best on validation users: {policy.about['validation']:.4f} a request -> "
        f"{options.out / 'policy.safetensors'}"
    )


def size_in(arguments: list[str]) -> str:
    """The size that is asked for: it says what the other options' defaults are."""
    for place, argument in enumerate(arguments):
        if argument.startswith("--size="):
            return argument.removeprefix("--size=")
        if argument == "--size" and place + 1 < len(arguments):
            return arguments[place + 1]
    return "standard"


def command(size: str) -> Any:
    """The command line, with a subcommand for each learner, those of plug-ins included."""
    # A size that does not exist is reported by the command line itself.
    known = size if size in ("smoke", "standard", "full") else "standard"
    defaults = {name: config_of_size(name, known) for name in learner_names()}
    learners = tyro.extras.subcommand_type_from_defaults(defaults, prefix_names=True)

    # Made here: which learners there are is known only now.
    fields = [("learner", learners)]
    whole = make_dataclass("Train", fields, bases=(Train,), frozen=True, kw_only=True)
    return tyro.conf.ConsolidateSubcommandArgs[whole]


def config_of_size(name: str, size: str) -> Any:
    """A learner's config of a size, or its only one where it has no sizes."""
    config = learner_type(name).config_type
    return config.of_size(size) if hasattr(config, "of_size") else config()


def learner_of(config: Any) -> Any:
    """The learner whose config this is."""
    for name in learner_names():
        learner = learner_type(name)
        if type(config) is learner.config_type:
            return learner(config)
    raise ValueError(f"no learner has a config of type {type(config).__name__}")


if __name__ == "__main__":
    run(main)
