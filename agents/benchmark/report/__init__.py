"""The report: one HTML file that needs nothing else, for people to look at.

Everything is inside it: the numbers as JSON, the style, and a little JavaScript that draws the
figures as SVG. A page opened from a disk, without a network, is complete, and its content security
policy forbids it to ask for anything.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import driftrec
from driftrec.agents.benchmark.summary import FORMAT
from driftrec.agents.benchmark.verdict import Summary
from driftrec.agents.metrics import METRICS
from driftrec.envs.files import write_text

DIGITS = 5
"""Significant digits of the numbers in the page: more than it shows, and a third of the bytes."""

SCRIPTS = (
    "state.js", "dom.js", "table.js", "axes.js", "lines.js", "points.js", "ranking.js",
    "scenario.js", "behaviour.js", "compare.js", "trial.js", "main.js",
)  # fmt: skip
"""In the order in which they are joined: each uses those before it."""


def write_report(summaries: Summary | Sequence[Summary], path: str | Path) -> None:
    """Write the report of one suite, or of several in one page, atomically.

    Args:
        summaries: of different suites, in the order in which the page offers them.
        path: of the HTML file.

    Raises:
        ValueError: if there is nothing to report, or a summary is of another format.
    """
    given = [summaries] if isinstance(summaries, Mapping) else list(summaries)
    write_text(path, page(given))


def page(summaries: Sequence[Summary]) -> str:
    """The HTML of a report; see `write_report`."""
    _check(summaries)
    parts = {
        "title": html.escape(f"driftrec benchmark: {', '.join(one['suite'] for one in summaries)}"),
        "version": html.escape(driftrec.__version__),
        "style": _asset("style.css"),
        "data": embedded({"suites": list(summaries), "labels": _labels()}),
        "script": "\n".join(_asset(name) for name in SCRIPTS),
    }
    # Split at the marks first, so that a mark within a part is not taken for one.
    first, *rest = _asset("page.html").split("{{")
    pieces = (piece.split("}}", 1) for piece in rest)
    return first + "".join(parts[name] + text for name, text in pieces)


def embedded(data: Any) -> str:
    """JSON that may stand in a script element: nothing in it can end the element or open another.

    Numbers are rounded to `DIGITS` significant digits; NaN and infinity become null.
    """
    text = json.dumps(_rounded(data), separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _check(summaries: Sequence[Summary]) -> None:
    if not summaries:
        raise ValueError("a report needs at least one summary, got none")
    for one in summaries:
        if one.get("format") != FORMAT:
            raise ValueError(f"a summary's format must be {FORMAT!r}, got {one.get('format')!r}")
    names = [one["suite"] for one in summaries]
    if len(set(names)) < len(names):
        raise ValueError(f"the summaries of a report must be of different suites, got {names}")


def _labels() -> dict[str, dict[str, Any]]:
    """How the page heads and rounds each metric."""
    return {
        name: {"label": metric.label, "decimals": metric.decimals}
        for name, metric in METRICS.items()
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    # The float of fewest digits: 0.0 is written shorter as 0.
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 2**53 else short


def _asset(name: str) -> str:
    return files(__package__ or __name__).joinpath(name).read_text(encoding="utf-8")
