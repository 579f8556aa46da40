"""Who of two methods is better, by how much, and how sure, from a summary's comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from driftrec.agents.benchmark.numbers import estimate
from driftrec.agents.benchmark.plain import NOTHING

Summary = Mapping[str, Any]
"""A suite's results, as `summary.json` holds them."""

Verdict = Literal["a", "b", "perhaps", "equal", "none"]
"""Who is better: one of the two, surely; perhaps one, but not surely once corrected for the many
pairs; neither can be told; or they did not meet the same users."""


@dataclass(frozen=True)
class Judged:
    """Two methods in one scenario.

    Attributes:
        scenario: its name.
        verdict: who is better.
        difference: CTR of a minus CTR of b on the same users, with "value", "low" and "high".
        improvement: probability that a user gets more from a than from b, alike.
        adjusted: p of no difference, after Holm's correction over all pairs of the scenario.
        other: CTR of b, to set the difference against.
    """

    scenario: str
    verdict: Verdict
    difference: Mapping[str, float | None]
    improvement: Mapping[str, float | None]
    adjusted: float | None
    other: float | None


def judged(scenario: Mapping[str, Any], a: str, b: str, level: float) -> Judged:
    """The verdict on two methods in a scenario of a summary.

    Args:
        scenario: one of a summary's.
        a: name of a method.
        b: name of another.
        level: of the intervals; a verdict is sure where the adjusted p is below 1 - level.
    """
    rows = {row["name"]: row for row in scenario["methods"]}
    other = rows[b]["metrics"].get("ctr", NOTHING)["value"] if b in rows else None
    found = _found(scenario, a, b)
    if found is None:
        return Judged(scenario["name"], "none", NOTHING, NOTHING, None, other)
    difference, improvement, adjusted = found
    # Rounded, since 1 - 0.95 is a little more than 0.05.
    verdict = _verdict(difference, adjusted, round(1 - level, 9))
    return Judged(scenario["name"], verdict, difference, improvement, adjusted, other)


def _found(
    scenario: Mapping[str, Any], a: str, b: str
) -> tuple[Mapping[str, Any], Mapping[str, Any], float | None] | None:
    """Difference, improvement and adjusted p of a against b, whichever way they are stored."""
    for one in scenario["comparisons"]:
        if (one["a"], one["b"]) == (a, b):
            return one["difference"], one["improvement"], one["adjusted"]
        if (one["a"], one["b"]) == (b, a):
            turned = _from(0, one["difference"]), _from(1, one["improvement"])
            return *turned, one["adjusted"]
    return None


def _from(total: float, interval: Mapping[str, float | None]) -> dict[str, float | None]:
    """The interval of the total minus what was estimated: its bounds change places."""
    ends = {"value": "value", "low": "high", "high": "low"}
    return {
        name: None if (known := interval[end]) is None else total - known
        for name, end in ends.items()
    }


def _verdict(
    difference: Mapping[str, float | None], adjusted: float | None, alpha: float
) -> Verdict:
    value, low, high = (difference[name] for name in ("value", "low", "high"))
    if value is None or adjusted is None:
        return "none"
    if adjusted < alpha:
        return "a" if value > 0 else "b"
    if low is not None and high is not None and low * high > 0:
        return "perhaps"
    return "equal"


def mean_difference(rows: Sequence[Judged]) -> Mapping[str, float | None]:
    """Mean difference over the scenarios in which both met the same users.

    Its bounds are the means of theirs: right if scenarios go up and down together, as they may
    where they share users, and too wide if not.
    """
    found = [row.difference for row in rows if row.verdict != "none"]
    return {name: _mean([one[name] for one in found]) for name in NOTHING}


def on_average(rows: Sequence[Judged], a: str) -> str:
    """By how much the first of the two is better over all scenarios, as a sentence; or nothing."""
    mean = mean_difference(rows)
    if mean["value"] is None:
        return ""
    size = f"{abs(mean['value']):.3f}"
    by_how_much = f"{size} {'lower' if mean['value'] < 0 else 'higher'}"
    told = by_how_much if float(size) else "no different"
    return f"On average {a}'s CTR is {told}: {estimate(mean, 3, '+')}."


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def in_words(row: Judged, a: str, b: str) -> str:
    """The verdict as a sentence without its stop."""
    value = row.difference["value"]
    ahead = a if value is None or value >= 0 else b
    if row.verdict == "none":
        return "not compared here"
    if row.verdict == "equal":
        return "cannot be told apart"
    if row.verdict == "perhaps":
        return f"perhaps {ahead}; not sure once corrected for all pairs"
    return f"{ahead} is better{_share(row)}"


def _share(row: Judged) -> str:
    """By what share of the worse one's CTR the better one is better."""
    value, other = row.difference["value"], row.other
    if value is None or other is None:
        return ""
    worse = other if value >= 0 else other + value
    return f", by {abs(value) / worse:.1%} of the other's CTR" if worse > 0 else ""


def tally(rows: Sequence[Judged], a: str, b: str, level: float) -> str:
    """In how many scenarios each is better, as a sentence."""
    number = {kind: sum(row.verdict == kind for row in rows) for kind in ("a", "b", "none")}
    compared = len(rows) - number["none"]
    if not compared:
        return f"{a} and {b} did not meet the same users in any scenario."
    untold = compared - number["a"] - number["b"]
    noun = "scenario" if compared == 1 else "scenarios"
    return (
        f"{a} is better in {number['a']} of {compared} {noun}, {b} in {number['b']}; in {untold} "
        f"they cannot be told apart (adjusted p at or above {1 - level:.3g})."
    )
