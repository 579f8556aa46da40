"""What can be said of a report without a browser."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from driftrec.agents.benchmark.report import SCRIPTS, embedded, page, write_report
from driftrec.agents.metrics import METRICS

ASSETS = Path(__file__).parents[3] / "agents" / "benchmark" / "report"


class Parts(HTMLParser):
    """Collects what a page links to, the text of its scripts, and its headings."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.scripts: list[dict[str, str | None]] = []
        self.texts: list[str] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = dict(attrs)
        self.links += [own[name] or "" for name in ("src", "href", "data", "action") if name in own]
        self.inside = tag == "script"
        if self.inside:
            self.scripts.append(own)
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts[-1] += data


@pytest.fixture(scope="module")
def html(summary: dict[str, Any], other_summary: dict[str, Any]) -> str:
    return page([summary, other_summary])


@pytest.fixture(scope="module")
def parts(html: str) -> Parts:
    parser = Parts()
    parser.feed(html)
    return parser


def test_the_page_refers_to_nothing_outside(html: str, parts: Parts) -> None:
    assert set(parts.links) == {"data:,", "#main"}
    assert all(set(script) <= {"id", "type"} for script in parts.scripts)
    addresses = set(re.findall(r"\w+://[^\s\"'`]+", html))
    # The name of a language, which nobody asks for.
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|WebSocket|import\(", html)


def test_the_page_forbids_itself_to_ask_for_anything(html: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy
    assert policy.group(1).startswith("default-src 'none';")
    assert "connect-src" not in policy.group(1)


def test_the_data_survive_what_would_end_a_script(
    summary: dict[str, Any], other_summary: dict[str, Any], parts: Parts
) -> None:
    assert [script.get("id") for script in parts.scripts] == ["data", None]
    read = json.loads(parts.texts[0])
    assert [one["suite"] for one in read["suites"]] == ["dynamic-v1", "retention-v1"]
    first = read["suites"][0]
    hostile = summary["scenarios"][0]["trials"][0]["methods"]["rl2"][0]["titles"]
    assert "</script>" in hostile[0]
    assert first["scenarios"][0]["trials"][0]["methods"]["rl2"][0]["titles"] == hostile
    assert set(read["labels"]) == set(METRICS)


def test_numbers_keep_five_digits(summary: dict[str, Any], parts: Parts) -> None:
    read = json.loads(parts.texts[0])["suites"][0]
    for told, given in zip(read["overall"], summary["overall"], strict=True):
        assert told["score"]["value"] == pytest.approx(given["score"]["value"], rel=1e-4)
    regret = read["scenarios"][0]["methods"][0]["metrics"]["regret"]
    assert regret == {"value": None, "low": None, "high": None}


def test_embedded_data_hold_no_markup_and_no_nan() -> None:
    data = {"a": "</SCRIPT><!--&", "b": float("nan"), "c": [float("inf"), 2.0, 0.1234567, -0.0]}
    text = embedded(data)
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"a": data["a"], "b": None, "c": [None, 2, 0.12346, 0]}


def test_a_mark_of_the_template_in_the_data_stays_as_it_is(html: str) -> None:
    # The titles hold such a mark; a second pass over the page would have filled it.
    assert "{{data}}" in html
    assert html.count('"suites":') == 1


def test_every_script_is_in_the_package_and_used() -> None:
    assert {path.name for path in ASSETS.glob("*.js")} == set(SCRIPTS)


def test_one_summary_need_not_be_in_a_list(summary: dict[str, Any], tmp_path: Path) -> None:
    write_report(summary, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page([summary])
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_what_is_no_summary_is_refused(summary: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one summary, got none"):
        write_report([], tmp_path / "a.html")
    with pytest.raises(ValueError, match="must be 'driftrec-summary-1', got 'other'"):
        write_report(summary | {"format": "other"}, tmp_path / "a.html")
    with pytest.raises(ValueError, match="different suites"):
        write_report([summary, summary], tmp_path / "a.html")
    assert not list(tmp_path.iterdir())
