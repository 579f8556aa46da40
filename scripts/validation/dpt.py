"""The bandits of the decision-pretrained transformer: regret beside Thompson sampling and UCB."""

from __future__ import annotations

from pathlib import Path

from driftrec.agents.references import reference_policies
from driftrec.meta.amortised import AmortisedConfig
from driftrec.meta.dpt import DPTConfig
from validation.cells import Cell, Plan
from validation.tasks import (
    LearnerCell,
    ReferenceCell,
    Task,
    Variant,
    learner_cells,
    learner_scores,
    reference_score,
)
from validation.text import NOT_RUN, of_seeds, plus_minus, table, verdict

SECTION = "dpt"
TITLE = "The bandits of DPT"

PUBLISHED = {
    "gaussian": {"thompson": 9.54, "ucb": 10.54, "empirical-mean": 17.9},
    "linear": {"thompson": 4.00, "linucb": 3.97},
}
"""Lee et al. (2023)."""

YARDSTICKS = {"gaussian": ("thompson", "ucb"), "linear": ("thompson",)}
"""The better of these, as measured here, plus 10% is the target."""

PULLS = {"gaussian": 500, "linear": 200}
TESTED = 5000
ITERATIONS = {"gaussian": 130, "linear": 200}
TOWERS = {"gaussian": 0, "linear": 32}
"""Which of ten arms in a plane is best is not linear in their features; of ten arms that have a
feature each it is."""

BELIEF_ITERATIONS = 20
BONUS = 2.0
"""Standard deviations of UCB, chosen on validation users, from .5 to 3."""

USERS = 512
BELIEF_USERS = {"gaussian": 128, "linear": 256}
MARGIN = 1.1

ACTINGS = {"sampled": {}, "argmax": {"acting": "greedy"}}
"""How one training of DPT acts; Lee et al. (2023) sample."""


def variants(family: str, plan: Plan) -> dict[str, Variant]:
    """DPT, whose training trials are those of its sampled actions, and the filter."""
    iterations = plan.pick(2, ITERATIONS[family], 3 * ITERATIONS[family])
    common = {
        "iterations": iterations,
        "users": plan.pick(16, USERS),
        "hidden": plan.pick(8, 64),
        "unseen_only": False,
        "timed": True,
        "validate_every": max(iterations // 5, 1),
        "validation_users": plan.pick(16, 1000),
    }
    # A transformer that remembers 500 pulls is out of reach of a CPU.
    dpt = DPTConfig(**common, memory="gru", towers=TOWERS[family], explore=0.1, acting="sample")
    few = plan.pick(2, BELIEF_ITERATIONS, 3 * BELIEF_ITERATIONS)
    shorter = common | {"iterations": few, "validate_every": max(few // 5, 1)}
    shorter["users"] = plan.pick(16, BELIEF_USERS[family])
    amortised = AmortisedConfig(**shorter, probes=10, acting="ucb", bonus=BONUS, explore=0.02)
    return {
        "DPT": Variant("dpt", dpt, ACTINGS),
        "amortised filter (UCB)": Variant("amortised", amortised),
    }


def task(family: str, plan: Plan) -> Task:
    """The bandit of a family."""
    pulls = plan.pick(20, PULLS[family])
    return Task(family, {"pulls": pulls}, plan.pick(20, TESTED))


def references(family: str, plan: Plan) -> dict[str, ReferenceCell]:
    """Cells of the references, by name."""
    where = task(family, plan)
    names = reference_policies(where.population.model)
    return {name: ReferenceCell(SECTION, where, name) for name in names}


def learners(family: str, plan: Plan) -> list[LearnerCell]:
    """Cells of the learners."""
    return learner_cells(SECTION, task(family, plan), variants(family, plan), plan.seeds)


def cells(plan: Plan) -> list[Cell]:
    """All of the section."""
    return [
        cell
        for family in PUBLISHED
        for cell in [*references(family, plan).values(), *learners(family, plan)]
    ]


def page(plan: Plan, out: Path, static: Path) -> str:
    """The section's text."""
    rows = [row for family in PUBLISHED for row in _rows(family, plan, out)]
    headings = ["bandit", "policy", "published", "regret", "target", "verdict", "CPU-s"]
    return f"""\
Regret of a trial, by expected rewards (Lee et al. 2023): Gaussian arms over 500 pulls, linear arms
over 200; mean ± standard error over fresh bandits and training seeds. The target is the regret of
the better of Thompson sampling and UCB (linear: of Thompson sampling), as measured here, plus 10%.
DPT's memory is a GRU; one training acts by sampling, as in its training trials, and by argmax.
Linear arms lie in a plane, and which of them is best is not linear in their features: there it
scores with {TOWERS["linear"]} units of towers. The amortised filter acts by UCB with a bonus of
{BONUS:g} standard deviations. The verdict is on each.

{table(headings, rows)}"""


def _rows(family: str, plan: Plan, out: Path) -> list[list[str]]:
    known = {
        name: reference_score(cell, out, "regret")
        for name, cell in references(family, plan).items()
    }
    yardsticks = [known[name] for name in YARDSTICKS[family]]
    target = MARGIN * min(one.value for one in yardsticks if one) if all(yardsticks) else None
    rows = [
        [family, name, f"{PUBLISHED[family].get(name, '')}",
         NOT_RUN if score is None else plus_minus(score.value, score.error), "", "", ""]
        for name, score in known.items()
    ]  # fmt: skip
    found = learner_scores(learners(family, plan), out, "regret")
    for name in _acting_names(family, plan):
        text, judged, cost = NOT_RUN, NOT_RUN, ""
        if (one := found.get(name)) is not None:
            text = f"{plus_minus(one.value, one.error)} {of_seeds(one.seeds)}"
            cost = f"{one.cpu_seconds:.0f}"
            if target is not None:
                judged = verdict(one.value, target, below=True, decimals=2)
        bound = "" if target is None else f"< {target:.2f}"
        rows.append([family, name, "", text, bound, judged, cost])
    return rows


def _acting_names(family: str, plan: Plan) -> list[str]:
    return [
        f"{name}, {acting}" if acting else name
        for name, one in variants(family, plan).items()
        for acting in one.actings
    ]
