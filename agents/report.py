"""The results of a comparison as a table, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

import driftrec
from driftrec.agents.comparison import Comparison
from driftrec.agents.metrics import (
    METRICS,
    Measure,
    adaptation_curve,
    session_curve,
    survival_curve,
)
from driftrec.agents.statistics import Interval

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("ctr", "retention-1", "retention-7", "retention-30", "sessions")
"""Metrics that a table shows, before the normalised score; so many fit 100 columns of text."""

CURVE_DAYS = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 14.0, 21.0, 30.0)


def results_table(comparison: Comparison, metrics: Sequence[str] = COLUMNS) -> Table:
    """A rich table: a row for each policy, each number above its interval.

    Args:
        comparison: of the policies, in the order of the rows.
        metrics: names in `METRICS`, one for each column before the normalised score.
    """
    headings = ["policy", *(METRICS[name].label for name in metrics), "score"]
    rows = [
        [_name(comparison, policy), *(f"{value}\n[dim]{bounds}[/dim]" for value, bounds in cells)]
        for policy, cells in _rows(comparison, metrics)
    ]
    return rich_table(headings, rows, _title(comparison), _caption(comparison))


def difference_table(
    comparison: Comparison, policy: str, metric: str = "ctr", others: Sequence[str] | None = None
) -> Table:
    """A rich table of how much higher a policy is than each other one on the same users.

    Args:
        comparison: of the policies.
        policy: the one that the others are taken from.
        metric: a name in `METRICS`.
        others: names of policies; all others if left out.
    """
    rows = []
    for other in others or [name for name in comparison.policies if name != policy]:
        value, bounds = _text(comparison.difference(policy, other, metric), metric, sign="+")
        rows.append([other, value, bounds])
    label = METRICS[metric].label
    headings = [f"{policy} minus", label, f"{comparison.level:.0%} interval"]
    return rich_table(headings, rows, f"{label}: paired differences on the same users")


def to_markdown(comparison: Comparison, metrics: Sequence[str] = COLUMNS) -> str:
    """The table of `results_table` in Markdown."""
    headings = ["policy", *(METRICS[name].label for name in metrics), "score"]
    lines = [
        f"**{_title(comparison)}**",
        "",
        f"| {' | '.join(headings)} |",
        f"|-|{'-:|' * (len(headings) - 1)}",
    ]
    for policy, cells in _rows(comparison, metrics):
        texts = [f"{value} ({bounds})" if bounds else value for value, bounds in cells]
        lines.append(f"| {' | '.join([_name(comparison, policy), *texts])} |")
    return "\n".join([*lines, "", _caption(comparison), ""])


def to_dict(comparison: Comparison) -> dict[str, Any]:
    """Every number of a comparison, ready for `driftrec.envs.files.write_json`."""
    example = comparison.example
    return {
        "driftrec": driftrec.__version__,
        "population": example.population,
        "split": example.split,
        "seeds": list(example.seed),
        "users": example.users,
        "batch": example.batch,
        "requests": example.requests,
        "level": comparison.level,
        "baseline": comparison.baseline,
        "reference": comparison.reference,
        "policies": {policy: _numbers(comparison, policy) for policy in comparison.policies},
    }


def _numbers(comparison: Comparison, policy: str) -> dict[str, Any]:
    curves: dict[str, tuple[Sequence[float], Measure]] = {
        "ctr-by-request": (range(1, comparison.example.requests + 1), adaptation_curve),
        "ctr-by-session": (range(1, 11), session_curve),
        "survival-by-day": (CURVE_DAYS, partial(survival_curve, days=np.array(CURVE_DAYS))),
    }
    return {
        "runs": len(comparison.evaluations[policy]),
        "score": _plain(comparison.score(policy)),
        "metrics": {name: _plain(comparison.estimate(policy, name)) for name in METRICS},
        "ctr-difference": {
            other: _plain(comparison.difference(policy, other))
            for other in comparison.policies
            if other != policy
        },
        "curves": {
            name: {"at": list(points)} | _plain(comparison.estimate(policy, measure))
            for name, (points, measure) in curves.items()
        },
    }


def _rows(
    comparison: Comparison, metrics: Sequence[str]
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each policy with its cells: a number and its interval as text."""
    for policy in comparison.policies:
        cells = [_text(comparison.estimate(policy, name), name) for name in metrics]
        yield policy, [*cells, _text(comparison.score(policy))]


def _text(interval: Interval, metric: str = "", sign: str = "") -> tuple[str, str]:
    form = f"{sign}z.{METRICS[metric].decimals if metric else 2}f"
    value, low, high = interval.value, interval.low, interval.high
    if np.isnan(value):
        return "-", ""
    if np.isnan(low):
        return f"{value:{form}}", "" if metric else "no room"
    if low == high:
        return f"{value:{form}}", ""
    # A dash saves width, but would read as a minus before a negative number.
    between = "\N{EN DASH}" if low >= 0 and not sign else " to "
    return f"{value:{form}}", f"{low:{form}}{between}{high:{form}}"


def rich_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], title: str, caption: str = ""
) -> Table:
    """A rich table whose first column names the rows; all text may hold rich's markup."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, caption=caption or None, box=box.SIMPLE_HEAD, padding=0)
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _name(comparison: Comparison, policy: str) -> str:
    runs = len(comparison.evaluations[policy])
    return policy if runs == 1 else f"{policy} ({runs} runs)"


def _title(comparison: Comparison) -> str:
    example = comparison.example
    return f"{example.population}, {example.split} split: {example.users} users"


def _caption(comparison: Comparison) -> str:
    return (
        f"With {comparison.level:.0%} bootstrap intervals over users and training runs. CTR: mean "
        "over users of clicks / impressions in a trial. Day k: share of users active on or after "
        "day k (Kaplan-Meier). Score: CTR on a scale where "
        f"{comparison.baseline} is 0 and {comparison.reference} is 1."
    )


def _plain(interval: Interval) -> dict[str, Any]:
    """The interval's numbers as Python's own."""
    return {
        name: np.asarray(getattr(interval, name), float).tolist()
        for name in ("value", "low", "high")
    }
