import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from driftrec.agents.comparison import Comparison
from driftrec.agents.harness import evaluate
from driftrec.agents.plots import plot_adaptation, plot_advantage, plot_survival
from driftrec.agents.registry import POLICIES
from driftrec.agents.report import difference_table, results_table, to_dict, to_markdown
from driftrec.envs.files import replacing, write_json, write_text

NAMES = ("random", "most-popular", "filter-ucb")


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    runs = {name: evaluate(POLICIES[name], "Feed", name=name, users=60) for name in NAMES}
    return Comparison(runs | {"discounted-linucb": [runs["random"]] * 3}, draws=200)


def printed(table: Table, width: int = 100) -> list[str]:
    text = io.StringIO()
    Console(file=text, width=width).print(table)
    return text.getvalue().splitlines()


def test_table_fits_100_columns_without_breaking_a_number(comparison: Comparison) -> None:
    lines = printed(results_table(comparison))
    assert max(map(len, lines)) <= 100
    row = next(line for line in lines if line.strip().startswith("most-popular"))
    ctr = comparison.estimate("most-popular", "ctr")
    assert row.split()[1] == f"{ctr.value:.3f}"
    assert f"{ctr.low:.3f}\N{EN DASH}{ctr.high:.3f}" in lines[lines.index(row) + 1]
    assert any("discounted-linucb" in line for line in lines)


def test_differences_are_signed(comparison: Comparison) -> None:
    lines = printed(difference_table(comparison, "filter-ucb"))
    row = next(line for line in lines if line.strip().startswith("random"))
    assert row.split()[1] == f"{comparison.difference('filter-ucb', 'random').value:+.3f}"
    assert not any(line.strip().startswith("filter-ucb ") for line in lines[4:])


def test_markdown_has_a_cell_for_each_number(comparison: Comparison) -> None:
    rows = [line for line in to_markdown(comparison).splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(comparison.policies)
    assert {row.count("|") for row in rows} == {8}
    score = comparison.score("random")
    assert f"{score.value:.2f} ({score.low:.2f} to {score.high:.2f})" in to_markdown(comparison)


def test_json_holds_every_number_and_no_nan(comparison: Comparison, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_json(path, to_dict(comparison))
    read = json.loads(path.read_text())
    random = read["policies"]["random"]
    ctr = comparison.estimate("random", "ctr")
    assert random["metrics"]["ctr"] == {"value": ctr.value, "low": ctr.low, "high": ctr.high}
    # Regret was not recorded.
    assert random["metrics"]["regret"]["value"] is None
    assert len(random["curves"]["ctr-by-request"]["value"]) == 120
    assert read["policies"]["discounted-linucb"]["runs"] == 3
    assert not re.search("NaN|Infinity", path.read_text())


def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "table.md"
    write_text(path, "old")

    def write_half() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_plots_are_pictures_that_differ(comparison: Comparison, tmp_path: Path) -> None:
    plot_adaptation(comparison, tmp_path / "adaptation.png")
    plot_advantage(comparison, tmp_path / "advantage.png", ["filter-ucb"])
    plot_survival(comparison, tmp_path / "retention.svg")
    pictures = [(tmp_path / f"{name}.png").read_bytes() for name in ("adaptation", "advantage")]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert pictures[0] != pictures[1]
    assert "<svg" in (tmp_path / "retention.svg").read_text()


def test_plots_need_no_global_state_of_matplotlib(comparison: Comparison, tmp_path: Path) -> None:
    from matplotlib import _pylab_helpers

    plot_adaptation(comparison, tmp_path / "a.png", window=1)
    assert not _pylab_helpers.Gcf.figs
    with pytest.raises(ValueError, match="window must be odd"):
        plot_adaptation(comparison, tmp_path / "a.png", window=4)


def test_numbers_without_a_value_are_a_dash(comparison: Comparison) -> None:
    lines = printed(results_table(comparison, ["regret"]))
    row = next(line for line in lines if line.strip().startswith("random"))
    assert row.split()[1] == "-"
    assert np.isnan(comparison.estimate("random", "regret").value)
