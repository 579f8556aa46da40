"""The reference tables of the published simulators, beside what their native twins return."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from validation.cells import Cell, Plan
from validation.played import PlayedCell, score_of
from validation.text import NOT_RUN, SURE, plus_minus, table

SECTION = "published"
TITLE = "Reference tables"

ROOT = Path(__file__).parents[2]

ORIGINALS = ROOT / "docs" / "results" / "validation" / "originals.json"
"""What `scripts/compare_originals.py` found."""

USERS = 1000


@dataclass(frozen=True)
class Row:
    """A number that was published, or measured with the original.

    Attributes:
        task: as in the id.
        policy: its name in the tables.
        value: return of a trial.
        within: half of its 95% interval.
        parameters: of the users.
    """

    task: str
    policy: str
    value: float
    within: float
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def cell(self, plan: Plan) -> PlayedCell:
        """What measures it here."""
        users = plan.pick(20, USERS)
        return PlayedCell(SECTION, self.task, self.policy, users, parameters=self.parameters)


def _of_task(task: str, rows: Mapping[str, tuple[float, float]], **parameters: Any) -> list[Row]:
    return [Row(task, policy, *numbers, parameters) for policy, numbers in rows.items()]


def _sardine(
    task: str,
    random: tuple[float, float],
    greedy: tuple[float, float],
    aware: tuple[float, float] | None = None,
) -> list[Row]:
    rows = {"random": random, "myopic oracle": greedy}
    return _of_task(f"sardine.{task}", rows if aware is None else rows | {"aware heuristic": aware})


def _satisfaction(sensitivity: float, random: float, choc: float, kale: float) -> list[Row]:
    # Measured with an interval of about 1% of each.
    rows = {"random": random, "most clickbait": choc, "least clickbait": kale}
    return _of_task(
        "recsim.LongTermSatisfaction",
        {policy: (value, 0.0125 * value) for policy, value in rows.items()},
        sensitivity=sensitivity,
    )


ROWS = [
    *_sardine("SingleItem-Static", (8.42, 0.66), (100.0, 0.05)),
    *_sardine("SingleItem-BoredInf", (8.78, 0.77), (50.69, 0.34), (76.1, 1.2)),
    *_sardine("SingleItem-Uncertain", (11.37, 0.59), (94.79, 0.30)),
    *_sardine("SlateTopK-Bored", (44.6, 2.9), (139.0, 8.6), (420.0, 20.0)),
    *_sardine("SlateTopK-BoredInf", (42.6, 3.4), (144.4, 9.6), (274.0, 10.0)),
    *_sardine("SlateTopK-Uncertain", (70.2, 3.0), (134.2, 5.1), (302.0, 5.0)),
    *_sardine("SlateRerank-Static", (14.69, 1.15), (21.74, 0.86)),
    *_sardine("SlateRerank-Bored", (12.50, 1.34), (14.03, 0.56), (17.7, 1.0)),
    *_of_task(
        "recsim.InterestEvolution",
        {
            "random": (160.44, 0.32),
            "favourite topic": (168.08, 0.97),
            "(u + 1) exp(q / 2)": (226.6, 1.2),
            "topic quality": (264.5, 1.5),
        },
    ),
    *_satisfaction(0.01, 952, 1121, 789),
    *_satisfaction(0.1, 965, 854, 1007),
    *_satisfaction(0.3, 999, 486, 1657),
    *_satisfaction(0.5, 1062, 314, 2494),
    *_of_task(
        "recsim.InterestExploration",
        {"random": (22.98, 0.79), "best quality": (38.54, 1.14), "myopic oracle": (39.11, 1.07)},
    ),
    *_of_task("reclab.TopicsStatic", {"random": (599.5, 6.2), "myopic oracle": (958.2, 3.3)}),
    *_of_task("reclab.TopicsDynamic", {"random": (603.2, 6.3), "myopic oracle": (960.2, 1.3)}),
]
"""Of SARDINE, RecSim and RecLab, measured with the originals (± 95%)."""

ELSEWHERE = """\
Other figures are bound to things that only the originals have, and are reproduced by the tests
that have these: RecoGym's click-through with the products of the original's seed 42 (published
1.09, 1.13, 1.37 and 1.08%; here 1.13, 1.13, 1.36 and 1.04%: `test_recogym.py` in
`tests/envs/published`), RECGym's returns for the hundred users of its seed (published -.475, -.772
to -.174, for random items; here -.29: `test_recgym.py`), KuaiSim's depth of a session given the
reward (14.02 / 14.63 / 14.89 / 14.98 published; 14.09 / 14.62 / 15.01 / 15.07 by its rule of
patience: `test_kuaisim.py`). Not reproduced are KuaiSim's return times (3.5 days published, 2.4
here): they follow from the weights of an untrained layer that is not published, and its clicks
come from a network that cannot be had."""


def cells(plan: Plan) -> list[Cell]:
    """All of the section."""
    return [row.cell(plan) for row in ROWS]


def page(plan: Plan, out: Path, static: Path) -> str:
    """The section's text."""
    rows = [_row(row, plan, out) for row in ROWS]
    judged = [row for row in rows if row[-1] != NOT_RUN]
    inside = sum(row[-1] == "agrees" for row in judged)
    headings = ["task", "policy", "original ± 95%", "here ± SE", "verdict"]
    return f"""\
Return of a trial: of the originals by their papers or as measured with their programs, and here
over {plan.pick(20, USERS)} test users. Two numbers agree where the 95% interval of their difference
holds 0, both errors counted; of {len(ROWS)} that are right {0.05 * len(ROWS):.0f} would not by
chance. {inside} of {len(judged)} agree. In the rerank tasks of SARDINE the ten items decide; ours
are drawn by a seed that was chosen for numbers like theirs, so that these {_reranked()} rows show
less than the others. The aware heuristic knows the user, and shows of each topic what is liked
best, but too few to bore; how the original does so was not published (`scripts/validation/wary.py`
says what is done here). RecSim's documents stand at quantiles of their law.

{table(headings, rows)}

{ELSEWHERE}

{_step_by_step()}"""


def _step_by_step() -> str:
    found = json.loads(ORIGINALS.read_text(encoding="utf-8"))
    return f"""\
Step by step, `python scripts/compare_originals.py --summary {ORIGINALS.relative_to(ROOT)}` holds
rewards, returns, lengths and hidden state of the tasks of {", ".join(found["sources"])}, under
random and greedy slates, against their programs, {found["users"]} users of each. By
Kolmogorov-Smirnov and chi-square tests at level {found["level"]:g}, with Holm's correction for each
original, {found["different"]} of {found["tests"]} tests find a difference."""


def _reranked() -> int:
    return sum("SlateRerank" in row.task for row in ROWS)


def _row(row: Row, plan: Plan, out: Path) -> list[str]:
    cell = row.cell(plan)
    score, judged, here = score_of(cell, out), NOT_RUN, NOT_RUN
    if score is not None:
        here = plus_minus(score.value, score.error)
        error = (score.error**2 + (row.within / SURE) ** 2) ** 0.5
        away = (score.value - row.value) / error
        judged = "agrees" if abs(away) <= SURE else f"off by {away:+.1f} SE"
    return [cell.label, row.policy, f"{row.value:g} ± {row.within:.2g}", here, judged]
