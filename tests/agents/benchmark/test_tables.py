"""Tables and comparisons in words say what the summary holds."""

import copy
import io
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from driftrec.agents.benchmark.comparing import compare
from driftrec.agents.benchmark.numbers import bounds, duration, number, p_value
from driftrec.agents.benchmark.tables import results_table, to_latex, to_markdown
from driftrec.agents.benchmark.verdict import judged, mean_difference, on_average

LEVEL = 0.95
DOCUMENT = r"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{}\end{{document}}"


def printed(table: Table, width: int = 100) -> list[str]:
    text = io.StringIO()
    Console(file=text, width=width).print(table)
    return text.getvalue().splitlines()


def row_of(scenario: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in scenario["methods"] if row["name"] == name)


@pytest.mark.parametrize("scenario", [None, "fast-drift"])
def test_a_table_fits_100_columns_without_breaking_a_number(
    summary: dict[str, Any], scenario: str | None
) -> None:
    lines = printed(results_table(summary, scenario))
    assert max(map(len, lines)) <= 100
    place = next(i for i, line in enumerate(lines) if line.split()[:1] == ["filter-ucb"])
    if scenario is None:
        score = next(row for row in summary["overall"] if row["method"] == "filter-ucb")["score"]
        assert lines[place].split()[1] == f"{score['value']:.2f}"
    else:
        score = row_of(summary["scenarios"][2], "filter-ucb")["score"]
        assert lines[place].split()[-1] == f"{score['value']:.2f}"
    assert f"{score['low']:.2f}\N{EN DASH}{score['high']:.2f}" in lines[place + 1].split()


def test_the_best_come_first_and_the_unmeasured_last(summary: dict[str, Any]) -> None:
    text = to_markdown(summary, "fast-drift")
    names = re.findall(r"^\| (\w[\w-]*(?: \(\d failed\))?) \|", text, re.MULTILINE)[1:]
    rows = [row for row in summary["scenarios"][2]["methods"] if row["runs"]]
    order = sorted(rows, key=lambda row: -row["metrics"]["ctr"]["value"])
    assert names == [row["name"] for row in order] + ["maml (3 failed)"]
    assert "| maml (3 failed) | - | - | - | - | - | - |" in text


def test_bold_is_the_best_that_is_no_reference(summary: dict[str, Any]) -> None:
    rows = [row for row in summary["overall"] if row["family"] != "reference"]
    best = max(rows, key=lambda row: row["score"]["value"])
    line = next(line for line in to_markdown(summary).splitlines() if "**" in line and "|" in line)
    assert line.startswith(f"| {best['method']} | **{best['score']['value']:.2f}** (")
    assert to_markdown(summary).count("| **") == 3


def test_markdown_and_latex_have_a_cell_for_each_number(summary: dict[str, Any]) -> None:
    rows = [line for line in to_markdown(summary, "jump").splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 11
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {8}
    lines = [line for line in to_latex(summary, "jump").splitlines() if "&" in line]
    assert len(lines) == 1 + 2 * 11
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {6}


def with_name(summary: dict[str, Any], name: str) -> dict[str, Any]:
    changed = copy.deepcopy(summary)
    changed["overall"][0]["method"] = name
    changed["title"] = name
    return changed


def test_latex_escapes_what_means_something_to_it(summary: dict[str, Any]) -> None:
    text = to_latex(with_name(summary, "a_b & 50% {x} \\y ~^#$<|>"))
    escaped = (
        r"a\_b \& 50\% \{x\} \textbackslash{}y \textasciitilde{}\textasciicircum{}\#\$"
        r"\textless{}\textbar{}\textgreater{}"
    )
    assert f"\n{escaped} &" in text
    assert rf"\caption{{{escaped} (" in text
    # Every brace that is open is closed, and every environment.
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    for name in ("table", "tabular"):
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}") == 1
    places = [text.index(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")]
    assert places == sorted(places)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.parametrize("scenario", [None, "fast-drift"])
def test_latex_compiles(summary: dict[str, Any], scenario: str | None, tmp_path: Path) -> None:
    table = to_latex(with_name(summary, "a_b & 50% {x} \\y ~^#$<|>"), scenario)
    (tmp_path / "a.tex").write_text(DOCUMENT.format(table), encoding="utf-8")
    command = ["pdflatex", "-halt-on-error", "-interaction=batchmode", "a.tex"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)


def test_markdown_escapes_what_means_something_to_it(summary: dict[str, Any]) -> None:
    text = to_markdown(with_name(summary, "a|b_*c*<d>"))
    assert "| a\\|b\\_\\*c\\*\\<d\\> |" in text


def test_rich_takes_brackets_for_text(summary: dict[str, Any]) -> None:
    lines = printed(results_table(with_name(summary, "[red]x[/]")))
    assert sum("[red]x[/]" in line for line in lines) == 2


def test_an_unknown_scenario_is_named_with_those_there_are(summary: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"one of no-drift, slow-drift, .*; got 'none'"):
        results_table(summary, "none")


def test_turning_a_comparison_round_turns_its_numbers_round(summary: dict[str, Any]) -> None:
    for scenario in summary["scenarios"]:
        one, other = (
            judged(scenario, *pair, LEVEL) for pair in (("rl2", "als"), ("als", "rl2"))
        )  # fmt: skip
        assert one.difference["value"] == pytest.approx(-other.difference["value"])
        assert one.difference["low"] == pytest.approx(-other.difference["high"])
        assert one.improvement["high"] == pytest.approx(1 - other.improvement["low"])
        assert one.adjusted == other.adjusted
        swapped = {"a": "b", "b": "a"}.get(other.verdict, other.verdict)
        assert one.verdict == swapped


def between(value: float, low: float, high: float, adjusted: float) -> dict[str, Any]:
    """A scenario with one comparison."""
    interval = {"value": value, "low": low, "high": high}
    row = {"metrics": {"ctr": {"value": 0.5, "low": 0.4, "high": 0.6}}}
    return {
        "name": "s", "methods": [{"name": "x"} | row, {"name": "y"} | row],
        "comparisons": [{
            "a": "x", "b": "y", "difference": interval, "improvement": interval, "p": adjusted,
            "adjusted": adjusted,
        }],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("scenario", "verdict"),
    [
        (between(0.02, 0.01, 0.03, 0.049), "a"),
        (between(-0.02, -0.03, -0.01, 0.049), "b"),
        (between(0.02, 0.01, 0.03, 0.05), "perhaps"),
        (between(-0.02, -0.03, -0.01, 0.2), "perhaps"),
        (between(0.02, -0.01, 0.03, 0.2), "equal"),
        (between(0.0, 0.0, 0.0, 1.0), "equal"),
    ],
)
def test_sure_is_who_is_sure_after_the_correction(scenario: dict[str, Any], verdict: str) -> None:
    assert judged(scenario, "x", "y", LEVEL).verdict == verdict


def test_the_mean_difference_has_the_mean_of_the_bounds(summary: dict[str, Any]) -> None:
    rows = [judged(one, "rl2", "maml", LEVEL) for one in summary["scenarios"]]
    known = [row.difference for row in rows if row.scenario != "fast-drift"]
    mean = mean_difference(rows)
    for part in ("value", "low", "high"):
        assert mean[part] == pytest.approx(sum(one[part] for one in known) / 3)
    assert mean_difference([])["value"] is None


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.012, "0.012 higher"), (-0.02, "0.020 lower"), (-0.0004, "no different")],
)
def test_a_mean_difference_that_rounds_to_nothing_has_no_side(value: float, told: str) -> None:
    rows = [judged(between(value, value - 0.01, value + 0.01, 0.5), "x", "y", LEVEL)]
    assert on_average(rows, "x").startswith(f"On average x's CTR is {told}: ")


def test_compare_says_who_is_better_by_how_much_and_how_sure(
    summary: dict[str, Any], other_summary: dict[str, Any]
) -> None:
    text = compare([summary, other_summary], "rl2", "als")
    assert text.count("rl2 is better in 4 of 4 scenarios, als in 0; in 0 they cannot") == 2
    jump = judged(summary["scenarios"][3], "rl2", "als", LEVEL)
    share = jump.difference["value"] / jump.other
    line = next(line for line in text.splitlines() if line.startswith("  jump: "))
    assert f"rl2 is better, by {share:.1%} of the other's CTR. " in line
    assert f"rl2 minus als: {jump.difference['value']:+.3f} (" in line
    assert line.endswith("adjusted p < 0.001.")
    turned = compare([summary], "als", "rl2")
    assert "als is better in 0 of 4 scenarios, rl2 in 4;" in turned
    assert "rl2 is better, by" in turned


def test_compare_says_where_they_did_not_meet(summary: dict[str, Any]) -> None:
    lines = compare([summary], "maml", "recurrent-ppo").splitlines()
    assert "  fast-drift: not compared here." in lines
    assert "  jump: not compared here." in lines
    assert "of 2 scenarios" in lines[1]


def test_compare_refuses_the_unknown_and_the_same(summary: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"one of random, most-popular, .*; got 'nobody'"):
        compare([summary], "rl2", "nobody")
    with pytest.raises(ValueError, match="got 'rl2' twice"):
        compare([summary], "rl2", "rl2")


def test_numbers_as_text() -> None:
    assert [duration(seconds) for seconds in (0, 1.5, 40, 600, 5400)] == [
        "none", "1.5 s", "40 s", "10 min", "1.5 h",
    ]  # fmt: skip
    assert number(-0.0001) == "0.000"
    assert p_value(0.0009) == "< 0.001"
    assert p_value(0.001) == "0.001"
    assert bounds({"value": 1.0, "low": 1.0, "high": 1.0}) == ""
    assert bounds({"value": 1.0, "low": None, "high": None}) == ""
