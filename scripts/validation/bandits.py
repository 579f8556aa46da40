"""Bernoulli bandits: RL² and the amortised filter beside all references and the exact optimum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from driftrec.agents.references import bernoulli_optimum, reference_policies
from driftrec.meta.amortised import AmortisedConfig
from driftrec.meta.ppo import PPOConfig
from driftrec.meta.rl2_config import RL2Config
from validation.cells import Cell, Plan, result_of
from validation.tasks import (
    LearnerCell,
    ReferenceCell,
    Score,
    Task,
    TaskCell,
    Variant,
    learner_cells,
    learner_scores,
    reference_score,
)
from validation.text import NOT_RUN, of_seeds, plus_minus, table, verdict

SECTION = "bandits"
TITLE = "Bernoulli bandits"

ARMS = (5, 10, 50)


@dataclass(frozen=True)
class Effort:
    """How long learners train on trials of a length, and by how much they are judged.

    Attributes:
        iterations: batches of trials.
        users: trials in a batch.
        validated: bandits of a validation; differences are small where pulls are few.
        tested: fresh bandits.
    """

    iterations: int
    users: int
    validated: int
    tested: int


SHORT = 10
"""Pulls of the shortest trials, which are solved exactly."""

EFFORT = {
    SHORT: Effort(iterations=120, users=1024, validated=40_000, tested=400_000),
    100: Effort(iterations=40, users=512, validated=2000, tested=20_000),
    500: Effort(iterations=24, users=512, validated=2000, tested=5_000),
}
"""By the number of pulls; the full size takes three times as many iterations."""

BELIEF_ITERATIONS = 24
"""Of the amortised filter, which learns faster by its labels."""

TRAINED_PULLS = 100
"""Pulls of the longest trials that are trained on; policies of longer ones are trained on these."""

OPTIMISM = {5: 1.4, 10: 1.0, 50: 1.0}
"""Standard deviations of the belief that make a policy's bonus, by the number of arms; chosen on
other bandits than those of the table."""

PUBLISHED = {
    (5, 10): 6.7, (10, 10): 6.7, (50, 10): 6.8,
    (5, 100): 78.7, (10, 100): 83.5, (50, 100): 84.9,
    (5, 500): 401.6, (10, 500): 432.5, (50, 500): 438.9,
}  # fmt: skip
"""RL² of Duan et al. (2016, table 1), by arms and pulls."""

TARGETS = {(5, 100): 78.0, (10, 100): 82.5, (5, 500): 400.0}
"""Where they are not the exact optimum less .02, or the published value less 1%."""

EXACT_WITHIN = 0.02


@dataclass(frozen=True)
class ExactCell(Cell):
    """The exact Bayes-adaptive optimum, by dynamic programming."""

    arms: int
    pulls: int
    section = SECTION

    @property
    def name(self) -> str:
        """Sizes."""
        return f"bernoulli arms={self.arms} pulls={self.pulls} exact"

    def measure(self, folder: Path) -> dict[str, Any]:
        """Solve it, or say that it is too large."""
        try:
            return {"value": bernoulli_optimum(self.arms, self.pulls)}
        except ValueError as error:
            return {"unfit": str(error)}


def variants(arms: int, pulls: int, plan: Plan) -> dict[str, Variant]:
    """Learners with their settings."""
    effort = EFFORT[pulls]
    iterations = plan.pick(2, effort.iterations, 3 * effort.iterations)
    common = {
        "iterations": iterations,
        "users": plan.pick(16, effort.users),
        "hidden": plan.pick(8, 64),
        "unseen_only": False,
        "validate_every": max(iterations // 4, 1),
        "validation_users": plan.pick(16, effort.validated),
    }
    endless = pulls > TRAINED_PULLS
    # Without the time among its inputs, and for a discounted future, a policy knows no end.
    gamma = 0.997 if endless else 1.0
    rl2 = RL2Config(
        **common,
        continuing=endless,
        probes=arms,
        own_rate=0.02 if endless else 0.1,
        optimism=OPTIMISM[arms],
        ppo=PPOConfig(epochs=4, minibatches=8, gamma=gamma, lam=0.95, entropy=0.003),
    )
    taught = common | {"iterations": plan.pick(2, BELIEF_ITERATIONS, 3 * BELIEF_ITERATIONS)}
    amortised = AmortisedConfig(
        **taught, probes=arms, acting="ucb", bonus=OPTIMISM[arms], timed=not endless
    )
    trained_on = task(arms, TRAINED_PULLS, plan) if endless else None
    found = {
        "RL²": Variant("rl2", rl2, trained_on=trained_on),
        "amortised filter (UCB)": Variant("amortised", amortised, trained_on=trained_on),
    }
    if pulls == SHORT:
        ppo = replace(rl2.ppo, entropy=0.005)
        # A step moves an arm's score by the square of its feature's scale: by their number.
        rate = min(5e-3, 5e-2 / arms)
        own = replace(rl2, belief=False, optimism=0.0, learning_rate=rate, ppo=ppo)
        found["RL²"] = Variant("rl2", own)
        plain = replace(own, filter=False, probes=0, expected_rewards=False)
        found["plain RL²"] = Variant("rl2", plain)
    return found


def task(arms: int, pulls: int, plan: Plan) -> Task:
    """The bandit of a cell."""
    tested = plan.pick(50, EFFORT[pulls].tested)
    return Task("bernoulli", {"arms": arms, "pulls": pulls}, tested)


def reference_names(pulls: int) -> list[str]:
    """Those that are for so many pulls; the exact policy is for the shortest trials alone."""
    names = reference_policies(task(5, pulls, Plan()).population.model)
    return [
        name
        for name in names
        if not (name == "index" and pulls > 250) and not (name == "optimum" and pulls > 10)
    ]


def sizes(plan: Plan) -> list[tuple[int, int]]:
    """Arms and pulls of the cells; the smallest alone for smoke."""
    everything = [(arms, pulls) for pulls in EFFORT for arms in ARMS]
    chosen: list[tuple[int, int]] = plan.pick(everything[:1], everything)
    return chosen


def references(arms: int, pulls: int, plan: Plan) -> dict[str, ReferenceCell]:
    """Cells of the references, by name."""
    where = task(arms, pulls, plan)
    return {name: ReferenceCell(SECTION, where, name) for name in reference_names(pulls)}


def learners(arms: int, pulls: int, plan: Plan) -> list[LearnerCell]:
    """Cells of the learners."""
    where = task(arms, pulls, plan)
    return learner_cells(SECTION, where, variants(arms, pulls, plan), plan.seeds)


def cells(plan: Plan) -> list[Cell]:
    """All of the section, short trials first."""
    found: list[Cell] = []
    for arms, pulls in sizes(plan):
        found += [ExactCell(arms, pulls), *references(arms, pulls, plan).values()]
        found += learners(arms, pulls, plan)
    return found


def page(plan: Plan, out: Path, static: Path) -> str:
    """The section's text."""
    names = list(variants(5, SHORT, plan))
    rows = [_row(arms, pulls, plan, out, names) for arms, pulls in sizes(plan)]
    headings = ["n, k", "exact", "published RL²", "target", *names, "verdict", "best of those run"]
    everyone = reference_names(10)
    others = [
        [f"{pulls}, {arms}", *_reference_row(arms, pulls, plan, out, everyone)]
        for arms, pulls in sizes(plan)
    ]
    return f"""\
Total reward of a trial of n pulls of k arms with p ~ U[0, 1] (Duan et al. 2016, table 1): mean ±
standard error over fresh bandits and training seeds. It is n k / (k + 1), what the best arm of a
bandit pays in expectation, less the mean regret by the probabilities of the pulled arms: the same
as the mean reward, with less noise.
RL² acts greedily, the amortised filter by UCB. With ten pulls "RL²" is all its own, and learns from
expected rewards with a filter among its inputs; "plain RL²" learns from clicks alone. With more
pulls it builds on a belief, with a bonus (`optimism`) of {OPTIMISM[5]:g} standard deviations among
5 arms and {OPTIMISM[10]:g} among more. Learners of trials of 500 pulls are trained on trials of
100, of which they are not told the end. The verdict is on RL²; a learner above the exact optimum by
more than 3 standard errors would be a leak, and is flagged. The target
is the exact optimum less {EXACT_WITHIN} where there is one, else a fixed bound, else the
published value less 1%.

{table(headings, rows)}

The references on the same bandits:

{table(["n, k", *everyone], others)}

{_costs(plan, out)}"""


def target_of(arms: int, pulls: int, exact: float | None) -> float:
    """What RL² must reach."""
    if exact is not None:
        return exact - EXACT_WITHIN
    return TARGETS.get((arms, pulls), 0.99 * PUBLISHED[arms, pulls])


def rewards(cells: list[LearnerCell], out: Path) -> dict[str, Score]:
    """What the learners earned, by variant."""
    regrets = learner_scores(cells, out, "regret")
    return {name: reward(regret, cells[0]) for name, regret in regrets.items()}


def reward(regret: Score | None, cell: TaskCell) -> Any:
    """The reward that goes with a regret, or None where there is none."""
    if regret is None:
        return None
    arms, pulls = cell.task.sizes["arms"], cell.task.sizes["pulls"]
    return replace(regret, value=pulls * arms / (arms + 1) - regret.value)


def _row(arms: int, pulls: int, plan: Plan, out: Path, names: list[str]) -> list[str]:
    exact = (result_of(ExactCell(arms, pulls), out) or {}).get("value")
    known = variants(arms, pulls, plan)
    found = rewards(learners(arms, pulls, plan), out)
    target = target_of(arms, pulls, exact)
    best = max(found, key=lambda name: found[name].value) if found else NOT_RUN
    return [
        f"{pulls}, {arms}",
        "-" if exact is None else f"{exact:.3f}",
        f"{PUBLISHED[arms, pulls]}",
        f"{target:.2f}",
        *(_number(found.get(name), exact) if name in known else "-" for name in names),
        judged(found, target),
        best,
    ]


def judged(found: dict[str, Score], target: float) -> str:
    """Whether the better RL² meets the target."""
    rl2 = [found[name].value for name in ("RL²", "plain RL²") if name in found]
    return verdict(max(rl2), target) if rl2 else NOT_RUN


def _number(score: Score | None, exact: float | None) -> str:
    if score is None:
        return NOT_RUN
    leak = exact is not None and score.value > exact + 3 * score.error
    text = plus_minus(score.value, score.error, 3 if score.value < 10 else 2)
    return f"{text} {of_seeds(score.seeds)}" + (" **leak**" if leak else "")


def _reference_row(arms: int, pulls: int, plan: Plan, out: Path, everyone: list[str]) -> list[str]:
    known = references(arms, pulls, plan)
    scores = {
        name: reward(reference_score(cell, out, "regret"), cell) for name, cell in known.items()
    }
    return [
        "-" if name not in scores else NOT_RUN if (one := scores[name]) is None
        else plus_minus(one.value, one.error, 3 if pulls == 10 else 2)
        for name in everyone
    ]  # fmt: skip


def _costs(plan: Plan, out: Path) -> str:
    rows = []
    for arms, pulls in sizes(plan):
        found = learner_scores(learners(arms, pulls, plan), out)
        texts = [f"{name} {one.cpu_seconds:.0f}" for name, one in found.items()]
        rows.append(f"n={pulls}, k={arms}: {', '.join(texts) or NOT_RUN}")
    return f"CPU-seconds of one training: {'; '.join(rows)}."
