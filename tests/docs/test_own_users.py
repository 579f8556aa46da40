"""The page "Plug in your own user simulator": its code is short, and does what the page says."""

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from driftrec.agents import Comparison
from driftrec.envs import UserModelError
from driftrec.envs.testing import check_user_model

ROOT = Path(__file__).parents[2]
PAGE = "docs/guide/own-users.md"
ROW = re.compile(r"^\| ([\w-]+) \| ([\d.]+) \| ([-\d.]+) \|$", re.M)
OFFLINE = (
    "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", "--quiet",
    "--disable-pip-version-check", "--target", "site",
)  # fmt: skip


@pytest.fixture(scope="module")
def names(run_page):
    """What the page's Python has defined when it is through."""
    return run_page(PAGE)


@pytest.fixture(scope="module")
def comparison(names):
    return Comparison(names["found"], reference="particle")


def test_all_code_of_the_page_is_under_60_lines(blocks):
    lines = [line for code in blocks(PAGE) for line in code.splitlines()]
    assert sum(bool(line.strip()) for line in lines) < 60


def test_the_agent_serves_strangers_better_than_a_bandit_does(comparison):
    agent, bandit = comparison.score("rl2"), comparison.score("discounted-linucb")
    assert bandit.low > 0
    assert bandit.high < agent.low
    assert agent.high < comparison.score("clairvoyant").low
    assert comparison.difference("rl2", "random").low > 0


def test_the_numbers_of_the_page_are_those_of_its_code(comparison):
    rows = ROW.findall((ROOT / PAGE).read_text(encoding="utf-8"))
    assert [row[0] for row in rows] == comparison.policies
    for policy, ctr, score in rows:
        for told, found in ((ctr, comparison.estimate(policy)), (score, comparison.score(policy))):
            assert found.low - 0.01 <= float(told) <= found.high + 0.01


def test_a_taste_is_another_after_the_days_that_are_said(names):
    """Of a taste, exp(-1) is left after `days`, and its variance stays 1."""
    model, users = names["Visitors"](days=0.5), 20_000
    state = model.sample(users, np.random.default_rng(0))
    noise = np.random.default_rng(1).standard_normal(state.taste.shape)
    elapsed = np.full(users, 0.5, np.float32)
    later = model.drift(state, elapsed, type("Stream", (), {"normal": lambda *_: noise})())
    assert np.mean(state.taste * later.taste) == pytest.approx(np.exp(-1), abs=0.01)
    assert np.mean(later.taste**2) == pytest.approx(1, abs=0.01)


def test_splits_differ_as_the_page_says(names):
    population = names["population"]
    assert population.split("ood-drift").model.days == 0.02
    assert population.split("test").model.days == population.split("train").model.days == 0.2


def test_the_kit_says_what_the_page_quotes(names):
    text = " ".join((ROOT / PAGE).read_text(encoding="utf-8").split())
    [quoted] = re.findall(r'it would say: "(.*?)"', text)
    forgetful = {"leave": lambda self, state: state.tired - 8}
    model = dataclass(frozen=True, eq=False)(type("Visitors", (names["Visitors"],), forgetful))
    with pytest.raises(UserModelError, match=re.escape(quoted)):
        check_user_model(model())


def test_the_same_by_entry_point_from_scripts(blocks, tmp_path):
    folder = tmp_path / "visitors"
    folder.mkdir()
    (folder / "visitors.py").write_text(blocks(PAGE, "python")[0])
    (folder / "pyproject.toml").write_text(blocks(PAGE, "toml")[0])
    for line in "".join(blocks(PAGE, "console")).replace("\\\n", " ").splitlines():
        program, *arguments = shlex.split(line.removeprefix("$ "))
        offline = {"pip": [*OFFLINE, *arguments[1:]], "python": [ROOT / arguments[0]]}[program]
        rest = [] if program == "pip" else arguments[1:]
        done = subprocess.run(
            [sys.executable, *map(str, offline), *rest], cwd=tmp_path, text=True,
            env=os.environ | {"PYTHONPATH": "site"}, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    path = tmp_path / "runs" / "benchmark" / "visitors" / "summary.json"
    (scenario,) = json.loads(path.read_text())["scenarios"]
    policies = {row["name"]: row for row in scenario["methods"]}
    assert {"rl2", "discounted-linucb", "random"} < set(policies)
    assert policies["random"]["score"]["high"] < 0 < policies["discounted-linucb"]["score"]["low"]
    assert policies["clairvoyant"]["score"]["value"] == 1
