"""The comparison with RecurrentPPO: fair budgets, the policy as it comes, cells that are kept."""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sb3_contrib import RecurrentPPO

from driftrec.agents.deep.bridge import RecommendationVecEnv
from driftrec.agents.harness import evaluate
from driftrec.agents.registry import POLICIES
from driftrec.envs import RecommendationVectorEnv, make_population

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("compare_recurrent")


def test_seconds_are_turned_into_steps(script, tmp_path):
    """A trainer that burns 20 ms for itself and 1 ms for each of at least 10 steps."""

    def train(steps: int) -> tuple[None, int]:
        until = time.process_time() + 0.02 + 0.001 * max(steps, 10)
        while time.process_time() < until:
            pass
        return None, max(steps, 10)

    cell = script.Trained("rl2", "time", 1.0, "Feed", 10, 0, "smoke")
    steps = cell._affordable(tmp_path / "pilot.json", train)
    assert steps == pytest.approx(980, rel=0.15)
    # A run that was killed trains as long as it would have.
    assert cell._affordable(tmp_path / "pilot.json", None) == steps


def test_the_policy_as_it_comes_is_that_of_sb3_contrib(script):
    """But for items shown before, which it leaves out."""
    env = RecommendationVecEnv("Feed", 6)
    agent = RecurrentPPO("MultiInputLstmPolicy", env, seed=0, n_steps=4, device="cpu")
    policy = script.PlainPolicy(agent.policy, 500)
    batch = RecommendationVectorEnv("Feed", 6)
    observation, _ = batch.reset(seed=1)
    state, lstm, shown = policy.start(6), None, np.zeros((6, 500), bool)
    for _ in range(4):
        items, state = policy.act(observation, state)
        starts = observation["new_user"][:, 0] > 0
        theirs, lstm = agent.predict(observation, lstm, starts, deterministic=True)
        new = ~shown[np.arange(6), theirs]
        np.testing.assert_array_equal(items[new, 0], theirs[new])
        assert not shown[np.arange(6), items[:, 0]].any()
        shown[np.arange(6), items[:, 0]] = True
        observation = batch.step(items)[0]


def test_what_is_done_is_not_done_again_and_differences_are_paired(
    script, tmp_path, monkeypatch, capsys
):
    """With policies in the place of trainings: each learner is one whose result is known."""
    stand_ins = {
        "rl2": "linucb", "amortised": "most-popular",
        "recurrent-ppo": "random", "recurrent-ppo-tuned": "most-popular",
    }  # fmt: skip
    calls = []

    def trainer(name: str) -> Any:
        def train(population, steps, *, seed, size):
            calls.append(name)
            return POLICIES[stand_ins[name]], steps * 1000

        return train

    monkeypatch.setattr(script, "TRAINERS", {name: trainer(name) for name in stand_ins})
    monkeypatch.setattr(script.Trained, "_affordable", lambda *_: 7)
    arguments = ["compare_recurrent.py", "--size", "smoke", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    script.main()
    assert sorted(calls) == sorted([*stand_ins] * 2)
    results = json.loads((tmp_path / "compare_recurrent.json").read_text())
    script.main()
    assert len(calls) == 8
    assert json.loads((tmp_path / "compare_recurrent.json").read_text()) == results
    same = results["time"]["differences"]["amortised"]["recurrent-ppo-tuned"]
    assert same == {"value": 0, "low": 0, "high": 0}
    better = results["steps"]["differences"]["rl2"]["recurrent-ppo"]
    assert better["low"] > 0
    population = make_population("Feed")
    users = [
        evaluate(POLICIES[name], population, users=30, batch=script.BATCH)
        for name in ("linucb", "random")
    ]
    ctr = [float((one.feedback.sum(1) / one.active.sum(1)).mean()) for one in users]
    assert better["value"] == pytest.approx(ctr[0] - ctr[1], abs=1e-6)
    assert results["time"]["best"] == "rl2"
    text = (tmp_path / "compare_recurrent.md").read_text()
    assert "At equal time" in text
    assert "At equal steps: 2,000 environment steps" in text


def test_the_bridge_is_faster_than_dummy_vec_env(monkeypatch, tmp_path, capsys):
    """Many times, in fact, but other processes may run beside the tests."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    script = importlib.import_module("bench_bridge")
    out = tmp_path / "bridge.json"
    options = ["--environments", "64", "--steps", "1280", "--repeats", "2", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["bench_bridge.py", *options])
    script.main()
    (speed,) = json.loads(out.read_text())["speeds"]
    assert speed["ratio"] == pytest.approx(speed["bridge"] / speed["dummy"])
    assert speed["ratio"] > 3
    assert "DummyVecEnv" in capsys.readouterr().out
