"""A summary as a table: in the terminal, in Markdown and in LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from driftrec.agents.benchmark.numbers import (
    SCORE_DECIMALS,
    bounds,
    duration,
    find_scenario,
    number,
)
from driftrec.agents.benchmark.plain import NOTHING
from driftrec.agents.benchmark.verdict import Summary
from driftrec.agents.metrics import METRICS
from driftrec.agents.report import COLUMNS, rich_table

if TYPE_CHECKING:
    from rich.table import Table

BOLD = "Bold: the highest but for references."

LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%",
    "#": r"\#", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "\N{EN DASH}": "--",
}  # fmt: skip
"""Characters that mean something to LaTeX, as it prints them."""


@dataclass(frozen=True)
class Cell:
    """A number as text, the interval below or beside it, and whether it is a column's best."""

    text: str
    bounds: str = ""
    best: bool = False


@dataclass(frozen=True)
class Lines:
    """A table before it is drawn: the first column names the rows, the rest are numbers."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    caption: str


def results_table(summary: Summary, scenario: str | None = None) -> Table:
    """A rich table of a suite's ranking, or of one of its scenarios; fits 100 columns.

    Args:
        summary: of a suite.
        scenario: name of one; the ranking over all if left out.
    """
    from rich.markup import escape

    lines = _lines(summary, scenario)
    rows = []
    for name, cells in lines.rows:
        texts = [
            f"{_marked(cell.text, '[bold]', '[/bold]', cell.best)}\n[dim]{cell.bounds}[/dim]"
            for cell in cells
        ]
        rows.append([escape(name), *texts])
    table = rich_table(lines.headings, rows, escape(lines.title), escape(lines.caption))
    table.columns[0].max_width = 30
    return table


def to_markdown(summary: Summary, scenario: str | None = None) -> str:
    """The table of `results_table` in Markdown, the best of each column in bold."""
    lines = _lines(summary, scenario)
    rows = [lines.headings, ("-", *["-:"] * (len(lines.headings) - 1))]
    for name, cells in lines.rows:
        texts = [
            _marked(cell.text, "**", "**", cell.best) + (f" ({cell.bounds})" if cell.bounds else "")
            for cell in cells
        ]
        rows.append((escaped(name), *texts))
    body = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"**{escaped(lines.title)}**\n\n{body}\n\n{escaped(lines.caption)}\n"


def to_latex(summary: Summary, scenario: str | None = None) -> str:
    r"""The table in LaTeX, the best of each column in bold; needs `\usepackage{booktabs}`."""
    lines = _lines(summary, scenario)
    rows = []
    for name, cells in lines.rows:
        numbers = [_marked(_latex(cell.text), r"\textbf{", "}", cell.best) for cell in cells]
        intervals = [rf"\scriptsize {_latex(cell.bounds)}" if cell.bounds else "" for cell in cells]
        rows += [f"{_latex(name)} & {' & '.join(numbers)} \\\\"]
        rows += [f" & {' & '.join(intervals)} \\\\[2pt]"] if any(intervals) else []
    return "\n".join([
        r"\begin{table}", r"\centering",
        rf"\caption{{{_latex(f'{lines.title}. {lines.caption}')}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(lines.headings) - 1)}}}", r"\toprule",
        f"{' & '.join(map(_latex, lines.headings))} \\\\", r"\midrule", *rows, r"\bottomrule",
        r"\end{tabular}", r"\end{table}", "",
    ])  # fmt: skip


def _lines(summary: Summary, scenario: str | None) -> Lines:
    return _ranking(summary) if scenario is None else _scores(summary, scenario)


def _ranking(summary: Summary) -> Lines:
    overall = summary["overall"]
    columns = [_column(overall, part, SCORE_DECIMALS) for part in ("score", "iqm", "median")]
    ranks = [Cell(number(row["rank"], 1)) for row in overall]
    costs = [Cell(duration(row["cpu_seconds"])) for row in overall]
    families = [Cell(row["family"]) for row in overall]
    cells = zip(*columns, ranks, costs, families, strict=True)
    return Lines(
        f"{summary['title']} ({summary['suite']}, {summary['size']})",
        ("method", "score", "IQM", "median", "mean rank", "training", "family"),
        tuple((row["method"], tuple(own)) for row, own in zip(overall, cells, strict=True)),
        f"With {summary['level']:.0%} bootstrap intervals. {_scale(summary['scenarios'])} Mean "
        f"over the scenarios that have one; IQM: interquartile mean. Training: CPU time. {BOLD}",
    )


def _scores(summary: Summary, scenario: str) -> Lines:
    found = find_scenario(summary, scenario)
    rows = sorted(found["methods"], key=_by_ctr)
    flat = [{**row["metrics"], "score": row["score"], "family": row["family"]} for row in rows]
    columns = [_column(flat, name, METRICS[name].decimals) for name in COLUMNS]
    columns.append(_column(flat, "score", SCORE_DECIMALS))
    return Lines(
        f"{summary['suite']}, {scenario}: {found['users']} users",
        ("method", *(METRICS[name].label for name in COLUMNS), "score"),
        tuple(
            (_with_failures(row), tuple(own))
            for row, own in zip(rows, zip(*columns, strict=True), strict=True)
        ),
        f"With {summary['level']:.0%} bootstrap intervals over users and trainings. CTR: mean over "
        "users of clicks / impressions in a trial. Day k: share of users active on or after day k "
        f"(Kaplan-Meier). {_scale([found])} {BOLD}",
    )


def _by_ctr(row: Mapping[str, Any]) -> float:
    """The highest first, the unmeasured last."""
    value = row["metrics"]["ctr"]["value"]
    return float("inf") if value is None else -float(value)


def _column(rows: Sequence[Mapping[str, Any]], part: str, places: int) -> list[Cell]:
    """Cells of a column, the highest of those that are no reference marked as best."""
    intervals = [row.get(part, NOTHING) for row in rows]
    rivals = [
        one["value"] if row["family"] != "reference" else None
        for row, one in zip(rows, intervals, strict=True)
    ]
    best = max((value for value in rivals if value is not None), default=None)
    return [
        Cell(number(one["value"], places), bounds(one, places), rival is not None and rival == best)
        for one, rival in zip(intervals, rivals, strict=True)
    ]


def _with_failures(row: Mapping[str, Any]) -> str:
    failed = len(row["failed"])
    return f"{row['name']} ({failed} failed)" if failed else str(row["name"])


def _scale(scenarios: Sequence[Mapping[str, Any]]) -> str:
    pairs = dict.fromkeys(
        f"{one['baseline']} is 0 and {one['reference']} is 1" for one in scenarios
    )
    return f"Score: CTR on a scale where {', or '.join(pairs)}."


def _marked(text: str, before: str, after: str, best: bool) -> str:
    return f"{before}{text}{after}" if best else text


def escaped(text: str) -> str:
    """Text in which Markdown finds nothing to interpret."""
    return "".join(f"\\{one}" if one in "\\`*_{}[]<>|#$&~" else one for one in text)


def _latex(text: str) -> str:
    return "".join(LATEX.get(one, one) for one in text)
