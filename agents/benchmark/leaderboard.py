"""The leaderboard: a page of Markdown with every suite's ranking, and who wins against whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from driftrec.agents.aggregates import mean_ranks
from driftrec.agents.benchmark.numbers import (
    SCORE_DECIMALS,
    duration,
    estimate,
    number,
    p_value,
)
from driftrec.agents.benchmark.tables import escaped
from driftrec.agents.benchmark.verdict import Judged, Summary, in_words, judged, on_average, tally

OPEN_REFERENCES = ("random", "most-popular", "recent-popular", "satiation-aware")
"""References that know no more of users than any other method. The rest know their true model, a
distorted one, or their hidden state: yardsticks, not rivals."""

SOON = {
    "ctr-first-5": "CTR, first 5 requests",
    "ctr-first-10": "first 10",
    "ctr-first-20": "first 20",
    "ctr-first-50": "first 50",
}

STAYING = {"ctr": "CTR", "retention-7": "active on or after day 7", "retention-30": "day 30"}

RECOVERING = {"ctr": "CTR", "recovery": "requests to 90% of what it was"}

HEAD = """# Leaderboard

Every method meets the same simulated users, with the same luck; none of them was trained or tuned
on. Scores are CTR on a scale where 0 is the baseline and 1 the reference, which knows the users'
true model where there is a filter for it; methods in italics know more of the users than they could
in earnest, and do not compete. Adjusted p: after Holm's correction over all pairs of a scenario.
"""


def leaderboard(summaries: Sequence[Summary]) -> str:
    """The page, in Markdown that Sphinx takes as strictly as can be.

    Args:
        summaries: of the suites, in their order on the page.

    Raises:
        ValueError: if there are none.
    """
    if not summaries:
        raise ValueError("a leaderboard needs at least one summary, got none")
    return "\n".join([HEAD, *map(_suite, summaries)])


def best(summary: Summary, *, meta: bool) -> str | None:
    """The meta-learner, or else the rival of meta-learners, that ranks highest in a suite."""
    for row in summary["overall"]:
        if _measured(row["score"]) and _competes(row["method"], row["family"], meta=meta):
            return str(row["method"])
    return None


def best_there(scenario: Mapping[str, Any]) -> str | None:
    """The rival of meta-learners with the highest CTR in a scenario."""
    rivals = {
        row["name"]: row["metrics"]["ctr"]["value"]
        for row in scenario["methods"]
        if _competes(row["name"], row["family"], meta=False) and _measured(row["metrics"]["ctr"])
    }
    return max(rivals, key=lambda name: float(rivals[name]), default=None)


def _competes(name: str, family: str, *, meta: bool) -> bool:
    if meta or family == "meta":
        return meta and family == "meta"
    return family != "reference" or name in OPEN_REFERENCES


def _is_open(name: str, family: str) -> bool:
    """Whether a method knows no more of users than it could in earnest."""
    return any(_competes(name, family, meta=meta) for meta in (True, False))


def _measured(interval: Mapping[str, Any]) -> bool:
    return interval["value"] is not None


def _suite(summary: Summary) -> str:
    machine = f" on {escaped(summary['machine'])}" if summary["machine"] else ""
    return "\n".join([
        f"## {escaped(summary['title'])}",
        "",
        escaped(summary["question"]),
        *_clicks_or_people(summary),
        "",
        f"Suite `{summary['suite']}`, size {summary['size']}, {len(summary['scenarios'])} "
        f"scenarios; {_measured_on(summary)}; {duration(summary['seconds'])} of CPU time"
        f"{machine}, driftrec {summary['driftrec']}:",
        "",
        "```console",
        f"$ {summary['command']}",
        "```",
        "",
        _ranking(summary),
        "",
        _by_scenario(summary),
        "",
        _duel(summary),
    ])  # fmt: skip


def _clicks_or_people(summary: Summary) -> list[str]:
    """What a suite on retention is ranked by, and how that agrees with who stays."""
    if not summary["suite"].startswith("retention"):
        return []
    found = [
        (one["name"], _rank_correlation(one, "ctr", "retention-30")) for one in summary["scenarios"]
    ]
    known = [f"{number(value, 2)} in {escaped(name)}" for name, value in found if value is not None]
    text = "The table ranks by clicks, as in all suites; who keeps people is in *Who stays*, below."
    if known:
        text += (
            f" Rank correlation of CTR with activity on day 30, over methods: {', '.join(known)}."
        )
    return ["", text]


def _rank_correlation(scenario: Mapping[str, Any], one: str, other: str) -> float | None:
    """Of two metrics over a scenario's methods; None where there are too few, or all are alike."""
    both = [[row["metrics"][part]["value"] for part in (one, other)] for row in scenario["methods"]]
    known = [pair for pair in both if None not in pair]
    ranks = [mean_ranks(np.array(column)) for column in zip(*known, strict=True)]
    if len(known) < 2 or any(np.ptp(column) == 0 for column in ranks):
        return None
    return float(np.corrcoef(np.stack(ranks))[0, 1])


def _measured_on(summary: Summary) -> str:
    """How many users and trainings there are, and what intervals are over."""
    users = sorted({scenario["users"] for scenario in summary["scenarios"]})
    runs = max(row["runs"] for one in summary["scenarios"] for row in one["methods"])
    trainings = "one training of each method" if runs == 1 else f"up to {runs} trainings of each"
    over = "users" if runs == 1 else "users and trainings"
    return (
        f"{' or '.join(map(str, users))} users, {trainings}, {summary['level']:.0%} intervals "
        f"over {over}"
    )


def _ranking(summary: Summary) -> str:
    rows = []
    for place, row in enumerate(summary["overall"], 1):
        numbers = [estimate(row[part], SCORE_DECIMALS) for part in ("score", "iqm", "median")]
        name = escaped(row["method"])
        name = name if _is_open(row["method"], row["family"]) else f"*{name}*"
        about = (number(row["rank"], 1), str(row["scenarios"]), duration(row["cpu_seconds"]))
        rows.append((str(place), name, row["family"], *numbers, *about))
    headings = (
        "", "method", "family", "score", "interquartile mean", "median", "mean rank", "scenarios",
        "training, CPU",
    )  # fmt: skip
    return _table(headings, rows, text=(1, 2))


def _by_scenario(summary: Summary) -> str:
    """Each scenario's question and the scores in it; and who stays, where that is the question."""
    names = [row["method"] for row in summary["overall"]]
    lines = ["Score by scenario:", ""]
    lines += [
        f"* {escaped(one['name'])}: {escaped(one['question'])}" for one in summary["scenarios"]
    ]
    found = [{row["name"]: row for row in one["methods"]} for one in summary["scenarios"]]
    rows = [(escaped(name), *(_score_in(rows, name) for rows in found)) for name in names]
    headings = ("method", *(escaped(one["name"]) for one in summary["scenarios"]))
    lines += ["", _table(headings, rows)]
    for one in summary["scenarios"]:
        if summary["suite"].startswith("cold-start"):
            lines += [_measures(one, "Who learns soon", SOON), *_soon(one)]
        if summary["suite"].startswith("retention"):
            lines.append(_measures(one, "Who stays", STAYING))
        if one["jump"]:
            lines.append(_measures(one, "Who recovers from the jump", RECOVERING))
    return "\n".join(lines)


def _score_in(rows: Mapping[str, Mapping[str, Any]], name: str) -> str:
    return estimate(rows[name]["score"], SCORE_DECIMALS) if name in rows else ""


def _measures(scenario: Mapping[str, Any], title: str, columns: Mapping[str, str]) -> str:
    """Some metrics of every method in a scenario, the highest in the last CTR or rate first."""
    rates = [part for part in columns if part.startswith(("ctr", "retention"))]
    known = [row for row in scenario["methods"] if _measured(row["metrics"][rates[-1]])]
    known.sort(key=lambda row: -row["metrics"][rates[-1]]["value"])
    rows = [
        (
            escaped(row["name"]),
            *(estimate(row["metrics"][part], 3 if part in rates else 0) for part in columns),
        )
        for row in known
    ]
    table = _table(("method", *columns.values()), rows)
    return f"\n{title} in {escaped(scenario['name'])}:\n\n{table}"


def _soon(scenario: Mapping[str, Any]) -> list[str]:
    """How many methods are above the baseline with their whole interval, over first requests."""
    rows = [row for row in scenario["methods"] if _measured(row["metrics"]["ctr"])]
    base = {row["name"]: row["metrics"] for row in rows}.get(scenario["baseline"])
    if base is None:
        return []
    rivals = [
        row
        for row in rows
        if _is_open(row["name"], row["family"]) and row["name"] != scenario["baseline"]
    ]
    counts = [
        f"{sum(row['metrics'][part]['low'] > base[part]['high'] for row in rivals)} over the "
        f"{title.removeprefix('CTR, ')}"
        for part, title in SOON.items()
    ]
    return [
        "",
        f"Of {len(rivals)} other methods that compete, so many have their whole interval above "
        f"that of {escaped(scenario['baseline'])}: {', '.join(counts)}. This is a strict test, "
        "since they meet the same users.",
    ]


def _duel(summary: Summary) -> str:
    """The best meta-learner against the best of all others, scenario by scenario."""
    meta, other = best(summary, meta=True), best(summary, meta=False)
    if meta is None or other is None:
        missing = "meta-learner" if meta is None else "other method"
        return f"No {missing} has a score in this suite, so that there is nothing to set against.\n"
    level = summary["level"]
    overall = [judged(scenario, meta, other, level) for scenario in summary["scenarios"]]
    rows = [
        (escaped(row.scenario), escaped(rival), *_cells(row, meta, rival))
        for rival, row in _rivals(summary, meta, other)
    ]
    headings = ("scenario", "against", "difference in CTR", "more for a user", "adjusted p", "so")
    return "\n".join([
        f"### The best meta-learner, {escaped(meta)}, against the best of all others, "
        f"{escaped(other)}",
        "",
        escaped(f"{tally(overall, meta, other, level)} {on_average(overall, meta)}".strip()),
        *_plainly(overall, meta, other),
        "",
        _table(headings, rows, text=(0, 1, 5)),
        "",
        f"Difference: CTR of {escaped(meta)} minus that of the other, on the same users. More for "
        f"a user: probability that a user clicks more with {escaped(meta)}. Where yet another "
        "method is the best of the others in a scenario, it has a row as well; it was chosen by "
        "these very results, which flatters it.",
        "",
    ])  # fmt: skip


def _rivals(summary: Summary, meta: str, other: str) -> Iterator[tuple[str, Judged]]:
    """The best rival overall, and where it is another the best there, in each scenario."""
    for scenario in summary["scenarios"]:
        rivals = dict.fromkeys([other, best_there(scenario) or other])
        for rival in rivals:
            yield rival, judged(scenario, meta, rival, summary["level"])


def _plainly(rows: Sequence[Judged], meta: str, other: str) -> list[str]:
    """Where the meta-learner wins and where it does not, a line each."""
    kinds = {
        f"{meta} wins": ("a",),
        f"{other} wins": ("b",),
        "Neither": ("perhaps", "equal"),
        "Not compared": ("none",),
    }
    named = {
        text: [row.scenario for row in rows if row.verdict in verdicts]
        for text, verdicts in kinds.items()
    }
    lines = [
        f"* **{escaped(text)}**: {escaped(', '.join(names))}."
        for text, names in named.items()
        if names
    ]
    return ["", *lines]


def _cells(row: Judged, meta: str, other: str) -> tuple[str, str, str, str]:
    return (
        estimate(row.difference, 3, "+"),
        estimate(row.improvement, 2),
        p_value(row.adjusted).replace("<", "\\<"),
        escaped(in_words(row, meta, other)),
    )


def _table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], text: Sequence[int] = (0,)
) -> str:
    marks = ["-" if place in text else "-:" for place in range(len(headings))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (headings, marks, *rows))
