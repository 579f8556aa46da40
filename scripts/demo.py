"""From a real log to agents that adapt: fit users, meta-train RL², compare on users never met.

Fits a population of drifting users to the KuaiRand log that ships with driftrec, trains RL² with
four seeds on its training users, and shows click-through and retention on test users, whose
parameters come from people of the log that no training user was fitted on. Results and plots go
to runs/demo. What is done is kept: a demo that was interrupted goes on where it was.

Examples:
    python scripts/demo.py
    python scripts/demo.py --smoke
    python scripts/demo.py --log Movies --out runs/demo-movies
"""

from __future__ import annotations

from concurrent.futures import wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import tyro
from common import Candidate, NamedPolicy, SavedPolicy, console, progress_bar, run

from driftrec.agents.comparison import Comparison
from driftrec.agents.evaluation import Evaluation
from driftrec.agents.harness import evaluate
from driftrec.agents.plots import plot_adaptation, plot_advantage, plot_survival
from driftrec.agents.report import difference_table, results_table, to_dict, to_markdown
from driftrec.agents.workers import worker_pool
from driftrec.envs import Population, RecommendationVectorEnv
from driftrec.envs.files import write_json, write_text
from driftrec.envs.fitting import fit_population
from driftrec.envs.logs import load_log
from driftrec.envs.rendering import TrialRecord, trial_figure
from driftrec.envs.storage import load_population, save_population
from driftrec.meta import RL2, PPOConfig, RL2Config, load

POLICIES = ("random", "most-popular", "satiation-aware", "discounted-linucb")
BOUNDS = ("filter-ucb", "clairvoyant")


@dataclass(frozen=True)
class Demo:
    """How large a demo, and where its results go."""

    log: str = "KuaiRand"
    """KuaiRand, Movies, or the path of a log."""
    out: Path = Path("runs/demo")
    """Folder of the results."""
    training_seeds: int = 4
    """Independent trainings of RL²."""
    iterations: int = 10
    """Batches of trials that each training learns from."""
    users: int = 6_000
    """Test users."""
    workers: int = 2
    """Processes."""
    smoke: bool = False
    """A run of a minute that shows that all works, not how well."""


def main() -> None:
    """Fit, train, compare, show."""
    options = tyro.cli(Demo, description=__doc__)
    if options.smoke:
        options = replace(
            options, out=options.out / "smoke", training_seeds=1, iterations=2, users=400
        )
    screen = console()
    population = fitted(options)
    screen.print(
        f"\n[bold]Users[/bold] of {population.name}: {len(population.catalogue)} items, "
        f"{population.max_requests} requests a trial; card in {options.out / 'population.md'}"
    )
    trained(options, population)
    evaluations = compared(options, population)
    comparison = Comparison(evaluations)
    screen.print(results_table(comparison))
    screen.print(difference_table(comparison, "rl2"))
    write_results(options, comparison)
    draw_one_trial(options, population)
    screen.print(NEXT.format(out=options.out, log=options.log), highlight=False)


NEXT = """
[bold]Look at[/bold] {out}: table.md, adaptation.png, advantage.png, retention.png, trial.png.
All policies act greedily on the same users with the same luck. filter-ucb knows the true model
and the clairvoyant the hidden state: the score is 0 for most-popular and 1 for filter-ucb.

[bold]Try next[/bold]
  train longer:     python scripts/train.py --population {log} --out runs/{log} learner:rl2
  compare:          python scripts/benchmark.py --population {log} --checkpoint rl2=runs/{log}
  another learner:  python scripts/train.py --population {log} --out runs/a learner:amortised
  another log:      python scripts/demo.py --log Movies --out runs/demo-movies
  your own users:   the guide's page "Plug in your own user simulator"
"""


def fitted(options: Demo) -> Population:
    """The population fitted to the log, from the output folder if it is there."""
    path = options.out / "population"
    if path.with_suffix(".npz").exists() and path.with_suffix(".json").exists():
        return load_population(path)
    screen = console()
    log, report = load_log(options.log)
    screen.print(str(report), markup=False, highlight=False)
    with screen.status("fitting users to the log ..."):
        population = fit_population(log, items=300 if options.smoke else 1000)
    save_population(population, path)
    write_text(options.out / "population.md", population.card)
    return population


def trained(options: Demo, population: Population) -> None:
    """Train RL² with each seed, unless that is done: several at once, one process each."""
    folders = [options.out / f"rl2-{seed}" for seed in range(options.training_seeds)]
    total = options.training_seeds * options.iterations
    with worker_pool(options.workers) as pool, progress_bar(total) as report:
        jobs = [(training(options, seed), population, at) for seed, at in enumerate(folders)]
        if pool is None:
            for job in jobs:
                train(*job)
                report("training RL²", options.iterations)
            return
        running, done = {pool.submit(train, *job) for job in jobs}, 0
        while running:
            finished, running = wait(running, timeout=1)
            for run in finished:
                run.result()
            before, done = done, sum(iterations_done(folder) for folder in folders)
            report("training RL²", done - before)


def training(options: Demo, seed: int) -> RL2Config:
    """How RL² is trained where users are few and minutes count: many small steps a batch."""
    return RL2Config(
        iterations=options.iterations,
        users=128 if options.smoke else 1024,
        learning_rate=5e-3,
        ppo=PPOConfig(minibatches=32),
        validate_every=2 if options.smoke else 4,
        seed=seed,
    )


def train(config: RL2Config, population: Population, folder: Path) -> None:
    """Train RL² once, or go on from where that was cut off."""
    RL2(config).fit(population, folder, resume=True)


def iterations_done(folder: Path) -> int:
    """Iterations of a training that are on record."""
    path = folder / "metrics.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0


def compared(options: Demo, population: Population) -> dict[str, list[Evaluation]]:
    """Every policy on the same test users."""
    candidates: dict[str, list[Candidate]] = {name: [NamedPolicy(name)] for name in POLICIES}
    candidates["rl2"] = [
        SavedPolicy(options.out / f"rl2-{seed}") for seed in range(options.training_seeds)
    ]
    candidates |= {name: [NamedPolicy(name)] for name in BOUNDS}
    total = options.users * sum(len(found) for found in candidates.values())
    with worker_pool(options.workers) as pool, progress_bar(total) as report:
        return {
            name: [
                evaluate(
                    candidate,
                    population,
                    name=name,
                    users=options.users,
                    pool=pool,
                    progress=partial(report, f"evaluating {name}"),
                )
                for candidate in found
            ]
            for name, found in candidates.items()
        }


def write_results(options: Demo, comparison: Comparison) -> None:
    """Tables and plots in the output folder."""
    write_json(options.out / "results.json", to_dict(comparison))
    write_text(options.out / "table.md", to_markdown(comparison))
    shown = [name for name in comparison.policies if name not in ("random", "clairvoyant")]
    plot_adaptation(comparison, options.out / "adaptation.png")
    plot_advantage(comparison, options.out / "advantage.png", policies=shown[1:])
    plot_survival(comparison, options.out / "retention.png")


def draw_one_trial(options: Demo, population: Population) -> None:
    """A picture of the trial of one test user under RL²."""
    env = RecommendationVectorEnv(population, 1, split="test", autoreset_mode="Disabled")
    policy = load(options.out / "rl2-0")
    observation, _ = env.reset(seed=11)
    record, state = TrialRecord.begin(env.simulation), policy.start(1)
    while not env.simulation.trials.over[0]:
        slate, state = policy.act(observation, state)
        observation, *_ = env.step(slate)
        record.add(env.simulation)
    trial_figure(record).savefig(options.out / "trial.png")


if __name__ == "__main__":
    run(main)
