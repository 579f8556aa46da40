r"""Compare meta-learners with sb3-contrib's RecurrentPPO: at equal time, and at equal steps.

All learn from the training users of one population, on one thread, and meet the same test users.

- `rl2` and `amortised`: the meta-learners of driftrec. They are taught what they know in training
  of the users' hidden state (expected clicks), which RecurrentPPO cannot be.
- `recurrent-ppo`: as it comes, defaults and `MultiInputLstmPolicy`, of 8 users at once, which the
  native bridge steps. Its last weights act.
- `recurrent-ppo-tuned`: 64 users at once, a query over item features instead of an output for each
  item, no item twice while it trains, shorter horizons; the best weights on validation users.

All act greedily and show no item twice. At equal time a pilot measures what a step costs each, and
the training has as many as fit the budget; the CPU-seconds that it took in the end stand beside.
The smallest size has no pilot, and trains as shortly as can be. Differences are paired by user,
with 95% bootstrap intervals over users and training seeds. A run that was killed goes on with the
cells that are missing when the same command is given again.

Examples:
    python scripts/compare_recurrent.py
    python scripts/compare_recurrent.py --seconds 600 --steps 1000000 --seeds 3
    python scripts/compare_recurrent.py --size smoke --out runs/recurrent-smoke
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import tyro
from common import console, run
from rich.table import Table
from sb3_contrib import RecurrentPPO
from validation.cells import Cell, record_of, run_cell

from driftrec.agents.comparison import Comparison
from driftrec.agents.deep import METHODS
from driftrec.agents.deep.bridge import RecommendationVecEnv
from driftrec.agents.deep.saved import OfArrays
from driftrec.agents.deep.sb3_agents import train as train_sb3
from driftrec.agents.deep.training import STEPS, alone
from driftrec.agents.evaluation import Evaluation
from driftrec.agents.harness import evaluate
from driftrec.agents.memory import Memory, new_memory, top_unseen
from driftrec.agents.policy import PolicyFactory
from driftrec.agents.registry import POLICIES
from driftrec.agents.statistics import Interval
from driftrec.envs import Population, RecommendationVectorEnv, make_population
from driftrec.envs.files import write_json, write_text
from driftrec.meta import learner_type

Budget = Literal["time", "steps", "none"]
Size = Literal["smoke", "standard"]

META = ("rl2", "amortised")
RIVALS = ("recurrent-ppo", "recurrent-ppo-tuned")
SCALE = ("most-popular", "filter-ucb")
"""Policies whose normalised scores are 0 and 1."""

BATCH = 250


@dataclass(frozen=True)
class CompareRecurrent:
    """What to compare, on how large a budget, and where the results go."""

    size: Size = "standard"
    """smoke shows in seconds that all works; its budgets and users are its own."""
    population: str = "Feed"
    """Name of a population of one item a request."""
    seconds: float = 120.0
    """CPU-seconds of each training at equal time."""
    steps: int = 100_000
    """Environment steps of each training at equal steps; RecurrentPPO as it comes takes half an
    hour for so many."""
    seeds: int = 1
    """Trainings of each learner on each budget."""
    users: int = 2000
    """Test users."""
    draws: int = 2000
    """Bootstrap draws for the intervals."""
    out: Path = Path("runs/compare-recurrent")
    """Folder of the results: compare_recurrent.json and compare_recurrent.md."""

    def __post_init__(self) -> None:
        if not self.seconds > 0 or min(self.steps, self.seeds, self.users, self.draws) < 1:
            raise ValueError("seconds, steps, seeds, users and draws must be positive")


@dataclass(frozen=True)
class Trained(Cell):
    """One training on one budget, and what its policy got from the test users.

    Attributes:
        learner: name in META, RIVALS or SCALE, which are not trained.
        budget: what is equal.
        amount: of it: CPU-seconds or steps.
        population: its name.
        users: of the test split.
        seed: of the training.
        size: smoke trains on smaller batches.
    """

    section: ClassVar[str] = "cells"

    learner: str
    budget: Budget
    amount: float
    population: str
    users: int
    seed: int
    size: Size

    @property
    def name(self) -> str:
        """The learner, its budget and its seed."""
        return f"{self.learner} {self.budget} {self.seed}"

    def measure(self, folder: Path) -> dict[str, Any]:
        """Train, evaluate, and keep the evaluation beside the result."""
        population = make_population(self.population)
        cost: dict[str, float] = {}
        if self.learner in SCALE:
            policy = POLICIES[self.learner]
        else:
            train = partial(TRAINERS[self.learner], population, seed=self.seed, size=self.size)
            steps = int(self.amount)
            if self.budget == "time" and self.size != "smoke":
                steps = self._affordable(folder / "pilot.json", train)
            began = time.process_time()
            policy, taken = train(steps)
            cost = {"steps": taken, "training_seconds": time.process_time() - began}
        evaluation = evaluate(policy, population, name=self.learner, users=self.users, batch=BATCH)
        evaluation.save(folder / "evaluation.npz")
        return cost

    def _affordable(self, path: Path, train: Callable[[int], tuple[Any, int]]) -> int:
        """Steps that the CPU-seconds suffice for, by trainings of growing length."""
        if not path.exists():
            train(1)  # pays for imports
            first = timed(train, 1)
            later = first
            while later[0] < first[0] + PILOT * self.amount:
                later = timed(train, 2 * later[1])
            write_json(path, {"seconds": (first[0], later[0]), "steps": (first[1], later[1])})
        pilot = json.loads(path.read_text())
        (few, more), (short, long) = pilot["steps"], pilot["seconds"]
        a_step = (long - short) / (more - few)
        return max(int(few + (self.amount - short) / a_step), 1)

    def evaluation(self, out: Path) -> Evaluation:
        """What `measure` kept."""
        return Evaluation.load(self.home(out) / "evaluation.npz")


PILOT = 0.05
"""Share of the CPU-seconds that a pilot takes at least."""


def timed(train: Callable[[int], tuple[Any, int]], steps: int) -> tuple[float, int]:
    """CPU-seconds of a training, and the steps that it took."""
    began = time.process_time()
    _, taken = train(steps)
    return time.process_time() - began, taken


LOOKS = 8
"""How often a meta-learner meets the validation users."""


def train_meta(
    learner: str, population: Population, steps: int, *, seed: int, size: Size
) -> tuple[PolicyFactory, int]:
    """A meta-learner, with the iterations that the steps allow, at least one."""
    kind = learner_type(learner)
    users, watched = (16, 20) if size == "smoke" else (128, 400)
    iterations = max(round(steps / (users * population.max_requests)), 1)
    config = replace(
        kind.config_type(), iterations=iterations, users=users, seed=seed,
        validate_every=max(iterations // LOOKS, 1), validation_users=watched,
    )  # fmt: skip
    policy = kind(config).fit(population)
    # Of users in a batch some leave before the others: these steps are an upper bound.
    return _Fixed(policy), iterations * users * population.max_requests


def train_tuned(
    population: Population, steps: int, *, seed: int, size: Size
) -> tuple[PolicyFactory, int]:
    """RecurrentPPO as the benchmark has it."""
    method: Any = METHODS["recurrent-ppo"]
    best = train_sb3(
        "recurrent-ppo", population, users=method.users, steps=round(steps / STEPS[size]),
        options=method.options, seed=seed, size=size,
    )  # fmt: skip
    assert best.arrays is not None
    return OfArrays(best.arrays, best.about), best.steps


def train_plain(
    population: Population, steps: int, *, seed: int, size: Size
) -> tuple[PolicyFactory, int]:
    """RecurrentPPO as it comes."""
    env = RecommendationVecEnv(population, 8)
    less: dict[str, Any] = {"n_steps": 16, "n_epochs": 1} if size == "smoke" else {}
    with alone(seed):
        agent = RecurrentPPO("MultiInputLstmPolicy", env, seed=seed, device="cpu", **less)
        agent.learn(steps)
    items = len(population.split("train").catalogue)
    return _Fixed(PlainPolicy(agent.policy, items)), int(agent.num_timesteps)


TRAINERS: dict[str, Callable[..., tuple[PolicyFactory, int]]] = {
    "rl2": partial(train_meta, "rl2"),
    "amortised": partial(train_meta, "amortised"),
    "recurrent-ppo": train_plain,
    "recurrent-ppo-tuned": train_tuned,
}
"""From a population, environment steps, a seed and a size to a policy and the steps it took."""


@dataclass(frozen=True)
class _Fixed:
    """Gives a policy that is there already."""

    policy: Any

    def __call__(self, env: RecommendationVectorEnv) -> Any:
        return self.policy


@dataclass(slots=True)
class PlainState:
    """What was shown, and the actor's LSTM, `(users, h)` each."""

    memory: Memory
    hidden: np.ndarray
    cell: np.ndarray


@dataclass(frozen=True)
class PlainPolicy:
    """The policy of sb3-contrib acting greedily on unseen items.

    Attributes:
        policy: of the agent.
        items: in the catalogue.
    """

    policy: Any
    items: int

    def start(self, users: int) -> PlainState:
        """An empty memory."""
        nothing = np.zeros((users, self.policy.lstm_actor.hidden_size), np.float32)
        return PlainState(new_memory(users, self.items, 1), nothing, nothing.copy())

    @torch.no_grad()
    def act(self, observation: Any, state: PlainState) -> tuple[np.ndarray, PlainState]:
        """The unseen items of highest probability."""
        seen = {
            key: torch.as_tensor(observation[key]) for key in self.policy.observation_space.spaces
        }
        before = tuple(torch.as_tensor(one)[None] for one in (state.hidden, state.cell))
        starts = torch.as_tensor(observation["new_user"][:, 0])
        distribution, after = self.policy.get_distribution(seen, before, starts)
        logits = distribution.distribution.logits.numpy()
        items = top_unseen(logits, state.memory.shown, 1)
        hidden, cell = (one[0].numpy() for one in after)
        return items, PlainState(state.memory.after(items), hidden, cell)


def main() -> None:
    """Measure what is missing, then show, for each budget, who is better and by how much."""
    options = of_size(tyro.cli(CompareRecurrent, description=__doc__))
    if make_population(options.population).slate != 1:
        raise ValueError("RecurrentPPO as it comes may show an item twice in a slate: "
                         "choose a population of one item a request")  # fmt: skip
    results = {}
    for cell in cells(options):
        if record_of(cell, options.out) is None:
            console().print(f"{cell.name}: measuring")
            spent = run_cell(cell, options.out)
            console().print(f"{cell.name}: {spent:.0f} CPU-seconds")
    for budget in ("time", "steps"):
        results[budget] = summary(options, budget)
        console().print(table(results[budget]))
    settings = asdict(options) | {"out": str(options.out)}
    write_json(options.out / "compare_recurrent.json", {"settings": settings} | results)
    write_text(options.out / "compare_recurrent.md", markdown(results))


def of_size(options: CompareRecurrent) -> CompareRecurrent:
    """The options, or in the smallest size budgets and users of its own."""
    if options.size == "standard":
        return options
    return replace(options, seconds=1.0, steps=2000, seeds=1, users=30, draws=200)


def cells(options: CompareRecurrent) -> list[Trained]:
    """All that is to be measured."""
    runs = [cell for budget in ("steps", "time") for cell in trained(options, budget)]
    return [*scale(options).values(), *runs]


def scale(options: CompareRecurrent) -> dict[str, Trained]:
    """The policies that scores are measured by, which are not trained."""
    return {
        name: Trained(name, "none", 0, options.population, options.users, 0, options.size)
        for name in SCALE
    }


def trained(options: CompareRecurrent, budget: str) -> list[Trained]:
    """The trainings on a budget."""
    amount = options.seconds if budget == "time" else options.steps
    chosen: Any = budget
    return [
        Trained(name, chosen, amount, options.population, options.users, seed, options.size)
        for name in (*META, *RIVALS)
        for seed in range(options.seeds)
    ]


def summary(options: CompareRecurrent, budget: str) -> dict[str, Any]:
    """CTR, score and cost of each learner, and how much higher each meta-learner is than a rival.

    The best meta-learner is the one of the higher CTR on the test users.
    """
    found = trained(options, budget)
    evaluations: dict[str, list[Evaluation]] = {
        name: [cell.evaluation(options.out)] for name, cell in scale(options).items()
    }
    costs: dict[str, list[dict[str, float]]] = {}
    for cell in found:
        record = record_of(cell, options.out)
        assert record is not None
        evaluations.setdefault(cell.learner, []).append(cell.evaluation(options.out))
        costs.setdefault(cell.learner, []).append(record["result"])
    comparison = Comparison(evaluations, draws=options.draws)
    learners = {
        name: {
            "ctr": asdict(comparison.estimate(name)),
            "score": asdict(comparison.score(name)),
            **{
                key: float(np.mean([one[key] for one in costs[name]])) if name in costs else None
                for key in ("steps", "training_seconds")
            },
        }
        for name in comparison.policies
    }
    differences = {
        mine: {rival: asdict(comparison.difference(mine, rival)) for rival in RIVALS}
        for mine in META
    }
    best = max(META, key=lambda name: float(comparison.estimate(name).value))
    amount = options.seconds if budget == "time" else options.steps
    return {
        "budget": budget, "amount": amount, "best": best, "learners": learners,
        "differences": differences,
    }  # fmt: skip


HEADINGS = ("learner", "CTR", "score", "steps", "CPU-s", *(f"less {rival}" for rival in RIVALS))


def rows(result: dict[str, Any]) -> list[list[str]]:
    """The cells of a table as text."""
    found = []
    for name, one in result["learners"].items():
        cost = ["-", "-"]
        if one["steps"] is not None:
            cost = [f"{one['steps']:,.0f}", f"{one['training_seconds']:,.0f}"]
        differences = [
            shown(result["differences"][name][rival], "+") if name in result["differences"] else ""
            for rival in RIVALS
        ]
        found.append([name, shown(one["ctr"]), shown(one["score"]), *cost, *differences])
    return found


def shown(interval: dict[str, float], sign: str = "") -> str:
    """A number with its interval."""
    one = Interval(**interval)
    return f"{one.value:{sign}.3f} [{one.low:{sign}.3f}, {one.high:{sign}.3f}]"


def heading(result: dict[str, Any]) -> str:
    """What is equal in a table."""
    unit = "CPU-seconds" if result["budget"] == "time" else "environment steps"
    return f"At equal {result['budget']}: {result['amount']:,.0f} {unit} of training"


def table(result: dict[str, Any]) -> Table:
    """A rich table of one budget."""
    made = Table(title=heading(result))
    for place, name in enumerate(HEADINGS):
        made.add_column(name, justify="left" if place == 0 else "right")
    for row in rows(result):
        made.add_row(*row)
    return made


def markdown(results: dict[str, Any]) -> str:
    """The tables of all budgets."""
    parts = []
    for result in results.values():
        lines = ["| " + " | ".join(HEADINGS) + " |", "|-" * len(HEADINGS) + "|"]
        lines += ["| " + " | ".join(row) + " |" for row in rows(result)]
        parts.append(f"## {heading(result)}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    run(main)
