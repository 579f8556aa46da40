"""Tabular Markov decision processes: learners beside posterior sampling."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from driftrec.meta.amortised import AmortisedConfig
from driftrec.meta.ppo import PPOConfig
from driftrec.meta.rl2_config import RL2Config
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

SECTION = "mdp"
TITLE = "Tabular decision processes"

PUBLISHED = {
    "random": {10: 100.1, 25: 250.2},
    "psrl": {10: 138.1, 25: 408.8},
    "opsrl": {10: 144.1, 25: 425.2},
    "RL²": {10: 156.2, 25: 445.7},
}
"""Duan et al. (2016, table 2), by the number of episodes."""

TARGETS = {10: 150.0, 25: 435.0}

ITERATIONS = 40
OPTIMISM = 0.5
"""Standard deviations of the bonus: of the amortised filter, and of RL² in the longer trials."""

SHORTEST = 10
"""Episodes of the trials that are trained on."""

USERS = 128
TESTED = 2000
LEARNERS = ("RL²", "amortised filter (UCB)")
SHORTER = "amortised filter (UCB), trained on n = 10"


def variants(episodes: int, plan: Plan) -> dict[str, Variant]:
    """Learners with their settings; a filter over pairs of state and action is among the inputs."""
    iterations = plan.pick(2, ITERATIONS, 3 * ITERATIONS)
    common = {
        "iterations": iterations,
        "users": plan.pick(16, USERS),
        "hidden": plan.pick(8, 64),
        "unseen_only": False,
        "probes": 5,
        "validate_every": max(iterations // 5, 1),
        "validation_users": plan.pick(16, 500),
    }
    rl2 = RL2Config(
        **common,
        continuing=False,
        own_rate=1.0,
        sharpness=2.0,
        ppo=PPOConfig(epochs=4, minibatches=4, gamma=0.97, lam=0.9, entropy=0.01),
    )
    amortised = AmortisedConfig(
        **common, timed=True, acting="ucb", bonus=OPTIMISM, explore=0.02, epochs=4, minibatches=4
    )
    if episodes == SHORTEST:
        known = (Variant("rl2", rl2), Variant("amortised", amortised))
        return dict(zip(LEARNERS, known, strict=True))
    # What is believed does not depend on how long the trial will be, if that is not told.
    often = max(iterations // 6, 1)
    untimed = replace(rl2, continuing=True, optimism=OPTIMISM, validate_every=often)
    taught = replace(amortised, timed=False, validate_every=often)
    shorter = task(SHORTEST, plan)
    return {
        "RL²": Variant("rl2", untimed, trained_on=shorter),
        SHORTER: Variant("amortised", taught, trained_on=shorter),
    }


def task(episodes: int, plan: Plan) -> Task:
    """Ten states, five actions, episodes of ten steps."""
    return Task("tabular", {"episodes": episodes}, plan.pick(20, TESTED))


def sizes(plan: Plan) -> tuple[int, ...]:
    """Numbers of episodes."""
    chosen: tuple[int, ...] = plan.pick((10,), (10, 25))
    return chosen


def reference(episodes: int, name: str, plan: Plan) -> ReferenceCell:
    """The cell of a policy that needs no training."""
    return ReferenceCell(SECTION, task(episodes, plan), name)


def learners(episodes: int, plan: Plan) -> list[LearnerCell]:
    """Cells of RL²."""
    return learner_cells(SECTION, task(episodes, plan), variants(episodes, plan), plan.seeds)


def cells(plan: Plan) -> list[Cell]:
    """All of the section."""
    found: list[Cell] = []
    for episodes in sizes(plan):
        found += [reference(episodes, name, plan) for name in PUBLISHED if name != "RL²"]
        found += learners(episodes, plan)
    return found


def page(plan: Plan, out: Path, static: Path) -> str:
    """The section's text."""
    rows = [row for episodes in sizes(plan) for row in _rows(episodes, plan, out)]
    headings = ["n", "policy", "published", "measured", "target", "verdict", "CPU-s of a training"]
    return f"""\
Total reward over n episodes of ten steps in a random process of ten states and five actions (Duan
et al. 2016, table 2), counted by expected rewards: mean ± standard error over fresh processes and
training seeds. RL² acts greedily; the amortised filter by UCB, bonus .5. Learners of n = 25 are
trained on n = 10 and not told the time, so that they can serve in longer trials; there RL² builds
on a belief with a bonus of .5 too.

{table(headings, rows)}"""


def _rows(episodes: int, plan: Plan, out: Path) -> list[list[str]]:
    rows = []
    found = learner_scores(learners(episodes, plan), out)
    learnable = variants(episodes, plan)
    for name in dict.fromkeys([*PUBLISHED, *learnable]):
        learnt = name in learnable
        known = found.get(name)
        score = known if learnt else reference_score(reference(episodes, name, plan), out)
        target = f"> {TARGETS[episodes]:.0f}" if learnt else ""
        published = PUBLISHED.get(name, {}).get(episodes, "")
        start = [f"{episodes}", name, f"{published}"]
        if score is None:
            rows.append([*start, NOT_RUN, target, NOT_RUN if learnt else "", ""])
            continue
        number = plus_minus(score.value, score.error, 1)
        if learnt:
            judged = verdict(score.value, TARGETS[episodes], decimals=1)
            cost = f"{score.cpu_seconds:.0f}"
            rows.append([*start, f"{number} {of_seeds(score.seeds)}", target, judged, cost])
        else:
            rows.append([*start, number, "", "", ""])
    return rows
