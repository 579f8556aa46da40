r"""Compare policies on users that none of them has met.

Every policy meets the same users with the same luck. A run that was killed goes on where it was
when the same command is given again: what is done lies in the output folder.

Examples:
    python scripts/benchmark.py --population Feed --policies random most-popular filter-ucb
    python scripts/benchmark.py --checkpoint rl2=runs/feed-0 rl2=runs/feed-1 rl2=runs/feed-2
    python scripts/benchmark.py --population Slate --split ood-drift --users 4000 --seeds 2
    python scripts/benchmark.py --population my_plugin --policies random most-popular particle \
        --reference particle
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import tyro
from common import Candidate, NamedPolicy, SavedPolicy, console, progress_bar, run

import driftrec
from driftrec.agents.comparison import Comparison
from driftrec.agents.evaluation import Evaluation, join
from driftrec.agents.harness import evaluate
from driftrec.agents.plots import plot_adaptation, plot_advantage, plot_survival
from driftrec.agents.report import results_table, to_dict, to_markdown
from driftrec.agents.workers import worker_pool
from driftrec.envs import Population, RecommendationVectorEnv, make_population
from driftrec.envs.files import write_json, write_text

FORBIDDEN = r"[^\w.-]"
"""What a file's name should not hold."""


@dataclass(frozen=True)
class Benchmark:
    """What to compare, on whom, and where the results go."""

    population: str = "Feed"
    """Name of a population, or of an installed plug-in."""
    policies: tuple[str, ...] = ("random", "most-popular", "discounted-linucb", "filter-ucb")
    """Policies by name. The score needs most-popular and the reference."""
    checkpoint: tuple[str, ...] = ()
    """Learned policies, each as name=path; those of one name are its training seeds."""
    reference: str = "filter-ucb"
    """The policy whose score is 1; particle for users that filter-ucb cannot read."""
    split: str = "test"
    """Part of the population: test, ood-drift, ood-taste, ood-items, validation or train."""
    users: int = 1000
    """Users for each seed."""
    seeds: int = 1
    """How many times users are drawn: seed, seed + 1 and so on."""
    seed: int = 0
    """The first seed."""
    batch: int = 250
    """Users simulated at once; part of what says who they are."""
    reward: str = "clicks"
    """Name of the reward to record: clicks, retention or returns."""
    regret: bool = True
    """Whether to measure regret to the clairvoyant."""
    draws: int = 2000
    """Bootstrap draws for the intervals."""
    workers: int = 2
    """Processes."""
    fresh: bool = False
    """Evaluate anew what the output folder holds already."""
    out: Path = Path("runs/benchmark")
    """Folder of the results: results.json, table.md and plots."""


def main() -> None:
    """Evaluate every policy, then print the table and write the results."""
    options = tyro.cli(Benchmark, description=__doc__)
    if options.seeds < 1 or options.draws < 1:
        raise ValueError(
            f"seeds and draws must be at least 1, got {options.seeds} and {options.draws}"
        )
    population = make_population(options.population)
    candidates = named_candidates(options)
    check_candidates(population, options.split, candidates)
    total = options.seeds * options.users * sum(len(found) for found in candidates.values())
    with worker_pool(options.workers) as pool, progress_bar(total) as report:
        evaluations = {
            name: [
                evaluated(options, population, name, candidate, pool, partial(report, name))
                for candidate in found
            ]
            for name, found in candidates.items()
        }
    comparison = Comparison(evaluations, draws=options.draws, reference=options.reference)
    write_results(options, comparison)


def named_candidates(options: Benchmark) -> dict[str, list[Candidate]]:
    """The policies to compare, a list of one for each baseline and of training seeds for others."""
    found: dict[str, list[Candidate]] = {name: [NamedPolicy(name)] for name in options.policies}
    for entry in options.checkpoint:
        name, separator, path = entry.partition("=")
        if not (name and separator and path):
            raise ValueError(f"checkpoint must be name=path, got {entry!r}")
        if name in options.policies:
            raise ValueError(f"the name {name!r} is a policy's: give the checkpoint another")
        found.setdefault(name, []).append(SavedPolicy(Path(path)))
    if not found:
        raise ValueError("there must be at least one policy or checkpoint to compare, got none")
    return found


def check_candidates(
    population: Population, split: str, candidates: dict[str, list[Candidate]]
) -> None:
    """Make every policy once, so that one that does not suit these users fails before the run."""
    env = RecommendationVectorEnv(population, 1, split=split)
    env.reset(seed=0)
    for name, found in candidates.items():
        for candidate in found:
            try:
                candidate(env)
            except ValueError as error:
                raise ValueError(f"{name} cannot act on {population.name}: {error}") from error


def evaluated(
    options: Benchmark,
    population: Population,
    name: str,
    candidate: Candidate,
    pool: Executor | None,
    progress: Callable[[int], None],
) -> Evaluation:
    """The evaluation of one policy on the users of all seeds, from the output folder if there."""
    parts = []
    for seed in range(options.seed, options.seed + options.seeds):
        key = fingerprint(options, population, name, candidate, seed)
        path = options.out / "evaluations" / f"{re.sub(FORBIDDEN, '_', name)}-{seed}-{key}.npz"
        part = None if options.fresh else stored(path)
        if part is None:
            part = evaluate(
                candidate,
                population,
                name=name,
                split=options.split,
                users=options.users,
                batch=options.batch,
                seed=seed,
                reward=options.reward,
                regret=options.regret,
                pool=pool,
                progress=progress,
            )
            part.save(path)
        else:
            progress(part.users)
        parts.append(part)
    return join(parts)


def stored(path: Path) -> Evaluation | None:
    """An evaluation made before, unless there is none or it is damaged."""
    try:
        return Evaluation.load(path)
    except (FileNotFoundError, ValueError):
        return None


def fingerprint(
    options: Benchmark, population: Population, name: str, candidate: Candidate, seed: int
) -> str:
    """Hash of all that an evaluation depends on but the code."""
    split = population.split(options.split)
    settings = [
        driftrec.__version__, name, candidate.fingerprint(), seed, options.users, options.batch,
        options.reward, options.regret, population.name, options.split, population.slate,
        population.max_requests, population.max_days, repr(split.model),
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(settings).encode())
    digest.update(split.catalogue.table.tobytes())
    return digest.hexdigest()[:16]


def write_results(options: Benchmark, comparison: Comparison) -> None:
    """Print the table; write the numbers, the table and the plots."""
    settings = asdict(options) | {"out": str(options.out)}
    write_json(options.out / "results.json", {"settings": settings} | to_dict(comparison))
    write_text(options.out / "table.md", to_markdown(comparison))
    plot_adaptation(comparison, options.out / "adaptation.png")
    plot_survival(comparison, options.out / "retention.png")
    if comparison.baseline in comparison.policies and len(comparison.policies) > 1:
        plot_advantage(comparison, options.out / "advantage.png")
    screen = console()
    screen.print(results_table(comparison))
    screen.print(f"Results, table and plots: {options.out}", soft_wrap=True)


if __name__ == "__main__":
    run(main)
