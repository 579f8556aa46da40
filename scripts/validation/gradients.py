"""Gradients and traps: which tests prove what, and whether they pass."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from validation.cells import Cell, Plan, result_of
from validation.text import NOT_RUN, table

SECTION = "gradients"
TITLE = "Gradients, closed forms and traps"

ROOT = Path(__file__).parents[2]

ESTIMATORS = "tests/meta/maml/test_estimators.py::"

CLAIMS: dict[str, tuple[str, ...]] = {
    "E-MAML's meta-gradient is exact to 1e-6, by enumeration of 3 arms and 4 pulls; DiCE is nearer "
    "than naive and first-order": (
        ESTIMATORS + "test_e_maml_is_exact_and_dice_and_promp_beat_naive_and_first_order",
        ESTIMATORS + "test_the_naive_estimator_loses_most_without_a_baseline",
        ESTIMATORS + "test_the_exact_meta_gradient_is_that_of_finite_differences",
    ),
    "the vectorised step and its meta-gradient equal a loop over tasks to 1e-6": (
        ESTIMATORS
        + "test_a_vectorised_step_equals_a_loop_over_tasks_and_so_does_its_meta_gradient",
    ),
    "second-order gradients are those of finite differences": (
        ESTIMATORS + "test_the_gradient_through_two_inner_steps_is_that_of_finite_differences",
    ),
    "generalised advantages": (
        "tests/meta/test_gae.py::"
        "test_truncated_trial_is_the_discounted_sum_of_errors_with_its_bootstrap",
        "tests/meta/test_gae.py::"
        "test_lambda_one_gives_return_minus_value_and_lambda_zero_the_one_step_error",
        "tests/meta/test_gae.py::test_discount_by_survival_is_the_mean_over_who_is_lost",
    ),
    "Plackett-Luce": (
        "tests/meta/test_plackett_luce.py::test_probabilities_of_all_ordered_slates_sum_to_one",
        "tests/meta/test_plackett_luce.py::test_value_and_gradient_equal_the_definition",
    ),
    "the PPO ratio": (
        "tests/meta/test_rollout.py::test_ratio_of_the_policy_to_itself_is_one",
        ESTIMATORS + "test_the_outer_ratio_is_one_at_the_start_and_its_gradient_the_score",
        ESTIMATORS
        + "test_a_ratio_past_the_clip_in_the_direction_of_its_advantage_has_no_gradient",
    ),
    "trap: the reward of the step before an inner reset is lost": (
        "tests/meta/maml/test_task_training.py::"
        "test_the_last_step_of_an_episode_is_rewarded_and_none_after_it",
    ),
    "trap: the same data for adapting and for the outer loss": (
        "tests/meta/maml/test_task_training.py::"
        "test_each_round_is_played_anew_and_a_task_alone_adapts_as_among_others",
    ),
    "trap: autoreset swaps the task inside a trial, or memory crosses trials": (
        "tests/envs/test_vector.py::test_same_step_autoreset_number_by_number",
        "tests/meta/test_rollout.py::test_every_trial_begins_without_memory_of_another",
    ),
    "trap: the end of a trial is treated as the end of the story, or the reverse": (
        "tests/meta/test_rollout.py::"
        "test_value_of_what_follows_counts_after_a_cut_and_not_after_churn",
    ),
    "trap: advantages normalised per task": (
        "tests/meta/maml/test_episodes.py::test_a_task_that_is_louder_stays_louder",
    ),
    "trap: hidden state leaks into what the policy sees": (
        "tests/meta/test_rl2.py::"
        "test_memory_solves_the_bandit_close_to_the_exact_optimum_and_never_above_it",
        "tests/meta/test_rl2.py::"
        "test_without_its_memory_the_bandit_policy_does_no_better_than_chance",
    ),
}  # fmt: skip
"""What is shown, and the tests that show it."""

QUICK = ("generalised advantages", "Plackett-Luce")
"""What the smoke size runs."""

OUTCOME = re.compile(r"^(PASSED|FAILED|ERROR) (\S+?)(\[.*\])?( - .*)?$", re.MULTILINE)


@dataclass(frozen=True)
class TestsCell(Cell):
    """A run of pytest.

    Attributes:
        tests: their ids.
    """

    tests: tuple[str, ...]
    section = SECTION

    @property
    def name(self) -> str:
        """How many."""
        return f"gradients {len(self.tests)} tests"

    def measure(self, folder: Path) -> dict[str, Any]:
        """Run the tests, slow ones included, and note how often each passed and failed.

        Raises:
            ValueError: if none ran.
        """
        command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider"]
        run = subprocess.run(
            [*command, "-m", "slow or not slow", *self.tests],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        outcomes = read_outcomes(run.stdout)
        if not outcomes:
            raise ValueError(f"no test ran: {run.stdout[-500:]} {run.stderr[-500:]}")
        return {"outcomes": outcomes}


def read_outcomes(report: str) -> dict[str, dict[str, int]]:
    """How often each test passed and failed, from pytest's summary."""
    found: dict[str, dict[str, int]] = {}
    for outcome, test, *_ in OUTCOME.findall(report):
        counts = found.setdefault(test, {"passed": 0, "failed": 0})
        counts["passed" if outcome == "PASSED" else "failed"] += 1
    return found


def claims(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Those that the size runs."""
    quick = {claim: CLAIMS[claim] for claim in QUICK}
    chosen: dict[str, tuple[str, ...]] = plan.pick(quick, CLAIMS)
    return chosen


def cells(plan: Plan) -> list[Cell]:
    """One cell with all tests."""
    return [TestsCell(tuple(test for tests in claims(plan).values() for test in tests))]


def page(plan: Plan, out: Path, static: Path) -> str:
    """The section's text."""
    (cell,) = cells(plan)
    outcomes = (result_of(cell, out) or {}).get("outcomes")
    rows = [
        [
            claim,
            ", ".join(f"`{test.partition('::')[2]}`" for test in tests),
            _state(tests, outcomes),
        ]
        for claim, tests in claims(plan).items()
    ]
    return f"""\
What is exact is proved by tests, which lie in `tests/meta` and `tests/envs`; parametrised ones
count once for each case.

{table(["what", "tests", "outcome"], rows)}"""


def _state(tests: tuple[str, ...], outcomes: dict[str, dict[str, int]] | None) -> str:
    if outcomes is None:
        return NOT_RUN
    counts = [outcomes.get(test, {"passed": 0, "failed": 0}) for test in tests]
    failed = sum(one["failed"] for one in counts)
    absent = sum(1 for one in counts if not one["passed"] + one["failed"])
    passed = sum(one["passed"] for one in counts)
    parts = [f"{passed} passed", f"**{failed} failed**" * bool(failed),
             f"**{absent} not found**" * bool(absent)]  # fmt: skip
    return ", ".join(part for part in parts if part)
