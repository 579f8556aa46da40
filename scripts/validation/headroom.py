"""What there is to gain on each published task: by chance, by greed, by planning, by learning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from driftrec.envs.published import SOURCES
from driftrec.meta.amortised import AmortisedConfig
from driftrec.meta.ppo import PPOConfig
from driftrec.meta.rl2_config import RL2Config
from validation.cells import Cell, Plan
from validation.played import PLANNING, PlayedCell, TrainedCell, label_of, over_seeds, score_of
from validation.tasks import Score
from validation.text import NOT_RUN, SURE, of_seeds, plus_minus, table, verdict

SECTION = "headroom"
TITLE = "Headroom"

POLICIES = ("random", "myopic oracle", "planning oracle")

USERS = {"random": 1000, "myopic oracle": 1000, "planning oracle": 40}
BATCH = {"random": 200, "myopic oracle": 200, "planning oracle": 40}
TESTED = 1000

CAPS = (0, 1, 2, 3)
"""Items of a topic in a slate that are compared on validation users; 0 is no bound."""

CHEAP = (
    "attrition.", "rebounding.", "preference_dynamics.", "recgym.", "recogym.",
    "recsim.InterestExploration", "recsim.LongTermSatisfaction", "sardine.SlateRerank",
)  # fmt: skip
"""Tasks that are soon planned, with more users."""

USERS_OF_CHEAP = 400

NO_ROOM = 0.1
"""Share of the best return below which the way there from random slates is not worth learning."""

SENSITIVE = ("recsim.LongTermSatisfaction", {"sensitivity": 0.3})

Key = tuple[str, tuple[tuple[str, Any], ...]]

TASKS: list[tuple[str, dict[str, Any]]] = [
    (f"{source}.{task}", {}) for source, known in SOURCES.items() for task in known.tasks
]
TASKS.insert(TASKS.index((SENSITIVE[0], {})) + 1, SENSITIVE)

TO_PLAN = {
    "sardine.SlateTopK-Bored": 420.0,
    "sardine.SlateTopK-BoredInf": 274.0,
    "sardine.SlateTopK-Uncertain": 302.0,
    "recsim.InterestEvolution": 264.5,
    "recsim.LongTermSatisfaction (sensitivity 0.3)": 1657.0,
}
"""What planning must return."""

TO_LEARN = {
    "sardine.SlateTopK-Bored": (137.7, 300.0),
    "recsim.InterestEvolution": (174.6, 250.0),
    "recsim.LongTermSatisfaction (sensitivity 0.3)": (1600.0, 1600.0),
}
"""What learning must return from observations alone (the best published policy), and its aim."""


def _config(task: str, plan: Plan) -> RL2Config | AmortisedConfig:
    """How a task is learned, and by which learner."""
    if task.startswith("sardine.SlateTopK"):
        # Which topics bore is told by clicks that stay away: slates that mix them, of a belief.
        return AmortisedConfig(
            users=plan.pick(8, 128),
            hidden=plan.pick(4, 64),
            iterations=plan.pick(1, 60),
            validate_every=plan.pick(1, 20),
            validation_users=plan.pick(8, 100),
            validate_by="trial",
            learning_rate=5e-3,
            probes=24,
            explore=0.05,
            cap=2,
        )
    own = RL2Config(
        users=plan.pick(8, 128),
        hidden=plan.pick(4, 32),
        iterations=plan.pick(1, 40),
        validate_every=plan.pick(1, 5),
        validation_users=plan.pick(8, 300),
        validate_by="trial",
        continuing=False,
        ppo=PPOConfig(epochs=4, minibatches=4, gamma=1.0, lam=0.95, entropy=0.003),
        probes=0,
        filter=False,
        belief=False,
    )
    if task == "recsim.InterestEvolution":
        # What a document gives back shows only at the end: no bootstrapping, and many trials.
        ppo = replace(own.ppo, epochs=3, lam=1.0)
        own = replace(
            own, users=plan.pick(8, 256), iterations=plan.pick(1, 300), learning_rate=5e-3, ppo=ppo
        )
    return own


def learners(task: str, parameters: Mapping[str, Any], plan: Plan) -> list[TrainedCell]:
    """Trainings of a learner on a task."""
    headline, config = label_of(task, parameters) in TO_LEARN, _config(task, plan)
    learner = "rl2" if isinstance(config, RL2Config) else "amortised"
    return [
        TrainedCell(
            SECTION, task, learner, replace(config, seed=seed), plan.pick(20, TESTED),
            parameters=parameters, caps=CAPS if learner == "amortised" else (),
        )
        for seed in range(plan.seeds if headline else 1)
    ]  # fmt: skip


def oracle(task: str, parameters: Mapping[str, Any], policy: str, plan: Plan) -> PlayedCell:
    """A policy that is not trained, on a task."""
    many = task.startswith(CHEAP)
    users = plan.pick(2, max(USERS[policy], USERS_OF_CHEAP) if many else USERS[policy])
    batch = min(BATCH[policy], users)
    options = PLANNING.get(task, {"rollouts": 4}) if policy == "planning oracle" else {}
    return PlayedCell(SECTION, task, policy, users, batch, parameters=parameters, options=options)


def cells(plan: Plan) -> list[Cell]:
    """All of the section."""
    chosen = TASKS[:1] if plan.size == "smoke" else TASKS
    return [
        *(oracle(*task, policy, plan) for policy in POLICIES for task in chosen),
        *(cell for task in chosen for cell in learners(*task, plan)),
    ]


def page(plan: Plan, out: Path, static: Path) -> str:
    """The section's text."""
    rows = [_row(task, parameters, plan, out) for task, parameters in TASKS]
    headings = ["task", *POLICIES, "learned", "CPU-s", "room"]
    targets = [row for task, parameters in TASKS for row in _targets(task, parameters, plan, out)]
    return f"""\
Return of a trial of test users, ± standard error. The myopic oracle knows the user's hidden state
and shows what they like most now; the planning oracle (`driftrec.agents.PlanningOracle`) looks
ahead too, and is no upper bound. Learners are trained on `train` users and see observations alone:
RL², by one plain setting (no filter, no labels) but for the tasks below, so that it does not say
how far learning can get; on slates that can bore (SARDINE's SlateTopK) the amortised filter, whose
slates hold no more of a topic than is best for validation users. Where the best of these is less
than a {1 / NO_ROOM:.0f}th above random slates, learning has little to gain. Returns of policies
without training come with the package: `driftrec.envs.reference_scores`.

{table(headings, rows)}

Where planning and learning must come to, by the reference tables, whose numbers were measured too:
264.5 ± 1.5, 420 ± 20, 274 ± 10, 302 ± 5 (95%) and 1657, to 1% (by the model's equations who never
shows clickbait gets 1638):

{table(["task", "by", "must reach", "returned", "verdict"], targets)}"""


def scores(plan: Plan, out: Path) -> dict[str, dict[str, list[float]]]:
    """Mean return and its standard error, by task and policy, of what needs no training."""
    found: dict[str, dict[str, list[float]]] = {}
    for task, parameters in TASKS:
        for policy in POLICIES:
            score = score_of(oracle(task, parameters, policy, plan), out)
            if score is not None:
                numbers = [round(score.value, 4), round(score.error, 4)]
                found.setdefault(label_of(task, parameters), {})[policy] = numbers
    return found


def _row(task: str, parameters: Mapping[str, Any], plan: Plan, out: Path) -> list[str]:
    known = [score_of(oracle(task, parameters, policy, plan), out) for policy in POLICIES]
    learnt = over_seeds(learners(task, parameters, plan), out)
    cost = "" if learnt is None else f"{learnt.cpu_seconds:.0f}"
    texts = [NOT_RUN if score is None else plus_minus(score.value, score.error) for score in known]
    own = _learnt(learnt)
    return [label_of(task, parameters), *texts, own, cost, _room(known, learnt)]


def _learnt(score: Score | None) -> str:
    if score is None:
        return NOT_RUN
    return f"{plus_minus(score.value, score.error)} {of_seeds(score.seeds)}"


def _room(known: list[Score | None], learnt: Score | None) -> str:
    if any(score is None for score in known):
        return NOT_RUN
    values = [score.value for score in [*known, learnt] if score is not None]
    room = (max(values) - values[0]) / max(abs(max(values)), 1e-9)
    return f"{room:.0%}" + (" (little)" if room < NO_ROOM else "")


def _targets(task: str, parameters: Mapping[str, Any], plan: Plan, out: Path) -> list[list[str]]:
    label, rows = label_of(task, parameters), []
    if label in TO_PLAN:
        score = score_of(oracle(task, parameters, "planning oracle", plan), out)
        rows.append([label, "planning", *_judged(score, TO_PLAN[label])])
    if label in TO_LEARN:
        score = over_seeds(learners(task, parameters, plan), out)
        published, aim = TO_LEARN[label]
        rows.append([label, "learning", *_judged(score, published)])
        if aim > published:
            rows.append([label, "learning, aim", *_judged(score, aim)])
    return rows


def _judged(score: Score | None, bound: float) -> list[str]:
    if score is None:
        return [f"{bound:g}", NOT_RUN, NOT_RUN]
    found = _learnt(score) if score.seeds else plus_minus(score.value, score.error)
    judged = verdict(score.value, bound, decimals=1)
    if abs(score.value - bound) < SURE * score.error:
        judged += ", less than the interval"
    return [f"{bound:g}", found, judged]
