"""The report in a real browser: what a click shows is what the summary holds."""

import copy
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from driftrec.agents.benchmark.report import write_report
from driftrec.agents.benchmark.verdict import in_words, judged

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")

LEVEL = 0.95
Opened = Callable[..., Any]


def named(page: Any, box: str) -> list[str]:
    """Names of the rows of a table, from the top."""
    rows = page.locator(f"{box} tbody tr").all()
    return [row.get_attribute("data-name") for row in rows]


def cells(page: Any, box: str, column: str) -> list[str]:
    return page.locator(f'{box} tbody [data-column="{column}"]').all_inner_texts()


def unfold(page: Any, box: str) -> None:
    """Open the numbers of a figure, whose table is made a moment after."""
    page.locator(f"{box} summary").click()
    page.locator(f"{box} tbody tr").first.wait_for()


def first_number(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-").split()[0])


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = next((found for name in names if (found := shutil.which(name))), None)
    with playwright.sync_playwright() as driver:
        if path is None and not Path(driver.chromium.executable_path).exists():
            pytest.skip("needs Chromium: none is on the path, and playwright has none of its own")
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(
    summary: dict[str, Any], other_summary: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report([summary, other_summary], path)
    return path.as_uri()


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Opened]:
    """Opens the report, and sees to it that it asks for nothing and complains of nothing."""
    trouble: list[str] = []
    pages = []

    def open_page(
        choices: str = "", width: int = 1200, scheme: str = "light", address: str = address
    ) -> Any:
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page.set_default_timeout(10_000)
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: trouble.append(dialog.message))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith(address) else trouble.append(request.url)
            ),
        )
        page.goto(f"{address}#{choices}")
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert trouble == []


def test_the_ranking_is_the_summarys_and_sorts_by_any_column(
    opened: Opened, summary: dict[str, Any]
) -> None:
    page, overall = opened(), summary["overall"]
    assert named(page, "#ranking-table") == [row["method"] for row in overall]
    shown = [first_number(text) for text in cells(page, "#ranking-table", "mean")]
    assert shown == pytest.approx([row["score"]["value"] for row in overall], abs=0.0051)

    by_rank = [row["method"] for row in sorted(overall, key=lambda row: row["rank"])]
    page.get_by_role("button", name="mean rank").click()
    assert named(page, "#ranking-table") == by_rank
    assert page.locator("#ranking-table th[aria-sort]").get_attribute("aria-sort") == "ascending"
    # The button keeps the focus, so that the keyboard can turn the order round.
    page.keyboard.press("Enter")
    assert named(page, "#ranking-table") == by_rank[::-1]
    page.get_by_role("columnheader", name="family").get_by_role("button").click()
    families = cells(page, "#ranking-table", "family")
    assert families == sorted(families)


def test_the_ranking_can_be_filtered_by_family_and_by_text(
    opened: Opened, summary: dict[str, Any]
) -> None:
    page = opened()
    page.locator("#family").select_option("bandit")
    bandits = [row["method"] for row in summary["overall"] if row["family"] == "bandit"]
    assert named(page, "#ranking-table") == bandits
    page.locator("#text").fill("LIN")
    assert named(page, "#ranking-table") == [name for name in bandits if "lin" in name]
    assert page.locator("#ranking-count").inner_text() == "2 of 12 methods"


def test_what_was_not_measured_is_last_whichever_way_round(opened: Opened) -> None:
    page = opened("scenario=fast-drift")
    button = page.locator("#scores-table").get_by_role("button", name="CTR", exact=True)
    button.click()
    assert named(page, "#scores-table")[-1] == "maml"
    highest = named(page, "#scores-table")[0]
    button.click()
    assert named(page, "#scores-table")[-1] == "maml"
    assert named(page, "#scores-table")[-2] == highest == "clairvoyant"
    assert "3 failed" in page.locator('#scores-table tr[data-name="maml"]').inner_text()
    assert "maml, seed 2: diverged" in page.locator("#scores-table").inner_text()


@pytest.mark.parametrize("pair", [("rl2", "als"), ("als", "rl2"), ("maml", "recurrent-ppo")])
def test_two_methods_are_compared_in_the_words_of_python(
    opened: Opened, summary: dict[str, Any], pair: tuple[str, str]
) -> None:
    page = opened()
    page.locator("#a").select_option(pair[0])
    page.locator("#b").select_option(pair[1])
    rows = [judged(scenario, *pair, LEVEL) for scenario in summary["scenarios"]]
    words = [
        text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
        for text in cells(page, "#compare-table", "words")
    ]
    assert words == [in_words(row, *pair) for row in rows]
    for row, text, chance in zip(
        rows,
        cells(page, "#compare-table", "difference"),
        cells(page, "#compare-table", "improvement"),
        strict=True,
    ):
        if row.difference["value"] is None:
            assert text == chance == "\N{EN DASH}"
            continue
        assert first_number(text) == pytest.approx(row.difference["value"], abs=0.00051)
        assert first_number(chance) == pytest.approx(row.improvement["value"], abs=0.0051)
    better = sum(row.verdict == "a" for row in rows)
    compared = sum(row.verdict != "none" for row in rows)
    said = page.locator("#compare-words strong").inner_text()
    assert said.startswith(f"{pair[0]} is better in {better} of {compared} scenarios")
    assert page.locator("#compare-figure .mark").count() == compared


def test_swapping_changes_the_sides(opened: Opened) -> None:
    page = opened("a=rl2&b=als")
    before = [first_number(text) for text in cells(page, "#compare-table", "difference")]
    page.get_by_role("button", name="Swap").click()
    after = [first_number(text) for text in cells(page, "#compare-table", "difference")]
    assert after == [-value for value in before]
    assert all(before)


def test_a_scenarios_scores_and_curves_are_its_own(opened: Opened, summary: dict[str, Any]) -> None:
    page = opened()
    page.locator("#scenario").select_option("jump")
    jump = summary["scenarios"][3]
    values = {row["name"]: row["score"]["value"] for row in jump["methods"]}
    order = sorted(values, key=lambda name: -values[name])
    assert named(page, "#scores-table") == order
    assert "Not in this scenario: recurrent-ppo." in page.locator("#scores-table").inner_text()
    assert page.locator("#adaptation-figure svg text", has_text="tastes change").count() == 1

    unfold(page, "#adaptation-figure")
    curve = next(row for row in jump["methods"] if row["name"] == "rl2")["adaptation"]["value"]
    shown = [first_number(text) for text in cells(page, "#adaptation-figure", "rl2")]
    assert shown == pytest.approx(curve, abs=0.00051)


def test_methods_can_be_taken_out_of_the_figures_and_put_in(opened: Opened) -> None:
    page = opened()
    lines = page.locator("#adaptation-figure .series")
    before = lines.count()
    page.locator("#adaptation-figure .legend button", has_text="rl2").click()
    playwright.expect(lines).to_have_count(before - 1)
    assert page.locator('#survival-figure [data-name="rl2"]').count() == 0
    page.locator("#picker summary").click()
    page.locator('#picker-panel input[value="maml"]').check()
    playwright.expect(lines).to_have_count(before)
    assert page.locator('#adaptation-figure .series[data-name="maml"]').count() == 1
    page.get_by_role("button", name="None", exact=True).click()
    playwright.expect(lines).to_have_count(0)
    assert "None of the chosen methods is here" in page.locator("#adaptation-figure").inner_text()
    page.get_by_role("button", name="All", exact=True).click()
    playwright.expect(lines).to_have_count(12)


def test_colours_and_marks_of_a_method_are_the_same_everywhere(opened: Opened) -> None:
    page = opened()
    drawn = page.evaluate(
        """() => [...document.querySelectorAll('[data-name="rl2"] path[fill^="var"]')]
            .map((node) => node.getAttribute("fill") + node.getAttribute("d"))"""
    )
    assert len(drawn) > 10
    assert len(set(drawn)) == 1


@pytest.mark.parametrize("day", ["retention-7", "retention-30"])
def test_the_pareto_front_is_what_no_other_beats(
    opened: Opened, summary: dict[str, Any], day: str
) -> None:
    page = opened()
    page.locator(f'input[value="{day}"]').check()
    unfold(page, "#pareto-figure")
    points = {
        row["name"]: (row["metrics"]["ctr"]["value"], row["metrics"][day]["value"])
        for row in summary["scenarios"][0]["methods"]
        if row["family"] != "reference"
    }
    front = {
        name
        for name, (x, y) in points.items()
        if not any(
            u >= x and v >= y and (u, v) != (x, y) for u, v in points.values()
        )
    }  # fmt: skip
    marked = zip(named(page, "#pareto-figure"), cells(page, "#pareto-figure", "front"), strict=True)
    assert {name for name, text in marked if text == "yes"} == front
    assert page.locator("#pareto-figure .ring").count() == len(front)


def test_groups_show_the_smallest_first(opened: Opened, summary: dict[str, Any]) -> None:
    page = opened("measure=score")
    heads = page.locator("#groups-figure .head").all_text_contents()
    assert heads == ["minority", "persona-2", "persona-1"]
    unfold(page, "#groups-figure")
    shown = [first_number(text) for text in cells(page, "#groups-figure", "minority")]
    given = [
        next(group for group in row["groups"] if group["name"] == "minority")["score"]["value"]
        for row in summary["scenarios"][0]["methods"]
    ]
    assert shown == pytest.approx(given, abs=0.0051)


def test_predictions_are_shown_of_those_that_predict(
    opened: Opened, summary: dict[str, Any]
) -> None:
    page = opened()
    rows = [row for row in summary["scenarios"][0]["methods"] if row["predictions"]]
    best = sorted(rows, key=lambda row: -row["predictions"]["auc"]["value"])
    assert named(page, "#predictions-table") == [row["name"] for row in best]
    unfold(page, "#predictions-figure")
    counted = cells(page, "#predictions-figure", "count")
    # The last bin of each is empty.
    assert counted == ["900"] * 9 * len(rows)


def test_one_users_trial_shows_each_request(opened: Opened, summary: dict[str, Any]) -> None:
    page = opened()
    page.locator("#user").select_option("17")
    page.locator("#shown").select_option("filter-ucb")
    steps = summary["scenarios"][0]["trials"][1]["methods"]["filter-ucb"]
    clicks = sum(step["clicks"] for step in steps)
    words = page.locator("#trial-words").inner_text()
    assert words.startswith("filter-ucb showed user 17, persona-1, 60 slates")
    assert f"got {clicks:.0f} clicks." in words
    playwright.expect(page.locator("#trial-figure .strip .cell")).to_have_count(len(steps))
    assert page.locator("#trial-figure .strip .cell.hit").count() == clicks
    unfold(page, "#trial-table")
    believed = [first_number(text) for text in cells(page, "#trial-table", "predicted")]
    assert believed == pytest.approx([step["predicted"] for step in steps], abs=0.00051)
    shown = cells(page, "#trial-table", "shown")
    # A title that looks like markup is text.
    assert shown[0].startswith('</script><script>alert("1")')
    assert shown[1] == "Film 2 (news)"

    page.locator("#shown").select_option("most-popular")
    assert "does not say what it believes" in page.locator("#trial-words").inner_text()


def test_another_suite_brings_its_own(opened: Opened, other_summary: dict[str, Any]) -> None:
    page = opened()
    page.locator("#suite").select_option("retention-v1")
    assert page.locator("h1").inner_text() == "Users who leave"
    shown = [first_number(text) for text in cells(page, "#ranking-table", "mean")]
    given = [row["score"]["value"] for row in other_summary["overall"]]
    assert shown == pytest.approx(given, abs=0.0051)


def test_a_link_restores_the_view(opened: Opened) -> None:
    page = opened()
    page.locator("#suite").select_option("retention-v1")
    page.locator("#scenario").select_option("slow-drift")
    page.locator("#family").select_option("meta")
    page.get_by_role("button", name="mean rank").click()
    page.locator("#a").select_option("als")
    page.locator("#adaptation-figure .legend button", has_text="rl2").click()
    page.locator('input[value="retention-7"]').check()
    page.locator("#user").select_option("17")
    page.get_by_role("button", name="Dark theme").click()
    again = opened(page.url.partition("#")[2])
    assert again.locator("main").inner_text() == page.locator("main").inner_text()
    assert again.locator("html").get_attribute("data-theme") == "dark"
    # An address that was typed over, with choices that are not there, falls back.
    again.evaluate("location.hash = 'suite=none&scenario=none&methods=none&sort=none&user=%E0%A4'")
    playwright.expect(again.locator("h1")).to_have_text("Users who change")
    assert again.locator("#scenario").input_value() == "no-drift"


def test_marks_and_curves_are_read_with_the_keyboard(
    opened: Opened, summary: dict[str, Any]
) -> None:
    page = opened()
    tip = page.locator("#tip")
    marks = page.locator("#pareto-figure .mark")
    marks.first.focus()
    playwright.expect(tip).to_contain_text("random")
    page.keyboard.press("ArrowRight")
    playwright.expect(tip).to_contain_text("most-popular")
    page.keyboard.press("Escape")
    playwright.expect(tip).to_be_hidden()

    slider = page.locator("#adaptation-figure [role=slider]")
    slider.focus()
    page.keyboard.press("End")
    playwright.expect(tip).to_contain_text("request 120")
    rows = {row["name"]: row for row in summary["scenarios"][0]["methods"]}
    last = rows["rl2"]["adaptation"]["value"][-1]
    assert f"rl2 {last:.3f}" in slider.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowLeft")
    playwright.expect(tip).to_contain_text("request 119")


def test_dark_follows_the_system_and_the_button(opened: Opened) -> None:
    def brightness(page: Any) -> float:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3

    light, dark = opened(), opened(scheme="dark")
    assert brightness(light) > 240
    assert brightness(dark) < 40
    dark.get_by_role("button", name="Light theme").click()
    light.get_by_role("button", name="Dark theme").click()
    assert brightness(dark) > 240
    assert brightness(light) < 40
    light.emulate_media(media="print")
    assert brightness(light) > 240
    playwright.expect(light.locator(".bar")).to_be_hidden()


@pytest.mark.parametrize("width", [320, 768])
def test_nothing_is_wider_than_the_screen(opened: Opened, width: int) -> None:
    page = opened(width=width)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    beyond = page.evaluate(
        """() => [...document.querySelectorAll("body *")]
            .filter((node) => !node.closest(".scroll, .canvas, pre, .skip, .unseen, #tip"))
            .filter((node) => node.getBoundingClientRect().right > innerWidth + 1)
            .map((node) => node.outerHTML.slice(0, 80))"""
    )
    assert beyond == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 320)])
def test_axe_finds_nothing(
    opened: Opened, summary: dict[str, Any], tmp_path: Path, scheme: str, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")
    write_report([shortened(summary), shortened(summary) | {"suite": "b"}], tmp_path / "a.html")
    page = opened("scenario=slow-drift", width, scheme, (tmp_path / "a.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.locator("#pareto-figure .mark").first.focus()
    found = axe.Axe().run(page)
    assert [
        (rule["id"], node["html"][:120]) for rule in found.response["violations"]
        for node in rule["nodes"]
    ] == []  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_of_a_method_stands_out(opened: Opened, scheme: str) -> None:
    page = opened(scheme=scheme)
    colours = page.evaluate(
        """() => {
            const probe = document.body.appendChild(document.createElement("i"));
            const seen = (name) => {
                probe.style.color = `var(--${name})`;
                return getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map(Number);
            };
            const names = [...Array(8).keys()].map((place) => `method-${place}`);
            return [seen("paper"), ...names.map(seen)];
        }"""
    )
    paper, *methods = [luminance(colour) for colour in colours]
    for one in methods:
        brighter, darker = max(one, paper), min(one, paper)
        # WCAG 2.2, 1.4.11: graphical objects.
        assert (brighter + 0.05) / (darker + 0.05) >= 3


def shortened(summary: dict[str, Any]) -> dict[str, Any]:
    """The same with few requests and methods: axe looks at every cell of every table."""
    short = copy.deepcopy(summary)
    few = {"most-popular", "filter-ucb", "recurrent-ppo", "hierarchical-bayes", "rl2"}
    for scenario in short["scenarios"]:
        scenario["methods"] = [row for row in scenario["methods"] if row["name"] in few]
        scenario["trials"] = scenario["trials"][:1]
        for row in scenario["methods"]:
            row["adaptation"] = {part: curve[:5] for part, curve in row["adaptation"].items()}
        for trial in scenario["trials"]:
            trial["methods"] = {name: steps[:5] for name, steps in trial["methods"].items()}
    profiles = short["profiles"]
    profiles["at"] = profiles["at"][:5]
    for curve in profiles["methods"].values():
        curve.update({part: values[:5] for part, values in curve.items()})
    return short


def luminance(colour: list[float]) -> float:
    """Relative luminance of sRGB in 0 to 255 (WCAG 2.2)."""
    parts = [value / 255 for value in colour]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
