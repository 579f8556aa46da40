"""The loop over tasks of the benchmark is the same MAML, and its numbers are what they say."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest
import torch

from driftrec.envs import feed_population
from driftrec.meta.maml.config import MAMLConfig
from driftrec.meta.maml.rule import RuleConfig
from driftrec.meta.maml.run import MAMLRun
from driftrec.meta.workers import Worker

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module


def maml(run, users, **rule):
    config = MAMLConfig(users=users, validation_users=2, rule=RuleConfig(**rule))
    return run(Worker(), config, feed_population())


@pytest.mark.parametrize("estimator", ["promp", "fomaml"])
@pytest.mark.parametrize("inner", ["clicks", "policy"])
def test_gradients_summed_over_a_loop_are_those_of_all_tasks_at_once(scripts, estimator, inner):
    rule = {"estimator": estimator, "inner": inner}
    at_once = maml(MAMLRun, 3, **rule).network
    loop = maml(scripts("loop_over_tasks").LoopRun, 1, **rule).network
    inputs = torch.randn(
        14, 3, at_once.trunk.read_width, generator=torch.Generator().manual_seed(0)
    )
    at_once.relive(inputs).square().sum().backward()
    for user in range(3):
        loop.relive(inputs[:, user, None]).square().sum().backward()
    ours, theirs = dict(at_once.named_parameters()), dict(loop.named_parameters())
    assert ours.keys() == theirs.keys()
    assert ours["trunk.rule.rate"].grad.abs().max() > 1e-3
    for name, one in ours.items():
        if one.grad is not None:
            scale = float(one.grad.abs().max())
            torch.testing.assert_close(
                theirs[name].grad, one.grad, atol=1e-5 * scale, rtol=0, msg=name
            )


def test_an_iteration_of_the_loop_moves_the_start_as_maml_on_that_user_does(scripts):
    loop, run = maml(scripts("loop_over_tasks").LoopRun, 1), maml(MAMLRun, 1)
    before = {name: one.clone() for name, one in run.network.state_dict().items()}
    loop.update(1, 1e-2)
    run.update(1, 1e-2)
    ours = run.network.state_dict()
    assert max(float((ours[name] - before[name]).abs().max()) for name in ours) > 1e-3
    for name, one in loop.network.state_dict().items():
        torch.testing.assert_close(one, ours[name], atol=1e-3, rtol=1e-3, msg=name)


def test_every_policy_is_measured_and_written(scripts, monkeypatch, tmp_path, capsys):
    out = tmp_path / "new" / "speed.json"
    arguments = ["--no-training", "--no-workers", "--users", "40", "--requests", "2"]
    monkeypatch.setattr(sys, "argv", ["bench_meta.py", *arguments, "--out", str(out)])
    scripts("bench_meta").main()
    written = json.loads(out.read_text())
    names = [one["what"] for one in written["measurements"]]
    kinds = [("GRU", "greedy"), ("GRU", "ucb"), ("GRU, filter", "greedy"), ("GRU, filter", "ucb")]
    assert {f"Amortised ({kind}, {way}) acts" for kind, way in kinds} < set(names)
    assert {"RL² (GRU, greedy) acts", "RL² (GRU, filter, greedy) acts"} < set(names)
    for one in written["measurements"]:
        limit = float(one["goal"].removeprefix("< ").removesuffix(" ms"))
        assert one["met"] == (one["value"] < limit)
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 100


def test_bad_sizes_are_refused(scripts, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bench_meta.py", "--users", "0"])
    with pytest.raises(SystemExit) as stopped:
        scripts("common").run(scripts("bench_meta").main)
    assert stopped.value.code == 2
    assert "must be at least 1" in capsys.readouterr().err
