"""Two methods in plain words: who is better, by how much, and how sure."""

from __future__ import annotations

from collections.abc import Sequence

from driftrec.agents.benchmark.numbers import SCORE_DECIMALS, estimate, method_names, p_value
from driftrec.agents.benchmark.plain import NOTHING
from driftrec.agents.benchmark.verdict import (
    Judged,
    Summary,
    in_words,
    judged,
    on_average,
    tally,
)


def compare(summaries: Sequence[Summary], a: str, b: str) -> str:
    """Who of two methods is better, by how much and how sure, suite by suite, in plain words.

    Args:
        summaries: of suites; where the two did not meet the same users, it says so.
        a: name of a method.
        b: name of another.

    Raises:
        ValueError: if a name is unknown, or both are the same.
    """
    for name in (a, b):
        if name not in (known := method_names(summaries)):
            raise ValueError(f"a method to compare must be one of {', '.join(known)}; got {name!r}")
    if a == b:
        raise ValueError(f"two methods are needed to compare, got {a!r} twice")
    return "\n\n".join(_suite_in_words(summary, a, b) for summary in summaries) + "\n"


def _suite_in_words(summary: Summary, a: str, b: str) -> str:
    level = summary["level"]
    rows = [judged(scenario, a, b, level) for scenario in summary["scenarios"]]
    title = f"{summary['title']} ({summary['suite']}, {summary['size']})"
    lines = [title, tally(rows, a, b, level), on_average(rows, a)]
    scores = {row["method"]: row["score"] for row in summary["overall"]}
    if all(scores.get(name, NOTHING)["value"] is not None for name in (a, b)):
        both = ", ".join(f"{name} {estimate(scores[name], SCORE_DECIMALS)}" for name in (a, b))
        lines.append(f"Overall score: {both}.")
    return "\n".join([*filter(None, lines), *(f"  {_row_in_words(row, a, b)}" for row in rows)])


def _row_in_words(row: Judged, a: str, b: str) -> str:
    if row.verdict == "none":
        return f"{row.scenario}: {in_words(row, a, b)}."
    return (
        f"{row.scenario}: {in_words(row, a, b)}. {a} minus {b}: "
        f"{estimate(row.difference, 3, '+')}; a user gets more from {a} with probability "
        f"{estimate(row.improvement, 2)}; adjusted p {p_value(row.adjusted)}."
    )
