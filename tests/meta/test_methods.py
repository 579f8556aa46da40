"""Learners take part in a benchmark: trained once, resumed, and told apart by their settings."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from driftrec.agents.harness import evaluate
from driftrec.envs import make_population
from driftrec.envs.gaussian_bandit import gaussian_population
from driftrec.meta import learner_names, learner_type
from driftrec.meta.clock import Clock
from driftrec.meta.learner_method import LearnerMethod
from driftrec.meta.methods import LEARNED, METHODS
from driftrec.meta.registry import LEARNERS
from driftrec.meta.testing import small_population

SMALL = {"iterations": 3, "users": 16, "validate_every": 1, "validation_users": 16}


def method(learner="amortised", **options):
    return LearnerMethod(learner, learner=learner, always={**SMALL, **options}, reuse=False)


def clicks(one, folder, population):
    return evaluate(one.policy(folder), population, users=12).feedback


def test_every_learner_takes_part_under_its_name():
    assert set(learner_names()) <= set(METHODS)
    assert all(METHODS[name].learner == name for name in LEARNERS)
    assert all(name == one.name and one.family == "meta" for name, one in METHODS.items())


@pytest.mark.parametrize("size", ["smoke", "standard", "full"])
@pytest.mark.parametrize("name", [one.name for one in LEARNED])
def test_configs_of_all_sizes_are_accepted_and_bear_the_seed(name, size):
    for population in ("Feed", "KuaiRand"):
        config = METHODS[name].config(make_population(population), seed=7, size=size)
        assert config.seed == 7
        assert type(config) is learner_type(METHODS[name].learner).config_type


def test_the_full_size_is_the_learners_defaults():
    config = METHODS["rl2"].config(make_population("KuaiRand"), seed=0, size="full")
    assert config == learner_type("rl2").config_type()


def test_trainings_are_long_on_the_feed_alone():
    lengths = {
        name: METHODS["rl2"].config(make_population(name), seed=0, size="standard").iterations
        for name in ("Feed", "Movies")
    }
    assert lengths == {"Feed": 60, "Movies": 12}


def test_training_trials_are_cut_and_full_ones_are_not():
    retention = make_population("Retention")
    cut = {
        size: METHODS["rl2"].training_users(retention, size).max_requests
        for size in ("smoke", "standard", "full")
    }
    assert cut == {"smoke": 20, "standard": 120, "full": 300}


def test_methods_can_be_pickled_and_their_settings_written():
    for one in METHODS.values():
        assert pickle.loads(pickle.dumps(one)).settings == one.settings
        json.dumps(one.settings)


def test_unknown_options_are_refused():
    with pytest.raises(ValueError, match="no option \\['width'\\]"):
        method(width=3).config(small_population(), seed=0, size="smoke")


def test_what_a_training_leaves_is_the_policy_and_its_cost(tmp_path):
    population = small_population()
    cost = method().fit(population, tmp_path, seed=1, size="smoke")
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["config.json", "cost.json", "metrics.jsonl", "policy.safetensors"]
    assert cost["user_steps"] == 3 * 16 * population.max_requests
    assert cost["cpu_seconds"] > 0
    assert cost["reused"] == 0
    before = (tmp_path / "policy.safetensors").read_bytes()
    assert method().fit(population, tmp_path, seed=1, size="smoke") == cost
    assert (tmp_path / "policy.safetensors").read_bytes() == before


def test_a_training_that_was_cut_ends_as_one_that_was_not(tmp_path):
    population, whole, cut = small_population(), tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()

    def stop(iteration, iterations, metrics):
        clock(iteration, iterations, metrics)
        if iteration == 2:
            raise RuntimeError("cut")

    clock = Clock(cut / "clock.json")
    config = method().config(population, seed=0, size="smoke")
    with pytest.raises(RuntimeError, match="cut"):
        learner_type("amortised")(config).fit(population, cut, resume=True, progress=stop)
    counted = json.loads((cut / "clock.json").read_text())["cpu_seconds"]
    costs = [method().fit(population, one, seed=0, size="smoke") for one in (whole, cut)]
    assert costs[0]["validation"] == costs[1]["validation"]
    assert costs[1]["cpu_seconds"] > counted > 0
    assert np.array_equal(*(clicks(method(), one, population) for one in (whole, cut)))


def test_a_learned_policy_serves_another_catalogue(tmp_path):
    population = small_population()
    method().fit(population, tmp_path, seed=0, size="smoke")
    larger = replace(small_population(items=45), name="Larger")
    assert clicks(method(), tmp_path, larger).shape == (12, 8)


def test_learners_say_whom_they_cannot_serve():
    arms = gaussian_population()
    assert "clicks" in METHODS["trees"].unsuited(arms)
    assert "DriftingUser" in METHODS["curriculum"].unsuited(arms)
    assert METHODS["amortised"].unsuited(arms) == ""
    assert all(not METHODS[name].unsuited(small_population()) for name in LEARNERS)
