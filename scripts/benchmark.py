r"""Benchmark recommendation policies on users that none of them has met.

Every method meets the same users with the same luck. A run that was killed goes on where it was
when the same command is given again: what is done lies in the output folder.

Examples:
    python scripts/benchmark.py --suite cold-start-v1 --size smoke --out runs/cold-start
    python scripts/benchmark.py --suite all --out runs/night
    python scripts/benchmark.py --suite dynamic-v1 --methods most-popular filter-ucb linucb rl2
    python scripts/benchmark.py --population my_plugin --methods random most-popular particle \
        --reference particle
    python scripts/benchmark.py --population Feed --checkpoint rl2=runs/feed-0 rl2=runs/feed-1
    python scripts/benchmark.py --population Feed --folds 5 --methods most-popular filter-ucb als
    python scripts/benchmark.py compare amortised recurrent-ppo --out runs/night
    python scripts/benchmark.py leaderboard --out runs/night
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import tyro
from common import console, run
from validation.cells import machine

from driftrec.agents.benchmark.comparing import compare
from driftrec.agents.benchmark.folds import folds
from driftrec.agents.benchmark.gathered import Results
from driftrec.agents.benchmark.grid import list_cells, run_grid
from driftrec.agents.benchmark.leaderboard import leaderboard
from driftrec.agents.benchmark.report import write_report
from driftrec.agents.benchmark.suite import Scenario, Suite
from driftrec.agents.benchmark.suites import SUITES, make_suite
from driftrec.agents.benchmark.summary import read_summary, summarise, trimmed
from driftrec.agents.benchmark.tables import results_table, to_latex, to_markdown
from driftrec.agents.benchmark.user_table import user_table, write_users
from driftrec.agents.method import Method, Size
from driftrec.agents.methods import make_method
from driftrec.envs import make_population
from driftrec.envs.files import write_bytes, write_text
from driftrec.meta.saved_method import SavedMethod

ROOT = Path(__file__).parents[1]

SUMMARY = "summary.json"
USERS = "results.parquet"

OF_ONES_OWN = (
    "population", "trained_on", "baseline", "reference", "split", "users", "batch", "seed", "seeds",
    "folds",
)  # fmt: skip
"""Options of a benchmark without a suite."""


@dataclass(frozen=True)
class Benchmark:
    """What to compare, on whom, and where the results go."""

    suite: tuple[str, ...] = ()
    """Suites by name, or all; none for a population of your own choice."""
    size: Size = "standard"
    """How much is trained and how many users are met: smoke, standard or full."""
    population: str = "Feed"
    """Without a suite: name of a population, or of an installed plug-in."""
    trained_on: str = ""
    """Without a suite: the population that methods are trained on, if it is another one."""
    methods: tuple[str, ...] = ()
    """Methods by name, instead of those of the suite."""
    checkpoint: tuple[str, ...] = ()
    """Learned policies, each as name=path; those of one name are its training seeds."""
    baseline: str = "most-popular"
    """Without a suite: the method whose score is 0."""
    reference: str = "filter-ucb"
    """Without a suite: the method whose score is 1; particle for users that no filter reads."""
    split: str = "test"
    """Without a suite: test, ood-drift, ood-taste, ood-items, validation or train."""
    users: int = 500
    """Without a suite: users met."""
    batch: int = 250
    """Without a suite: users simulated at once; part of what says who they are."""
    seed: int = 0
    """Without a suite: of the users."""
    seeds: int = 1
    """Without a suite: trainings of each method that trains."""
    folds: int = 0
    """Without a suite: cross-validation over so many parts of a finite set of users, each met once,
    by methods trained on the other parts; 0 for none."""
    executor: Literal["process", "here", "ray"] = "process"
    """Where cells run: processes of this machine, this process, or a Ray cluster."""
    workers: int = 2
    """Processes of this machine; of a Ray cluster all processors are used."""
    draws: int = 2000
    """Bootstrap draws for the intervals."""
    retry: bool = True
    """Whether cells that failed before are tried again."""
    list: bool = False
    """Show what is done and what is to do, and stop."""
    out: Path = Path("runs/benchmark")
    """Folder of the results."""


@dataclass(frozen=True)
class Compare:
    """Say which of two methods is better, by how much, and how sure that is."""

    first: tyro.conf.Positional[str]
    """A method."""
    second: tyro.conf.Positional[str]
    """Another one."""
    out: Path = Path("runs/benchmark")
    """Folder of a benchmark's results."""


@dataclass(frozen=True)
class Leaderboard:
    """Write the page of the results that are kept with the code."""

    out: Path | None = None
    """Folder of a benchmark's results, which are first put among those that are kept."""
    results: Path = ROOT / "docs" / "results"
    """Folder of the results that are kept."""
    page: Path = ROOT / "docs" / "leaderboard.md"
    """The page to write."""


def main() -> None:
    """Run the benchmark, or one of the commands on its results."""
    commands: dict[str, tuple[type[Any], Any]] = {
        "compare": (Compare, compare_two),
        "leaderboard": (Leaderboard, write_leaderboard),
    }
    arguments = sys.argv[1:]
    if arguments and arguments[0] in commands:
        kind, action = commands[arguments[0]]
        action(tyro.cli(kind, args=arguments[1:], prog=f"benchmark.py {arguments[0]}"))
    else:
        benchmark(tyro.cli(Benchmark, args=arguments, description=__doc__))


def benchmark(options: Benchmark) -> None:
    """Run the cells that are missing, then write and print the results of each suite.

    Raises:
        ValueError: if an option is out of range; at the end, if a cell failed.
    """
    if options.draws < 1 or options.workers < 1:
        raise ValueError(
            f"draws and workers must be at least 1, got {options.draws} and {options.workers}"
        )
    saved = saved_methods(options.checkpoint)
    summaries: list[dict[str, Any]] = []
    failures: list[str] = []
    for suite in suites_of(options):
        scenarios = [
            chosen(scenario, options.methods, saved) for scenario in suite.make(options.size)
        ]
        methods = methods_of(scenarios, saved)
        if options.list:
            list_suite(suite, scenarios, methods, options)
            continue
        results = run_grid(
            scenarios,
            methods,
            options.out,
            size=options.size,
            executor=options.executor,
            workers=options.workers,
            retry=options.retry,
        )
        summaries.append(write_results(suite, results, options))
        failures += failures_of(results)
    if summaries:
        write_report(summaries_in(options.out), options.out / "report.html")
        console().print(f"Report: {options.out / 'report.html'}", soft_wrap=True)
    if failures:
        raise ValueError(f"{len(failures)} cell(s) failed, the first: {failures[0]}")


def suites_of(options: Benchmark) -> list[Suite]:
    """The suites that are asked for, or one scenario of the user's own.

    Raises:
        ValueError: if a suite's users are to be others than the suite says.
    """
    if options.suite:
        plain = Benchmark()
        changed = [name for name in OF_ONES_OWN if getattr(options, name) != getattr(plain, name)]
        if changed:
            told = ", ".join(f"--{name.replace('_', '-')}" for name in changed)
            raise ValueError(f"a suite says itself whom it meets: leave out --suite or {told}")
        names = list(SUITES) if options.suite == ("all",) else options.suite
        return [make_suite(name) for name in names]
    scenarios = own_scenarios(options)
    question = scenarios[0].question
    return [Suite(options.population, options.population, question, lambda size: scenarios)]


def own_scenarios(options: Benchmark) -> tuple[Scenario, ...]:
    """The scenario that the options describe, or one for each fold.

    Raises:
        ValueError: if an option is unknown or out of range, or options contradict.
    """
    if min(options.users, options.batch, options.seeds) < 1 or options.seed < 0:
        raise ValueError(
            "users, batch and seeds must be at least 1 and seed at least 0, got "
            f"{options.users}, {options.batch}, {options.seeds} and {options.seed}"
        )
    population = make_population(options.population)
    population.split(options.split)
    source = make_population(options.trained_on) if options.trained_on else population
    scenario = Scenario(
        name=options.population,
        question=f"Users of {options.population}, {options.split} split.",
        population=population,
        trained_on=source,
        split=options.split,
        users=options.users,
        methods=("random", "most-popular", "discounted-linucb", "filter-ucb"),
        batch=options.batch,
        seed=options.seed,
        baseline=options.baseline,
        reference=options.reference,
        seeds=options.seeds,
    )
    return of_folds(scenario, options) if options.folds else (scenario,)


def of_folds(scenario: Scenario, options: Benchmark) -> tuple[Scenario, ...]:
    """The scenario once for each fold, in which its users are met by who learned from the others.

    Raises:
        ValueError: if there are too few folds or too many, or another split or population is
            asked for as well.
    """
    if options.trained_on or options.split != "test":
        raise ValueError(
            "folds are made of one population, each its own test split: leave out trained_on and "
            f"split, got {options.trained_on!r} and {options.split!r}"
        )
    parts = folds(scenario.population, options.folds, options.users, options.seed)
    counts = [len(part.split("test").model.members) for part in parts]
    return tuple(
        replace(
            scenario, name=part.name, population=part, trained_on=part, users=count, batch=count
        )
        for part, count in zip(parts, counts, strict=True)
    )


def saved_methods(entries: Sequence[str]) -> dict[str, Method]:
    """The methods that checkpoints make, each entry being name=path.

    Raises:
        ValueError: if an entry has another form, or a checkpoint is damaged.
        FileNotFoundError: if there is nothing at a path.
    """
    paths: dict[str, list[str]] = {}
    for entry in entries:
        name, separator, path = entry.partition("=")
        if not (name and separator and path):
            raise ValueError(f"checkpoint must be name=path, got {entry!r}")
        paths.setdefault(name, []).append(path)
    return {name: SavedMethod(name, paths=tuple(found)) for name, found in paths.items()}


def chosen(scenario: Scenario, names: Sequence[str], saved: dict[str, Method]) -> Scenario:
    """The scenario with the methods that are asked for, and the checkpoints."""
    methods = tuple(names) or scenario.methods
    if taken := set(methods) & set(saved):
        raise ValueError(f"the name {min(taken)!r} is a method's: give the checkpoint another")
    return replace(scenario, methods=(*methods, *saved))


def methods_of(scenarios: Sequence[Scenario], saved: dict[str, Method]) -> dict[str, Method]:
    """The methods of all scenarios by name, each made once."""
    names = dict.fromkeys(name for scenario in scenarios for name in scenario.methods)
    return {name: saved[name] if name in saved else make_method(name) for name in names}


def list_suite(
    suite: Suite, scenarios: Sequence[Scenario], methods: dict[str, Method], options: Benchmark
) -> None:
    """Print the cells of a suite: what is done and what is to do."""
    screen = console()
    screen.print(suite.name)
    for cell in list_cells(scenarios, methods, options.out, size=options.size):
        screen.print(f"  {cell}", markup=False, highlight=False)


def failures_of(results: Results) -> list[str]:
    """What failed, in words."""
    return [
        f"{method} seed {seed} in {scenario}: {reason}"
        for scenario, methods in results.failures.items()
        for method, reasons in methods.items()
        for seed, reason in reasons.items()
    ]


def write_results(suite: Suite, results: Results, options: Benchmark) -> dict[str, Any]:
    """Summarise a suite; write the summary, every user's row and the tables, and print them."""
    # What comes with the package was trained elsewhere.
    costs = [record.cost for record in results.records.values() if not record.cost.get("reused")]
    spent = sum(cost.get("cpu_seconds", 0.0) for cost in costs)
    summary = summarise(
        suite.name, suite.title, suite.question, options.size, results,
        draws=options.draws, machine=machine(), command=command(), seconds=spent,
    )  # fmt: skip
    folder = options.out / suite.name
    write_text(folder / SUMMARY, as_json(summary))
    write_users(user_table(results), folder / USERS)
    write_text(folder / "table.md", to_markdown(summary))
    write_text(folder / "table.tex", to_latex(summary))
    console().print(results_table(summary))
    return summary


def as_json(summary: dict[str, Any]) -> str:
    """A summary as compact JSON."""
    return json.dumps(summary, separators=(",", ":"), allow_nan=False)


def command() -> str:
    """The command line, as it may be given again."""
    return " ".join(["python scripts/benchmark.py", *map(shlex.quote, sys.argv[1:])])


def compare_two(options: Compare) -> None:
    """Print which of two methods is better in each scenario and suite."""
    text = compare(summaries_in(options.out), options.first, options.second)
    console().print(text, markup=False, highlight=False)


def write_leaderboard(options: Leaderboard) -> None:
    """Take in new results, then write the page of all that are kept."""
    if options.out is not None:
        for summary in summaries_in(options.out):
            keep(summary, options.out / summary["suite"], options.results)
    paths = {path.stem: path for path in options.results.glob("*.json")}
    write_text(options.page, leaderboard(read_all(paths, options.results)))
    console().print(f"written: {options.page}", soft_wrap=True)


def keep(summary: dict[str, Any], folder: Path, results: Path) -> None:
    """Put what rankings and comparisons are made of, and every user's row, among the results."""
    name = summary["suite"]
    write_text(results / f"{name}.json", as_json(trimmed(summary)))
    write_bytes(results / f"{name}.parquet", (folder / USERS).read_bytes())


def summaries_in(folder: Path) -> list[dict[str, Any]]:
    """The summaries of a benchmark's folder, suites of this package first.

    Raises:
        ValueError: if there are none.
    """
    return read_all({path.parent.name: path for path in folder.glob(f"*/{SUMMARY}")}, folder)


def read_all(paths: dict[str, Path], folder: Path) -> list[dict[str, Any]]:
    """The summaries at some paths by suite, suites of this package first.

    Raises:
        ValueError: if there are none.
    """
    if not paths:
        raise ValueError(f"there are no results in {folder}: run the benchmark first")
    order = [name for name in SUITES if name in paths]
    return [read_summary(paths[name]) for name in (*order, *sorted(set(paths) - set(order)))]


if __name__ == "__main__":
    run(main)
