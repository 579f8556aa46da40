"""Numbers and intervals of a summary as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SCORE_DECIMALS = 2


def number(value: float | None, places: int = 3, sign: str = "") -> str:
    """A number, or a dash where there is none."""
    return "-" if value is None else f"{value:{sign}z.{places}f}"


def bounds(interval: Mapping[str, float | None], places: int = 3, sign: str = "") -> str:
    """An interval's ends; empty where they are unknown or no interval is needed."""
    value, low, high = (interval[name] for name in ("value", "low", "high"))
    if value is None or low is None or high is None or low == high:
        return ""
    # A dash saves width, but would read as a minus before a negative number.
    between = "\N{EN DASH}" if low >= 0 and not sign else " to "
    return f"{number(low, places, sign)}{between}{number(high, places, sign)}"


def estimate(interval: Mapping[str, float | None], places: int = 3, sign: str = "") -> str:
    """A number with its interval in brackets."""
    ends = bounds(interval, places, sign)
    return number(interval["value"], places, sign) + (f" ({ends})" if ends else "")


def p_value(p: float | None) -> str:
    """A probability with three decimals, or that it is less than they can say."""
    if p is None:
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours."""
    if not seconds:
        return "none"
    unit, name = (1, "s") if seconds < 60 else (60, "min") if seconds < 3600 else (3600, "h")
    amount = seconds / unit
    return f"{amount:.{int(amount < 10 and amount % 1 > 0)}f} {name}"


def find_scenario(summary: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A scenario of a summary by its name.

    Raises:
        ValueError: if there is none of that name.
    """
    for one in summary["scenarios"]:
        if one["name"] == name:
            found: Mapping[str, Any] = one
            return found
    names = ", ".join(one["name"] for one in summary["scenarios"])
    raise ValueError(f"scenario must be one of {names}; got {name!r}")


def method_names(summaries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of all methods of some summaries, each once, in their order."""
    every = (method["name"] for summary in summaries for method in summary["methods"])
    return list(dict.fromkeys(every))
