"""Methods come with the settings that tuning chose; the trials are kept in docs/results/tuning."""

import json
from pathlib import Path

import pytest

from driftrec.agents.benchmark.spaces import option_of
from driftrec.agents.method import Method
from driftrec.agents.methods import all_methods

KEPT = json.loads(
    (Path(__file__).parents[3] / "docs" / "results" / "tuning" / "feed.json").read_text()
)


@pytest.fixture(scope="module")
def methods() -> dict[str, Method]:
    return all_methods()


@pytest.mark.parametrize("name", KEPT["methods"])
def test_every_method_had_the_same_budget(name: str) -> None:
    trials, budget = KEPT["methods"][name]["trials"], KEPT["methods"][name]["budget"]
    assert budget == {"trials": 20, "users": 500, "cpu_seconds": 300}
    assert trials[0]["options"] == {}
    assert len(trials) == 20 or sum(trial["cpu_seconds"] for trial in trials) >= 300


@pytest.mark.parametrize("name", KEPT["methods"])
def test_methods_come_with_what_tuning_chose(name: str, methods: dict[str, Method]) -> None:
    """What was chosen is rounded to two digits."""
    if name not in methods:
        pytest.skip("its packages are not installed")
    chosen = KEPT["chosen"][name]
    for path, value in chosen.items():
        assert option_of(methods[name], path) == pytest.approx(value, rel=0.05)
    if not chosen:
        now = json.loads(json.dumps(methods[name].settings))
        assert now == KEPT["methods"][name]["settings"]
