"""The proof of the published simulators: cells, the page, and the scores that ship."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from driftrec.agents import POLICIES
from driftrec.envs import RecommendationVectorEnv, reference_scores, sardine_population
from driftrec.envs.published import SOURCES

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _scripts_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))


def module(name: str) -> Any:
    return importlib.import_module(name)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["validate_simulators.py", *map(str, arguments)])
    try:
        module("common").run(module("validate_simulators").main)
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return 0


def test_the_smallest_size_plays_trains_and_writes_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    smoke = ("--size", "smoke", "--seeds", "1", "--workers", "1", "--out", tmp_path)
    assert run(monkeypatch, *smoke, "--sections", "headroom") == 0
    assert run(monkeypatch, *smoke, "--only", "SingleItem-Static random") == 0
    assert run(monkeypatch, *smoke, "--write") == 0
    page = (tmp_path / "simulators.md").read_text()
    assert "| sardine.SingleItem-Static | random | 8.42 ± 0.66 |" in page
    assert "| recsim.InterestEvolution | topic quality | 264.5 ± 1.5 | not run | not run |" in page
    written = json.loads((tmp_path / "scores.json").read_text())
    assert set(written["attrition.SingleType"]) == {"random", "myopic oracle", "planning oracle"}
    assert "4 cells, 0 of them done before" in capsys.readouterr().out


def test_every_cell_has_a_folder_of_its_own() -> None:
    script, cells = module("validate_simulators"), module("validation.cells")
    for size in ("smoke", "standard", "full"):
        plan = cells.Plan(size, 3)
        found = cells.unique(
            [cell for part in script.SECTIONS.values() for cell in part.cells(plan)]
        )
        assert len({cell.folder(Path("out")) for cell in found}) == len(found)
    assert list(script.SECTIONS) == list(script.Validate().sections)


def test_two_numbers_agree_where_the_interval_of_their_difference_holds_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published, tasks = module("validation.published"), module("validation.tasks")
    row, plan = published.Row("a.b", "random", 10.0, 1.96), module("validation.cells").Plan()
    for value, verdict in ((12.7, "agrees"), (13.0, "off by +2.1 SE"), (7.0, "off by -2.1 SE")):
        monkeypatch.setattr(published, "score_of", lambda *_, value=value: tasks.Score(value, 1.0))
        assert published._row(row, plan, tmp_path)[-1] == verdict


def test_the_aware_heuristic_bores_nobody_and_earns_more_than_greed() -> None:
    wary = module("validation.wary")
    earned = {}
    for make in (wary.Wary, POLICIES["clairvoyant"]):
        env = RecommendationVectorEnv(
            sardine_population("SlateTopK-Bored"), 20, split="test",
            autoreset_mode="Disabled",
        )  # fmt: skip
        observation, _ = env.reset(seed=0)
        policy = make(env)
        state, earned[make] = policy.start(20), 0.0
        for _ in range(30):
            items, state = policy.act(observation, state)
            observation, reward, *_ = env.step(items)
            earned[make] += reward.sum()
            assert make is not wary.Wary or not env.simulation.state.bored.any()
    assert earned[wary.Wary] > 2 * earned[POLICIES["clairvoyant"]]


def test_a_difference_within_the_interval_is_said_to_be() -> None:
    headroom, tasks = module("validation.headroom"), module("validation.tasks")
    judged = [
        headroom._judged(tasks.Score(value, 1.0), 100.0)[-1] for value in (103.0, 101.0, 98.5)
    ]
    assert judged == [
        "met by 3.0",
        "met by 1.0, less than the interval",
        "not met by 1.5, less than the interval",
    ]


def test_room_is_from_random_slates_to_the_best() -> None:
    headroom, tasks = module("validation.headroom"), module("validation.tasks")
    known = [tasks.Score(value, 1.0) for value in (95.0, 90.0, 100.0)]
    assert headroom._room(known, None) == "5% (little)"
    assert headroom._room(known, tasks.Score(190.0, 1.0)) == "50%"
    assert headroom._room([None, *known[1:]], None) == "not run"


def test_scores_that_ship_are_of_published_tasks_and_in_order() -> None:
    known = {f"{source}.{task}" for source, one in SOURCES.items() for task in one.tasks}
    found = reference_scores()
    assert {name.split(" (")[0] for name in found} == known
    for row in found.values():
        assert set(row) == {"random", "myopic oracle", "planning oracle"}
        for mean, error in row.values():
            assert np.isfinite(mean)
            assert error >= 0
        (chance, little), (planned, error) = row["random"], row["planning oracle"]
        assert planned > chance - 3 * (little**2 + error**2) ** 0.5
    bored = found["sardine.SlateTopK-Bored"]
    assert bored["random"][0] < bored["myopic oracle"][0] < bored["planning oracle"][0]
    with pytest.raises(ValueError, match="task must be one of"):
        reference_scores("sardine")
