"""Tables and numbers of the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from driftrec.agents.statistics import Interval

NOT_RUN = "not run"

SURE = 1.96
"""Standard errors of a 95% interval."""


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, the first column to the left and the others to the right."""
    lines = [f"| {' | '.join(headings)} |", f"|-|{'-:|' * (len(headings) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def plus_minus(value: float, error: float, decimals: int = 2) -> str:
    """A mean and its standard error."""
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def of_seeds(count: int) -> str:
    """How many trainings a number is the mean of."""
    return f"({count} seed{'s' * (count != 1)})"


def between(interval: Interval | None, decimals: int = 2) -> str:
    """An estimate and its interval."""
    if interval is None or np.isnan(interval.value):
        return NOT_RUN
    value = f"{interval.value:.{decimals}f}"
    if np.isnan(interval.low):
        return f"{value} (no room)"
    return f"{value} ({interval.low:.{decimals}f} to {interval.high:.{decimals}f})"


def verdict(value: float, target: float, *, below: bool = False, decimals: int = 3) -> str:
    """Whether a target is met, and by how much it is missed or passed.

    Args:
        value: measured.
        target: to reach.
        below: whether less is better.
        decimals: of the difference.
    """
    margin = target - value if below else value - target
    return f"{'met' if margin >= 0 else 'not met'} by {abs(margin):.{decimals}f}"


def large(value: float) -> str:
    """A large number in thousands or millions."""
    return f"{value / 1e6:.1f}M" if value >= 1e6 else f"{value / 1e3:.0f}k"
