"""The pretraining script makes checkpoints that load, once, and refuses what is not theirs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from driftrec.agents.harness import evaluate
from driftrec.meta import load, pretrained
from driftrec.meta.model_card import ModelCard

SCRIPT = Path(__file__).parents[2] / "scripts" / "pretrain.py"


def pretrain(folder, *arguments):
    places = ["--out", str(folder / "out"), "--data", str(folder / "data")]
    size = ["--size", "smoke", "--seeds", "1", "--users", "20"]
    command = [sys.executable, str(SCRIPT), *places, *size, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrained")
    done = pretrain(folder, "--only", "feed-amortised-0", "--commit", "abc", "--hardware", "a loom")
    assert done.returncode == 0, done.stderr
    return folder


def test_a_checkpoint_is_loaded_by_name_and_acts_as_it_was_trained(made, monkeypatch):
    monkeypatch.setattr(pretrained, "DATA", made / "data")
    assert pretrained.pretrained_names() == ["feed-amortised-0"]
    card = pretrained.find_by_name("feed-amortised").card
    assert (card.population, card.commit, card.hardware) == ("Feed", "abc", "a loom")
    assert card.cost["user_steps"] == 2 * 64 * 20
    assert card.test["users"] == 20
    policies = [load(made / "out" / "Feed" / "amortised-0"), load("pretrained:feed-amortised")]
    clicks = [evaluate(lambda env, one=one: one, "Feed", users=20) for one in policies]
    assert np.array_equal(clicks[0].feedback, clicks[1].feedback)
    rates = clicks[0].feedback.sum(1) / clicks[0].active.sum(1)
    assert card.test["ctr"]["value"] == pytest.approx(rates.mean(), abs=1e-6)


def test_the_overview_names_every_checkpoint(made):
    text = (made / "data" / "README.md").read_text()
    assert "| feed-amortised-0 | 0." in text


def test_a_finished_training_is_packed_again_without_training(made):
    path = made / "out" / "Feed" / "amortised-0" / "policy.safetensors"
    before, cards = path.stat().st_mtime_ns, made / "data" / "feed-amortised-0.json"
    first = ModelCard.load(cards)
    cards.unlink()
    done = pretrain(made, "--finished-only", "--commit", "other")
    assert done.returncode == 0, done.stderr
    assert path.stat().st_mtime_ns == before
    assert ModelCard.load(cards) == first


def test_trainings_of_another_config_are_refused(made, tmp_path):
    record = made / "out" / "Feed" / "amortised-0"
    other = tmp_path / "out" / "Feed" / "dpt-0"
    other.mkdir(parents=True)
    for name in ("policy.safetensors", "cost.json"):
        (other / name).write_bytes((record / name).read_bytes())
    done = pretrain(tmp_path, "--finished-only")
    assert done.returncode == 2
    assert "was trained with another config than the method 'dpt'" in done.stderr
    assert not list((tmp_path / "data").glob("*.json"))


def test_unknown_names_are_refused(made):
    done = pretrain(made, "--only", "feed-magic-0")
    assert done.returncode == 2
    assert "got feed-magic-0" in done.stderr


def test_costs_are_kept_beside_the_training(made):
    record = json.loads((made / "out" / "Feed" / "amortised-0" / "cost.json").read_text())
    assert record["cpu_seconds"] > 0
    assert record["commit"] == "abc"
