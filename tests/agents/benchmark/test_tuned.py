"""Methods come with the settings that tuning chose; the trials are kept in docs/results/tuning."""

import json
from pathlib import Path

import pytest

from driftrec.agents.benchmark.spaces import option_of
from driftrec.agents.methods import make_method
from driftrec.envs import make_population

KEPT = json.loads(
    (Path(__file__).parents[3] / "docs" / "results" / "tuning" / "feed.json").read_text()
)
METHODS = sorted(KEPT["trials"])


@pytest.mark.parametrize("name", METHODS)
def test_every_method_had_the_same_budget(name):
    trials, asked = KEPT["trials"][name], KEPT["asked"]
    assert trials[0]["options"] == {}
    spent = sum(trial["cpu_seconds"] for trial in trials)
    assert len(trials) == asked["trials"] or spent >= asked["cpu_seconds"]


@pytest.mark.parametrize("name", [name for name in METHODS if KEPT["chosen"][name]])
def test_methods_come_with_what_tuning_chose(name):
    """To two digits."""
    method = make_method(name)
    feed = make_population("Feed")
    for path, chosen in KEPT["chosen"][name].items():
        if hasattr(method, "config"):
            config = method.config(feed, seed=0, size="standard")
            own = getattr(config, path.removeprefix("always."))
        else:
            own = option_of(method, path)
        assert own == (pytest.approx(chosen, rel=0.05) if isinstance(chosen, float) else chosen)
