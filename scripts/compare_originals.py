r"""Compare the published simulators with their originals, step by step, by two-sample tests.

The original and ours are run with the same policies: random slates, and the slates that someone who
knows the user likes best. What is compared at some requests is the state before it, the reward
of it, and at the end the return and the length of trials. Counts of few values are compared by
chi-square tests, the rest by Kolmogorov-Smirnov tests; Holm's correction is over all tests of an
original. Where an original draws its items once, ours is given the same ones.

Examples:
    python scripts/compare_originals.py
    python scripts/compare_originals.py --sources recsim --users 200
    python scripts/compare_originals.py --out runs/originals.md
    python scripts/compare_originals.py --summary docs/results/validation/originals.json
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from common import console, progress_bar, run
from originals import INSTALL, MAKERS, Original, installed
from rich.table import Table
from scipy import stats

from driftrec.envs import Catalogue, RecommendationVectorEnv
from driftrec.envs.files import write_json, write_text
from driftrec.envs.population import Population
from driftrec.envs.published.recogym import RecoGymV1, recogym_population
from driftrec.envs.published.recsim import recsim_population
from driftrec.envs.published.sardine import sardine_population
from driftrec.envs.simulation import Simulation, among

FEW = 20
"""Most values of what is compared as counts."""

EXPECTED = 5
"""Least expected number of users in a cell of a chi-square test; rarer values are pooled."""


@dataclass(frozen=True)
class CompareOriginals:
    """What to compare, how closely, and where the rows go."""

    sources: tuple[str, ...] = tuple(INSTALL)
    """Originals to compare with; those that are not installed are named and left out."""
    users: int = 1000
    """Users of each, original and ours, with each policy."""
    requests: tuple[int, ...] = (1, 2, 5, 10, 20, 50, 100)
    """Requests at which users and rewards are compared, as far as trials go."""
    level: float = 0.01
    """Chance of finding a difference, in all tests of an original, where there is none."""
    seed: int = 0
    """Of both."""
    out: Path | None = None
    """Markdown file for the tables; none without it."""
    summary: Path | None = None
    """JSON file for how many tests there were and found a difference; none without it."""


@dataclass(frozen=True)
class Case:
    """A task of an original.

    Attributes:
        source: name of the original.
        task: its name there.
        ours: the same users, given the original.
        scores: by which a greedy policy that knows the user chooses, `(users, items)`.
        state: what is known of users before a request.
        parameters: in place of the published ones.
    """

    source: str
    task: str
    ours: Callable[[Any], Population]
    scores: Callable[[Simulation], np.ndarray]
    state: Callable[[Simulation], dict[str, np.ndarray]]
    parameters: dict[str, float]

    @property
    def name(self) -> str:
        """With the parameters that are not the published ones."""
        changed = [f"{name.replace('_', ' ')} {value}" for name, value in self.parameters.items()]
        return ", ".join([f"{self.source}.{self.task}", *changed])


Trials = dict[str, np.ndarray]
"""By what was recorded: `(users, requests)`, NaN once a trial is over."""


@dataclass(frozen=True)
class Difference:
    """One test.

    Attributes:
        case: name of the task.
        policy: "random" or "greedy".
        what: was compared.
        kind: "KS" or "chi²".
        original: mean in the original.
        ours: mean in ours.
        p: of the test alone.
        holm: likewise, corrected for all tests of the original.
    """

    case: str
    policy: str
    what: str
    kind: str
    original: float
    ours: float
    p: float
    holm: float = 1.0


def main() -> None:
    """Run all tests, show what came out, and write it."""
    options = tyro.cli(CompareOriginals, description=__doc__)
    if unknown := set(options.sources) - set(INSTALL):
        raise ValueError(f"sources must be of {', '.join(INSTALL)}; got {', '.join(unknown)}")
    if options.users < 2 * EXPECTED or min(options.requests) < 1 or not 0 < options.level < 1:
        raise ValueError(
            f"there must be {2 * EXPECTED} users or more, requests from 1 and a level within (0, 1)"
        )
    present = [source for source in options.sources if installed(source)]
    for source in options.sources:
        if source not in present:
            console().print(f"{source} is not installed here, and left out: {INSTALL[source]}")
    if not present:
        raise ImportError("none of these originals is installed: there is nothing to compare with")
    tests = [test for source in present for test in compared(source, options)]
    console().print(table(tests, options))
    console().print(verdict(tests, options))
    if options.out is not None:
        write_text(options.out, markdown(tests, options))
    if options.summary is not None:
        write_json(options.summary, summary(tests, present, options))


def compared(source: str, options: CompareOriginals) -> list[Difference]:
    """All tests of an original, with Holm's correction."""
    found = []
    cases = [case for case in CASES if case.source == source]
    with progress_bar(2 * len(cases)) as done:
        for case in cases:
            for policy in ("random", "greedy"):
                original = MAKERS[source](case.task, options.seed, **case.parameters)
                theirs = run_original(original, policy == "greedy", options.users, options.seed)
                ours = run_ours(case, original, policy == "greedy", options.users, options.seed)
                found += differences(case.name, policy, theirs, ours, options.requests)
                done(case.name, 1)
    return with_holm(found)


# Running them


def run_original(original: Original, greedy: bool, users: int, seed: int) -> Trials:
    """Trials of users of the original, one after the other."""
    rng = np.random.default_rng(seed)
    rows: list[list[dict[str, float]]] = []
    for _ in range(users):
        original.begin()
        over, trial = False, []
        while not over:
            row = original.state()
            scores = original.scores() if greedy else rng.random(original.items)
            row["reward"], over = original.step(best(scores, original.slate))
            trial.append(row)
        rows.append(trial)
    longest = max(len(trial) for trial in rows)
    found = {name: np.full((users, longest), np.nan) for name in rows[0][0]}
    for user, trial in enumerate(rows):
        for name, values in found.items():
            values[user, : len(trial)] = [row[name] for row in trial]
    return found


def run_ours(case: Case, original: Any, greedy: bool, users: int, seed: int) -> Trials:
    """Trials of users of ours, all at once."""
    population = case.ours(original)
    env = RecommendationVectorEnv(
        population, users, split="test", autoreset_mode="Disabled", by_number=True
    )
    env.reset(seed=seed)
    simulation, rng = env.simulation, np.random.default_rng(seed + 1)
    found: dict[str, list[np.ndarray]] = {}
    while not simulation.over.all():
        active = ~simulation.over
        row = case.state(simulation)
        if greedy:
            scores = case.scores(simulation)
        else:
            scores = among(simulation, rng.random((users, len(simulation.catalogue))))
        row["reward"] = env.step(best(scores, simulation.slate))[1]
        for name, values in row.items():
            found.setdefault(name, []).append(np.where(active, values, np.nan))
    return {name: np.stack(values, axis=1) for name, values in found.items()}


def best(scores: np.ndarray, slate: int) -> np.ndarray:
    """The items of the highest scores, those that come first where they tie, `(..., slate)`."""
    return np.argsort(-scores, axis=-1, kind="stable")[..., :slate]


# Testing


def differences(
    case: str, policy: str, theirs: Trials, ours: Trials, requests: tuple[int, ...]
) -> list[Difference]:
    """Tests of what was recorded at some requests, of returns and of lengths."""
    pairs = {}
    for name in theirs:
        for request in requests:
            one, other = (at(trials[name], request) for trials in (theirs, ours))
            if min(len(one), len(other)) >= 2 * EXPECTED:
                pairs[f"{name}, request {request}"] = one, other
    for name, total in (
        ("return", np.nansum),
        ("length", lambda x, axis: (~np.isnan(x)).sum(axis)),
    ):
        pairs[name] = total(theirs["reward"], axis=1), total(ours["reward"], axis=1)
    found = []
    for what, (one, other) in pairs.items():
        # What never varies at all is no finding: budgets at first, the length of limited trials.
        if len(np.unique(np.concatenate([one, other]).round(4))) > 1:
            kind, p = two_samples(one, other)
            found.append(Difference(case, policy, what, kind, one.mean(), other.mean(), p))
    return found


def at(values: np.ndarray, request: int) -> np.ndarray:
    """Those of users who got to a request."""
    if request > values.shape[1]:
        return np.zeros(0)
    column = values[:, request - 1]
    return column[~np.isnan(column)]


def two_samples(one: np.ndarray, other: np.ndarray) -> tuple[str, float]:
    """The kind of a test, and its p-value, that two samples come from one distribution."""
    values = np.unique(np.concatenate([one, other]))
    if len(values) > FEW or (values % 1).any():
        return "KS", float(stats.ks_2samp(one, other).pvalue)
    counts = np.array([[(sample == value).sum() for value in values] for sample in (one, other)])
    counts = pooled(counts)
    if counts.shape[1] == 1:
        return "chi²", 1.0
    return "chi²", float(stats.chi2_contingency(counts, correction=False).pvalue)


def pooled(counts: np.ndarray) -> np.ndarray:
    """Counts `(2, values)`, in which values too rare for a chi-square test join the next one."""
    least = counts.sum(1, keepdims=True) / counts.sum()
    cells, rest = [], np.zeros(2)
    for column in counts.T:
        rest = rest + column
        if (least[:, 0] * rest.sum()).min() >= EXPECTED:
            cells.append(rest)
            rest = np.zeros(2)
    if not cells:
        return rest[:, None]
    cells[-1] = cells[-1] + rest
    return np.stack(cells, axis=1)


def with_holm(tests: list[Difference]) -> list[Difference]:
    """The tests with the p-values that hold for all of them together (Holm 1979)."""
    order = np.argsort([test.p for test in tests])
    corrected, highest = list(tests), 0.0
    for rank, place in enumerate(order):
        test = tests[place]
        highest = max(highest, min(1.0, (len(tests) - rank) * test.p))
        corrected[place] = replace(test, holm=highest)
    return corrected


# Whose users they are


def sardine_users(original: Any) -> Population:
    """SARDINE's task with the original's items."""
    task = original.env.spec.id.split("/")[1].removesuffix("-v0")
    population = sardine_population(task)
    features = original.env.item_embedd
    catalogue = Catalogue(
        features, np.eye(original.env.num_topics)[original.env.item_comp], np.zeros(len(features))
    )
    return with_items(population, catalogue)


def recogym_users(original: Any) -> Population:
    """RecoGym's task with the original's products."""
    env, version = original.env, original.version
    population = recogym_population(version, products=original.items)
    if version == "v0":
        vars(population.model)["_pairs"] = env.phi.T.astype(np.float32)
        return population
    quality = env.mu_organic.ravel()
    return with_items(population, Catalogue(env.Gamma, np.ones((len(quality), 1)), quality))


def with_items(population: Population, catalogue: Catalogue) -> Population:
    """The population with other items, which its users take for their own."""
    vars(population.model)["_catalogue"] = catalogue
    limits = ("slate", "max_requests", "repeats")
    return Population(
        population.name, population.model, catalogue,
        **{name: getattr(population, name) for name in limits},
    )  # fmt: skip


def sardine_scores(simulation: Simulation) -> np.ndarray:
    """How well items meet the taste that is left by boredom."""
    bored = (simulation.state.bored > 0).any(1, keepdims=True)
    scores: np.ndarray = (
        np.where(bored, 0, simulation.state.taste) @ simulation.catalogue.features.T
    )
    return scores


def recsim_scores(simulation: Simulation) -> np.ndarray:
    """What is liked best of what is offered: by interest, affinity and quality, or clickbait."""
    state, catalogue = simulation.state, simulation.catalogue
    if hasattr(state, "interest"):
        scores = state.interest @ catalogue.topics.T
    elif hasattr(state, "affinity"):
        scores = state.affinity @ catalogue.topics.T + catalogue.quality
    else:
        scores = np.tile(catalogue.features[:, 0], (simulation.users, 1))
    return among(simulation, scores)


def sardine_state(simulation: Simulation) -> dict[str, np.ndarray]:
    """As `SardineOriginal.state`."""
    taste = simulation.state.taste
    return {
        "strongest taste": taste.max(1),
        "sum of tastes": taste.sum(1),
        "topics that bore": (simulation.state.bored > 0).sum(1),
    }


def recsim_state(simulation: Simulation) -> dict[str, np.ndarray]:
    """As `RecSimOriginal.state`."""
    state, catalogue, offered = simulation.state, simulation.catalogue, simulation.offered
    if hasattr(state, "interest"):
        return {
            "budget": state.budget,
            "strongest interest": state.interest.max(1),
            "mean interest": state.interest.mean(1),
            "interests at 0.9 or more": (state.interest >= 0.9).sum(1),
        }
    if hasattr(state, "affinity"):
        return {
            "affinity to topic 0": state.affinity[:, 0],
            "affinity to topic 1": state.affinity[:, 1],
            "offers of topic 0": catalogue.topics[offered, 0].sum(1),
            "best quality on offer": catalogue.quality[offered].max(1),
        }
    clickbait = catalogue.features[offered, 0].max(1)
    return {"exposure": state.net, "best clickbait on offer": clickbait}


def recogym_state(simulation: Simulation) -> dict[str, np.ndarray]:
    """As `RecoGymOriginal.state`."""
    state = simulation.state
    known = {"views before it": state.views, "product viewed last": state.viewed}
    if isinstance(simulation.model, RecoGymV1):
        known |= {f"interest {one}": state.interest[:, one] for one in (0, 1)}
        known["size of interest"] = np.linalg.norm(state.interest, axis=1)
    return known


def _recsim_case(task: str, **parameters: float) -> Case:
    return Case(
        "recsim", task, lambda _: recsim_population(task, **parameters), recsim_scores,
        recsim_state, parameters,
    )  # fmt: skip


CASES = [
    *[
        Case("sardine", task, sardine_users, sardine_scores, sardine_state, {})
        for task in (
            "SingleItem-Static", "SingleItem-BoredInf", "SingleItem-Uncertain", "SlateTopK-Bored",
            "SlateTopK-BoredInf", "SlateTopK-Uncertain", "SlateRerank-Static", "SlateRerank-Bored",
        )
    ],
    _recsim_case("InterestEvolution"),
    _recsim_case("InterestExploration"),
    _recsim_case("LongTermSatisfaction"),
    _recsim_case("LongTermSatisfaction", sensitivity=0.3),
    *[
        Case(
            "recogym", version, recogym_users, lambda simulation: simulation.click_probability(),
            recogym_state, {},
        )
        for version in ("v0", "v1")
    ],
]  # fmt: skip
"""All that is compared."""


# How it is shown

COLUMNS = ("task", "policy", "return", "here", "tests", "least p", "of")


def summaries(tests: list[Difference], level: float) -> list[tuple[str, ...]]:
    """A row for each task and policy: `COLUMNS`."""
    found = []
    for case, policy in dict.fromkeys((test.case, test.policy) for test in tests):
        own = [test for test in tests if (test.case, test.policy) == (case, policy)]
        least = min(own, key=lambda test: (test.holm, test.p))
        total = next((test for test in own if test.what == "return"), None)
        means = (f"{total.original:.4g}", f"{total.ours:.4g}") if total else ("the same",) * 2
        of = least.what if least.holm < 1 else ""
        mark = " *" if least.holm < level else ""
        found.append((case, policy, *means, str(len(own)), f"{least.holm:.2g}{mark}", of))
    return found


def table(tests: list[Difference], options: CompareOriginals) -> Table:
    """All tasks."""
    result = Table(title=f"Originals and ours, {options.users:,} users each")
    for name in COLUMNS:
        text = name in ("task", "policy", "of")
        result.add_column(name, justify="left" if text else "right", overflow="fold")
    result.columns[-1].max_width = 14
    result.columns[0].min_width = max(len(test.case.split(",")[0]) for test in tests) + 1
    for row in summaries(tests, options.level):
        result.add_row(*row)
    return result


def summary(
    tests: list[Difference], sources: list[str], options: CompareOriginals
) -> dict[str, Any]:
    """What was compared and how many tests found a difference, ready for JSON."""
    return {
        "sources": sources,
        "users": options.users,
        "level": options.level,
        "tests": len(tests),
        "different": sum(test.holm < options.level for test in tests),
    }


def verdict(tests: list[Difference], options: CompareOriginals) -> str:
    """In one sentence."""
    found = [test for test in tests if test.holm < options.level]
    small = np.mean([test.p < options.level for test in tests])
    named = "; ".join(
        f"{test.case}, {test.policy}: {test.what} ({test.original:.4g}, here {test.ours:.4g}, "
        f"{test.kind} p {test.holm:.2g})"
        for test in found
    )
    return (
        f"{len(found)} of {len(tests)} tests find a difference at level {options.level} after "
        f"Holm's correction over the tests of an original{': ' + named if named else ''}. "
        f"Before it, {small:.1%} of p-values lie below {options.level}."
    )


def markdown(tests: list[Difference], options: CompareOriginals) -> str:
    """The table, and all tests after it."""
    rows = [COLUMNS, ("-", "-", "-:", "-:", "-:", "-:", "-"), *summaries(tests, options.level)]
    each = [("task", "policy", "what", "test", "mean there", "here", "p", "p, Holm")]
    each += [("-", "-", "-", "-", "-:", "-:", "-:", "-:")]
    each += [
        (one.case, one.policy, one.what, one.kind, f"{one.original:.4g}", f"{one.ours:.4g}",
         f"{one.p:.2g}", f"{one.holm:.2g}")
        for one in tests
    ]  # fmt: skip
    blocks = [[f"| {' | '.join(row)} |" for row in block] for block in (rows, each)]
    text = [f"{options.users:,} users each, seed {options.seed}. {verdict(tests, options)}"]
    return "\n\n".join(text + ["\n".join(block) for block in blocks]) + "\n"


if __name__ == "__main__":
    run(main)
