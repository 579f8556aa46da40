"""The leaderboard says plainly who wins, and Sphinx takes it."""

import copy
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from driftrec.agents.benchmark.leaderboard import best, best_there, leaderboard
from driftrec.agents.benchmark.verdict import judged

CONF = 'project = "x"\nextensions = ["myst_parser"]\nmyst_heading_anchors = 3\n'


@pytest.fixture(scope="module")
def text(summary: dict[str, Any], other_summary: dict[str, Any]) -> str:
    return leaderboard([summary, other_summary])


def tables(text: str) -> list[list[list[str]]]:
    blocks = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    return [[cells(line) for line in block.splitlines()] for block in blocks]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_each_suite_has_its_ranking_and_the_command_that_made_it(
    text: str, summary: dict[str, Any], other_summary: dict[str, Any]
) -> None:
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Users who change", "Users who leave"]
    for one in (summary, other_summary):
        assert f"```console\n$ {one['command']}\n```" in text
    ranking = tables(text)[0][2:]
    assert [row[1].strip("*") for row in ranking] == [row["method"] for row in summary["overall"]]
    for found, row in zip(ranking, summary["overall"], strict=True):
        assert found[3].startswith(f"{row['score']['value']:.2f} (")


def test_every_scenario_has_its_scores_and_where_people_leave_who_stays(
    text: str, summary: dict[str, Any], other_summary: dict[str, Any]
) -> None:
    heading, _, *rows = tables(text)[1]
    assert heading == ["method", *(one["name"] for one in summary["scenarios"])]
    for row in rows:
        for scenario, cell in zip(summary["scenarios"], row[1:], strict=True):
            found = {each["name"]: each["score"] for each in scenario["methods"]}
            known = row[0] in found and found[row[0]]["value"] is not None
            assert cell.startswith(f"{found[row[0]]['value']:.2f}" if known else ("", "-"))
    for scenario in other_summary["scenarios"]:
        assert f"Who stays in {scenario['name']}:" in text
    who = tables(text.split("Who stays in", 1)[1])[0][2:]
    stays = [float(row[3].split()[0]) for row in who]
    assert stays == sorted(stays, reverse=True)


def test_what_a_suite_asks_has_a_table(summary: dict[str, Any]) -> None:
    changed = copy.deepcopy(summary)
    changed["suite"] = "cold-start-v9"
    changed["scenarios"][0]["jump"] = 3
    for scenario in changed["scenarios"][1:]:
        scenario["jump"] = 0
    text = leaderboard([changed])
    assert text.count("Who learns soon in") == len(changed["scenarios"])
    assert text.count("Who recovers from the jump in") == 1
    soon = tables(text.split("Who learns soon in", 1)[1])[0]
    assert soon[0] == ["method", "CTR, first 5 requests", "first 10", "first 20", "first 50"]
    row = next(row for row in changed["scenarios"][0]["methods"] if row["name"] == soon[2][0])
    assert soon[2][1].startswith(f"{row['metrics']['ctr-first-5']['value']:.3f}")


def test_who_learns_soon_is_counted_by_whole_intervals_above_the_baseline(
    summary: dict[str, Any],
) -> None:
    changed = copy.deepcopy(summary)
    changed["suite"], changed["scenarios"] = "cold-start-v9", changed["scenarios"][:1]
    rows = {row["name"]: row["metrics"] for row in changed["scenarios"][0]["methods"]}
    for metrics in rows.values():
        for count in (5, 10, 20, 50):
            metrics[f"ctr-first-{count}"] = {"value": 0.5, "low": 0.4, "high": 0.6}
    above = {"value": 0.7, "low": 0.601, "high": 0.8}
    rows["rl2"]["ctr-first-20"] = rows["als"]["ctr-first-50"] = rows["rl2"]["ctr-first-50"] = above
    # Oracles are above from the start, and do not count.
    rows["clairvoyant"]["ctr-first-5"] = rows["filter-ucb"]["ctr-first-5"] = above
    others = len(rows) - len({"most-popular", "clairvoyant", "filter-ucb"})
    assert (
        f"Of {others} other methods that compete, so many have their whole interval above that of "
        "most-popular: 0 over the first 5 requests, 0 over the first 10, 1 over the first 20, 2 "
        "over the first 50."
    ) in leaderboard([changed])


def test_where_people_leave_the_order_by_clicks_is_held_against_who_stays(
    summary: dict[str, Any], other_summary: dict[str, Any]
) -> None:
    """Of n methods in reverse order the rank correlation is -1; where all stay alike, none."""
    changed = copy.deepcopy(other_summary)
    changed["scenarios"] = changed["scenarios"][:3]
    for scenario, sign in zip(changed["scenarios"], (1, -1, 0), strict=True):
        for place, row in enumerate(row for row in scenario["methods"] if row["runs"]):
            row["metrics"]["ctr"]["value"] = place / 100
            row["metrics"]["retention-30"]["value"] = 0.5 + sign * place / 50
    text = leaderboard([changed])
    assert "The table ranks by clicks" in text
    assert "over methods: 1.00 in no-drift, -1.00 in slow-drift." in text
    assert "ranks by clicks" not in leaderboard([summary])


def test_whoever_knows_too_much_does_not_compete(text: str, summary: dict[str, Any]) -> None:
    names = [row[1] for row in tables(text)[0][2:]]
    assert [name for name in names if name.startswith("*")] == ["*clairvoyant*", "*filter-ucb*"]
    assert best(summary, meta=True) == "rl2"
    assert best(summary, meta=False) == "hierarchical-bayes"
    assert {best_there(one) for one in summary["scenarios"]} <= {
        "hierarchical-bayes", "neural-linear",
    }  # fmt: skip


def test_an_open_reference_that_is_the_best_of_the_others_is_the_rival(
    summary: dict[str, Any],
) -> None:
    changed = copy.deepcopy(summary)
    changed["overall"].sort(key=lambda row: row["method"] != "most-popular")
    assert best(changed, meta=False) == "most-popular"


def test_where_it_wins_and_where_not_is_what_the_comparisons_say(
    text: str, summary: dict[str, Any]
) -> None:
    rows = tables(text.split("### The best meta-learner", 1)[1])[0][2:]
    for scenario in summary["scenarios"]:
        own = [row for row in rows if row[0] == scenario["name"]]
        rivals = list(dict.fromkeys(["hierarchical-bayes", best_there(scenario)]))
        assert [row[1] for row in own] == rivals
        for row, rival in zip(own, rivals, strict=True):
            found = judged(scenario, "rl2", rival, 0.95)
            assert row[2].startswith(f"{found.difference['value']:+.3f} (")
            assert ("is better" in row[5]) == (found.verdict in "ab")
    wins = [
        one["name"]
        for one in summary["scenarios"]
        if judged(one, "rl2", "hierarchical-bayes", 0.95).verdict == "a"
    ]
    assert wins
    assert f"* **rl2 wins**: {', '.join(wins)}." in text


def test_a_loss_is_stated_as_plainly(summary: dict[str, Any]) -> None:
    changed = copy.deepcopy(summary)
    changed["overall"].sort(key=lambda row: row["method"] != "maml")
    text = leaderboard([changed])
    assert "against the best of all others, hierarchical-bayes" in text
    assert "* **hierarchical-bayes wins**: no-drift, slow-drift, jump." not in text
    losses = [
        one["name"]
        for one in summary["scenarios"]
        if judged(one, "maml", "hierarchical-bayes", 0.95).verdict == "b"
    ]
    assert losses
    assert f"* **hierarchical-bayes wins**: {', '.join(losses)}." in text
    assert "* **Not compared**: fast-drift." in text


def test_a_suite_without_meta_learners_says_so(summary: dict[str, Any]) -> None:
    changed = copy.deepcopy(summary)
    changed["overall"] = [row for row in changed["overall"] if row["family"] != "meta"]
    assert "No meta-learner has a score in this suite" in leaderboard([changed])
    with pytest.raises(ValueError, match="at least one summary, got none"):
        leaderboard([])


def test_every_row_has_as_many_cells_as_its_heading(text: str) -> None:
    for table in tables(text):
        assert {len(row) for row in table} == {len(table[0])}


def test_sphinx_takes_it_strictly(text: str, tmp_path: Path) -> None:
    pytest.importorskip("myst_parser")
    (tmp_path / "conf.py").write_text(CONF)
    (tmp_path / "index.md").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", ".", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert page.count("<table") == len(tables(text))
    assert "<em>clairvoyant</em>" in page
