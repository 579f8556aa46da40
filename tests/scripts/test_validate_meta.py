"""The proof is made of cells that are measured once, resume, and are never invented."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _scripts_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))


def module(name: str) -> Any:
    return importlib.import_module(name)


def validate(
    *arguments: str | Path, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
) -> tuple[int, str, str]:
    """The script in this process: exit code, output and errors."""
    patch.setattr(sys, "argv", ["validate_meta.py", *map(str, arguments)])
    code = 0
    try:
        module("common").run(module("validate_meta").main)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    return code, *capture.readouterr()


SMOKE = ("--size", "smoke", "--seeds", "1", "--workers", "1")


def test_cells_run_once_and_the_page_holds_what_was_run_and_says_what_was_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def here(*arguments: str) -> tuple[int, str, str]:
        return validate(*SMOKE, *arguments, "--out", tmp_path, capture=capsys, patch=monkeypatch)

    bandits = ("--sections", "bandits", "--only", "pulls=10")
    code, printed, errors = here(*bandits)
    assert (code, errors) == (0, "")
    assert "11 cells, 0 of them done before" in printed
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("result.json")}
    assert len(stamps) == 11
    assert "11 cells, 11 of them done before" in here(*bandits)[1]
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    listed = here("--sections", "bandits", "mdp", "--list")[1]
    assert listed.count("done, ") == 11
    assert listed.count("to do") == 5

    # A result that a kill or a hand damaged is measured again, and only that.
    damaged = next(path for path in stamps if "thompson" in str(path))
    before = json.loads(damaged.read_text())["result"]
    damaged.write_text("{")
    assert "11 cells, 10 of them done before" in here(*bandits)[1]
    assert json.loads(damaged.read_text())["result"] == before

    assert here("--write")[0] == 0
    page = (tmp_path / "validation.md").read_text()
    # 10 pulls of five arms pay 50 / 6 at most, in expectation.
    assert f"{50 / 6 - before['regret']:.3f} ± {before['regret_error']:.3f}" in page
    assert "| 10, 5 | 6.660 | 6.7 | 6.64 |" in page
    rows = [line for line in page.splitlines() if line.startswith("| 10 | RL² ")]
    assert rows == ["| 10 | RL² | 156.2 | not run | > 150 | not run |  |"]
    assert (
        max(len(line) for line in page.splitlines() if not line.startswith(("|", "`", "Hard")))
        < 400
    )


def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments, message in (
        (["--seeds", "0"], "seeds must be at least 1, got 0"),
        (["--only", "nothing-like-it"], "no cell's name holds 'nothing-like-it'"),
    ):
        code, _, errors = validate(*arguments, "--out", tmp_path, capture=capsys, patch=monkeypatch)
        assert code == 2
        assert errors.count("\n") == 1
        assert message in errors


def test_every_cell_of_every_size_has_a_name_a_key_and_a_folder_of_its_own() -> None:
    script, cells = module("validate_meta"), module("validation.cells")
    plans = [cells.Plan(size, seeds) for size in ("smoke", "standard", "full") for seeds in (1, 3)]
    for plan in plans:
        found = cells.unique(
            [cell for part in script.SECTIONS.values() for cell in part.cells(plan)]
        )
        folders = {cell.folder(Path("out")) for cell in found}
        assert len(folders) == len(found) == len({(cell.section, cell.name) for cell in found})
        assert list(script.SECTIONS) == list(script.Validate().sections)


def test_fewer_seeds_are_the_first_of_more_and_training_users_are_part_of_the_key() -> None:
    cells, efficiency = module("validation.cells"), module("validation.efficiency")
    one, three = (
        {cell.key for cell in efficiency.cells(cells.Plan("standard", seeds))} for seeds in (1, 3)
    )
    assert one < three
    plan = cells.Plan("standard", 3)
    users = {cell.key for cell in module("validation.users").cells(plan)}
    counts = [{cell.key for cell in efficiency.learners(count, plan)} for count in (None, 100)]
    for keys, others in ((counts[0], counts[1]), (counts[0], users), (counts[1], users)):
        assert len(keys) == 3 * len(efficiency.LEARNERS)
        assert not keys & others


def test_a_training_that_was_cut_goes_on_and_its_seconds_are_counted_once(tmp_path: Path) -> None:
    training, bandits = module("validation.training"), module("validation.bandits")
    plan = module("validation.cells").Plan("smoke", 1)
    config = replace(bandits.variants(5, 10, plan)["RL²"].config, iterations=4, validate_every=1)
    population = bandits.task(5, 10, plan).population
    whole, cost = training.train("rl2", config, population, tmp_path / "whole")
    assert cost["user_steps"] == 4 * 16 * 10

    class CutError(Exception):
        pass

    def stop(self: Any, iteration: int, iterations: int, metrics: Any) -> None:
        count(self, iteration, iterations, metrics)
        if iteration == 2:
            raise CutError

    count = training.Clock.__call__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.Clock, "__call__", stop)
        with pytest.raises(CutError):
            training.train("rl2", config, population, tmp_path / "cut")
    noted = json.loads((tmp_path / "cut" / "cost.json").read_text())
    assert noted["iteration"] == 2
    # As if the first attempt had been long.
    noted["cpu_seconds"] = 1000.0
    (tmp_path / "cut" / "cost.json").write_text(json.dumps(noted))
    resumed, total = training.train("rl2", config, population, tmp_path / "cut")
    assert 1000 < total["cpu_seconds"] < 1000 + 60
    for name, tensor in whole.network.state_dict().items():
        np.testing.assert_array_equal(tensor, resumed.network.state_dict()[name])


@dataclass(frozen=True)
class Inner:
    rate: float = 0.1
    since: int = 0


@dataclass(frozen=True)
class Outer:
    users: int
    inner: Inner = field(default_factory=Inner)
    sizes: tuple[int, ...] = (1, 2)


def test_a_result_outlives_new_fields_at_their_default_and_no_other_change() -> None:
    agrees = module("validation.cells").agrees
    recorded = {"users": 5, "inner": {"rate": 0.1}, "sizes": [1, 2]}
    assert agrees(recorded, Outer(5))
    assert not agrees(recorded, Outer(6))
    assert not agrees(recorded, Outer(5, Inner(since=1)))
    assert not agrees(recorded, Outer(5, Inner(rate=0.2)))
    assert not agrees(recorded, Outer(5, sizes=(1, 3)))
    assert not agrees(recorded | {"gone": 1}, Outer(5))
    assert not agrees({"inner": {"rate": 0.1}}, Outer(5))


@dataclass(frozen=True)
class Numbers:
    """Stands for a cell that gave these rewards."""

    variant: str
    reward: float
    error: float


def test_the_error_over_seeds_joins_their_spread_and_the_tasks_that_they_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tasks = module("validation.tasks")

    def result(cell: Numbers, out: Path) -> dict[str, Any]:
        played = {"reward": cell.reward, "reward_error": cell.error}
        return {"acting": {"": played}, "cpu_seconds": 5.0}

    monkeypatch.setattr(tasks, "result_of", result)
    cells = [Numbers("one", value, 0.3) for value in (6.0, 7.0, 8.0)]
    (score,) = tasks.learner_scores(cells, Path()).values()
    assert (score.value, score.seeds, score.cpu_seconds) == (7.0, 3, 5.0)
    assert score.error == pytest.approx((1 / 3 + 0.09) ** 0.5)
    (alone,) = tasks.learner_scores(cells[:1], Path()).values()
    assert alone.error == pytest.approx(0.3)


def test_a_learner_above_the_optimum_is_flagged_as_a_leak() -> None:
    bandits, tasks = module("validation.bandits"), module("validation.tasks")
    assert "leak" in bandits._number(tasks.Score(6.70, 0.01, 3), exact=6.66)
    assert "leak" not in bandits._number(tasks.Score(6.68, 0.01, 3), exact=6.66)
    assert "leak" not in bandits._number(tasks.Score(79.0, 0.01, 3), exact=None)


def test_targets_are_those_that_were_asked_for() -> None:
    bandits = module("validation.bandits")
    assert bandits.target_of(5, 10, 6.660) == pytest.approx(6.640)
    assert bandits.target_of(5, 100, None) == 78.0
    assert bandits.target_of(5, 500, None) == 400.0
    assert bandits.target_of(50, 100, None) == pytest.approx(0.99 * 84.9)
    text = module("validation.text")
    assert text.verdict(6.65, 6.64) == "met by 0.010"
    assert text.verdict(11.0, 10.5, below=True) == "not met by 0.500"


def test_tests_that_claims_name_exist() -> None:
    gradients = module("validation.gradients")
    for tests in gradients.CLAIMS.values():
        for test in tests:
            path, _, function = test.partition("::")
            assert f"def {function}(" in (ROOT / path).read_text(), test


def test_outcomes_are_read_from_the_summary_of_pytest() -> None:
    gradients = module("validation.gradients")
    report = """\
PASSED tests/a.py::test_one[x-1]
PASSED tests/a.py::test_one[a b]
FAILED tests/a.py::test_one[y] - assert 1 == 2
FAILED tests/b.py::test_two - ValueError: no
3 passed, 1 failed in 1.00s
"""
    assert gradients.read_outcomes(report) == {
        "tests/a.py::test_one": {"passed": 2, "failed": 1},
        "tests/b.py::test_two": {"passed": 0, "failed": 1},
    }


def test_what_is_kept_of_an_evaluation_gives_the_same_ctr_and_curve(tmp_path: Path) -> None:
    from driftrec.agents.comparison import Comparison
    from driftrec.agents.evaluation import Evaluation
    from driftrec.agents.harness import evaluate
    from driftrec.agents.metrics import adaptation_curve
    from driftrec.agents.registry import POLICIES

    learners = module("validation.learners")
    population = learners.population_of("Feed", 10)
    whole = evaluate(POLICIES["most-popular"], population, users=30, regret=True)
    learners.slim(whole).save(tmp_path / "kept.npz")
    both = Comparison({"whole": whole, "kept": Evaluation.load(tmp_path / "kept.npz")}, draws=20)
    assert both.estimate("whole") == both.estimate("kept")
    np.testing.assert_array_equal(
        both.estimate("whole", adaptation_curve).value,
        both.estimate("kept", adaptation_curve).value,
    )
    assert (tmp_path / "kept.npz").stat().st_size < 10_000


def counting_script(tmp_path: Path, numbers: range) -> Any:
    """A script of one section, whose cells are numbers and give their squares."""
    cells = module("validation.cells")

    @dataclass(frozen=True)
    class Square(cells.Cell):  # type: ignore[misc, name-defined]  # imported when asked for
        number: int
        section = "squares"

        @property
        def name(self) -> str:
            return f"number {self.number}"

        def measure(self, folder: Path) -> dict[str, Any]:
            return {"square": self.number**2}

    class Squares:
        TITLE = "Squares of numbers"

        @staticmethod
        def cells(plan: Any) -> list[Any]:
            return [Square(number) for number in numbers]

        @staticmethod
        def page(plan: Any, out: Path, static: Path) -> str:
            found = [cells.result_of(cell, out) for cell in Squares.cells(plan)]
            return " ".join("none" if one is None else str(one["square"]) for one in found)

    kept = tmp_path / "kept.json"
    return module("validation.script").Script(
        "squares", tmp_path / "page.md", "Page", "Numbers.", {"squares": Squares}, kept
    )


def test_records_are_kept_and_go_on_on_another_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = module("validation.script").Options(workers=1, out=tmp_path / "here")
    script = counting_script(tmp_path, range(3))
    script.run(replace(options, only="number 1"), ["squares"])
    script.run(replace(options, write=True), ["squares"])
    assert "none 1 none" in script.page.read_text()
    elsewhere = replace(options, out=tmp_path / "there")
    capsys.readouterr()
    script.run(elsewhere, ["squares"])
    assert "3 cells, 1 of them done before" in capsys.readouterr().out
    script.run(replace(elsewhere, write=True), ["squares"])
    assert "0 1 4" in script.page.read_text()
    assert len(json.loads(script.kept.read_text())) == 3


def test_a_section_that_more_was_done_for_elsewhere_stays(tmp_path: Path) -> None:
    options = module("validation.script").Options(workers=1, out=tmp_path / "here")
    script = counting_script(tmp_path, range(3))
    script.run(options, ["squares"])
    script.run(replace(options, write=True), ["squares"])
    page = script.page.read_text()
    assert "3 of 3 cells were run" in page
    script.kept.unlink()
    elsewhere = replace(options, out=tmp_path / "there", write=True)
    script.run(elsewhere, ["squares"])
    assert script.page.read_text() == page
    # Of more cells there are as many as are asked for.
    more = counting_script(tmp_path, range(4))
    more.run(replace(options, only="number 3"), ["squares"])
    more.run(replace(options, write=True), ["squares"])
    assert "0 1 4 9" in script.page.read_text()
    assert "4 of 4 cells were run" in script.page.read_text()


def test_what_is_measured_anew_is_kept_no_more(tmp_path: Path) -> None:
    options = module("validation.script").Options(workers=1, out=tmp_path / "here")
    script = counting_script(tmp_path, range(3))
    script.run(options, ["squares"])
    script.run(replace(options, write=True), ["squares"])
    script.run(replace(options, list=True, fresh=True), ["squares"])
    assert len(json.loads(script.kept.read_text())) == 3
    script.run(replace(options, fresh=True, only="number 1"), ["squares"])
    assert len(json.loads(script.kept.read_text())) == 2
