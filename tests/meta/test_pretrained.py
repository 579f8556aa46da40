"""Checkpoints that are shipped: whole, small, found by name and by how they were trained."""

from __future__ import annotations

import hashlib
import socket
from dataclasses import asdict, dataclass, replace
from functools import cache

import numpy as np
import pytest

from driftrec.agents.benchmark.scenarios import default_users
from driftrec.agents.harness import evaluate
from driftrec.envs import make_population
from driftrec.meta import CheckpointError, load, load_pretrained, pretrained, pretrained_names
from driftrec.meta.amortised import Amortised, AmortisedConfig
from driftrec.meta.learner_method import LearnerMethod
from driftrec.meta.methods import METHODS
from driftrec.meta.model_card import ModelCard, agrees, training_fingerprint
from driftrec.meta.pretrained import PretrainedMethod, find_by_name, find_pretrained
from driftrec.meta.testing import small_population

SMALL = {"iterations": 1, "users": 16, "validate_every": 1, "validation_users": 16}
CONFIG = AmortisedConfig(**SMALL, seed=1)


def shipped_method(**options):
    return LearnerMethod("amortised", learner="amortised", always=SMALL, **options)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with one checkpoint and its card, in the place of the package's."""
    policy = Amortised(CONFIG).fit(small_population())
    path = tmp_path / "small-amortised-1.safetensors"
    policy.save(path)
    ModelCard(
        name="small-amortised-1",
        method="amortised",
        learner="amortised",
        population="Small",
        users=training_fingerprint(small_population()),
        seed=1,
        config=asdict(CONFIG),
        commit="0123456789abcdef",
        cost={"cpu_seconds": 12.5, "user_steps": 128.0, "validation": 0.5},
        hardware="an abacus",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        size=path.stat().st_size,
        licence="MIT",
        use="tests.",
        limits="everything else.",
        test={"users": 9, "ctr": {"value": 0.5, "low": 0.4, "high": 0.6}},
    ).save(tmp_path / "small-amortised-1.json")
    monkeypatch.setattr(pretrained, "DATA", tmp_path)
    return tmp_path


@cache
def of_name(name):
    return default_users() if name == "Default" else make_population(name)


@pytest.mark.parametrize("name", pretrained_names())
def test_what_is_shipped_is_whole_small_and_what_its_card_says(name, monkeypatch):
    monkeypatch.setattr(socket, "socket", None)
    card, policy = find_by_name(name).card, load_pretrained(name)
    assert card.size == find_by_name(name).path.stat().st_size < 2**20
    assert card.name == name == f"{card.population.lower()}-{card.method}-{card.seed}"
    assert policy.about["population"] == card.population
    assert policy.about["config"] == card.config
    assert card.config["seed"] == card.seed
    assert card.cost["cpu_seconds"] > 0
    assert card.cost["user_steps"] > 0
    assert card.test["users"] >= 1000
    assert card.test["ctr"]["low"] < card.test["ctr"]["value"] < card.test["ctr"]["high"]


@pytest.mark.parametrize("name", pretrained_names())
def test_what_is_shipped_stands_for_the_training_that_the_benchmark_would_do(name):
    card = find_by_name(name).card
    population = of_name(card.population)
    method = METHODS[card.method]
    config = method.config(population, seed=card.seed, size="standard")
    users = method.training_users(population, "standard")
    found = find_pretrained(users, card.learner, config)
    assert found is not None
    assert found.name == name


def test_a_checkpoint_is_found_by_name_with_and_without_its_seed(folder):
    assert pretrained_names() == ["small-amortised-1"]
    assert find_by_name("small-amortised").name == "small-amortised-1"
    ways = [load_pretrained("small-amortised"), load("pretrained:small-amortised-1")]
    ways.append(load(folder / "small-amortised-1.safetensors"))
    clicks = [
        evaluate(lambda env, one=one: one, small_population(), users=9).feedback for one in ways
    ]
    assert np.array_equal(clicks[0], clicks[1])
    assert np.array_equal(clicks[0], clicks[2])


def test_options_say_how_it_acts(folder):
    assert load_pretrained("small-amortised", acting="ucb").acting == "ucb"


def test_unknown_names_are_answered_with_the_known_ones(folder):
    for ask in (load_pretrained, lambda name: load(f"pretrained:{name}")):
        with pytest.raises(ValueError, match="one of small-amortised-1; got 'large-amortised'"):
            ask("large-amortised")


def test_a_damaged_file_is_found_out(folder):
    path = folder / "small-amortised-1.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"damaged: its sha256 is .* install the package"):
        load_pretrained("small-amortised")
    path.unlink()
    with pytest.raises(CheckpointError, match="there is no checkpoint at"):
        load_pretrained("small-amortised")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "another"}'])
def test_a_damaged_card_is_found_out(folder, content):
    (folder / "small-amortised-1.json").write_text(content)
    with pytest.raises(CheckpointError, match="no readable model card"):
        load_pretrained("small-amortised")


def test_it_stands_for_a_training_of_the_same_users_config_and_seed_alone(folder):
    population = small_population()
    assert find_pretrained(population, "amortised", CONFIG).name == "small-amortised-1"
    assert find_pretrained(population, "dpt", CONFIG) is None
    assert find_pretrained(population, "amortised", replace(CONFIG, seed=2)) is None
    assert find_pretrained(population, "amortised", replace(CONFIG, hidden=8)) is None
    moodier = population.replace_parameters(mood_sd=3.0)
    assert find_pretrained(moodier, "amortised", CONFIG) is None
    elsewhere = replace(population, variants={"test": (moodier.model, population.catalogue)})
    assert find_pretrained(elsewhere, "amortised", CONFIG).name == "small-amortised-1"
    watched = replace(population, variants={"validation": (moodier.model, population.catalogue)})
    assert find_pretrained(watched, "amortised", CONFIG) is None


def test_options_that_came_after_a_card_must_be_at_their_defaults():
    @dataclass(frozen=True)
    class Inner:
        old: int = 1
        new: int = 2

    @dataclass(frozen=True)
    class Config:
        inner: Inner = Inner()
        sizes: tuple[int, ...] = (1, 2)

    recorded = {"inner": {"old": 3}, "sizes": [1, 2]}
    assert agrees(recorded, Config(Inner(old=3)))
    assert not agrees(recorded, Config(Inner(old=3, new=4)))
    assert not agrees(recorded, Config())
    assert not agrees(recorded | {"gone": 1}, Config(Inner(old=3)))


def test_a_method_reuses_what_is_shipped_with_its_recorded_cost(folder, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    method, population = shipped_method(), small_population()
    cost = method.fit(population, out, seed=1, size="smoke")
    assert cost == {"cpu_seconds": 12.5, "user_steps": 128.0, "validation": 0.5, "reused": 1.0}
    shipped = (folder / "small-amortised-1.safetensors").read_bytes()
    assert (out / "policy.safetensors").read_bytes() == shipped


def test_a_method_trains_where_nothing_that_is_shipped_fits(folder, tmp_path):
    for name, method, seed in (
        ("other", shipped_method(), 2),
        ("anew", shipped_method(reuse=False), 1),
    ):
        out = tmp_path / name
        out.mkdir()
        assert method.fit(small_population(), out, seed=seed, size="smoke")["reused"] == 0


def test_what_was_reused_is_what_training_gives(folder, tmp_path):
    clicks = []
    for method in (shipped_method(), shipped_method(reuse=False)):
        out = tmp_path / str(method.reuse)
        out.mkdir()
        method.fit(small_population(), out, seed=1, size="smoke")
        clicks.append(evaluate(method.policy(out), small_population(), users=9).feedback)
    assert np.array_equal(*clicks)


def test_a_pretrained_method_takes_part_with_the_seeds_there_are(folder, tmp_path):
    method = PretrainedMethod("pretrained-small", checkpoint="small-amortised")
    assert method.runs(5) == 1
    assert method.unsuited(small_population(items=45)) == ""
    assert "features" in method.unsuited(make_population("Feed"))
    cost = method.fit(make_population("Feed"), tmp_path, seed=1, size="smoke")
    assert cost["cpu_seconds"] == 12.5
    assert cost["reused"] == 1
    met = evaluate(method.policy(tmp_path), small_population(), users=9)
    own = evaluate(lambda env: load_pretrained("small-amortised"), small_population(), users=9)
    assert np.array_equal(met.feedback, own.feedback)
    with pytest.raises(ValueError, match="got 'small-amortised-3'"):
        method.fit(small_population(), tmp_path, seed=3, size="smoke")


def test_a_card_comes_back(folder):
    card = find_by_name("small-amortised").card
    card.save(folder / "copy.json")
    assert ModelCard.load(folder / "copy.json") == card
