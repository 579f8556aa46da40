"""Fine-tuning goes on from a policy's weights on a few users, and is never worse on those apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from driftrec.agents.harness import evaluate
from driftrec.envs import default_personas, make_population, synthetic_catalogue
from driftrec.envs.population import Population
from driftrec.meta import CheckpointError, fine_tuning, learner_type, load
from driftrec.meta.fine_tuning import FineTuned, few_users
from driftrec.meta.learner_method import LearnerMethod
from driftrec.meta.methods import METHODS
from driftrec.meta.testing import small_population
from driftrec.meta.workers import Worker

NETWORKS = ("amortised", "rl2", "maml", "dpt")

SMALL = {"iterations": 2, "users": 32, "validate_every": 1, "validation_users": 32}


def shifted() -> Population:
    """Other tastes and other items than those of the small population, of the same features."""
    near = small_population()
    personas = 4 * default_personas(3, 4, seed=5)
    catalogue = synthetic_catalogue(40, np.random.default_rng(9), dimension=4, topics=3)
    return replace(
        near,
        name="Shifted",
        model=replace(near.model, personas=personas),
        catalogue=catalogue,
        max_requests=12,
    )


def method(learner, **options):
    trained = LearnerMethod(learner, learner=learner, always=SMALL, reuse=False)
    return FineTuned("tuned", learner=trained, targets={"Small": "Shifted"}, **options)


@pytest.fixture(autouse=True)
def targets(monkeypatch):
    monkeypatch.setattr(fine_tuning, "make_population", lambda name: shifted())


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A trained policy of each learner on the small population, by name."""
    root = tmp_path_factory.mktemp("sources")
    for name in (*NETWORKS, "trees"):
        kind = learner_type(name)
        config = kind.config_type(**{**kind.config_type.smoke, **SMALL, "seed": 3})
        kind(config).fit(small_population(), root / name)
    return root


def run_of(learner, **options):
    kind = learner_type(learner)
    config = kind.config_type(**{**kind.config_type.smoke, **SMALL, **options})
    return kind.run_type(Worker(), config, shifted())


@pytest.mark.parametrize("learner", NETWORKS)
def test_a_warm_run_begins_with_the_weights_of_the_source(learner, sources):
    source, run = load(sources / learner), run_of(learner)
    theirs = source.network.state_dict()
    assert any(not torch.equal(run.network.state_dict()[name], theirs[name]) for name in theirs)
    run.start_from(source)
    for name, weights in run.network.state_dict().items():
        assert torch.equal(weights, theirs[name]), name
    source = source.on(shifted().catalogue)
    clicks = [
        evaluate(lambda env, one=one: one, shifted(), users=9).feedback
        for one in (source, run.best_policy(), run.policy(run.network))
    ]
    assert np.array_equal(clicks[0], clicks[1])
    assert np.array_equal(clicks[0], clicks[2])


@pytest.mark.parametrize("learner", [*NETWORKS, "trees"])
def test_the_source_stays_unless_others_validate_better(learner, sources):
    run = run_of(learner)
    run.start_from(load(sources / learner))
    first, before = run.best_score, run._weights()
    scores = [run.iterate()["validation"] for _ in range(2)]
    assert run.best_score == max(first, *scores)
    stayed = all(torch.equal(run.best_weights[name], before[name]) for name in before)
    assert stayed == (max(scores) <= first)


def test_trees_are_added_to_those_of_the_source(sources):
    source, run = load(sources / "trees").ranker, run_of("trees")
    run.start_from(load(sources / "trees"))
    run.iterate()
    ranker = run.network.ranker
    assert np.array_equal(ranker.linear, source.linear)
    before, after = (one._boosters[0] for one in (source, ranker))
    assert after.num_trees() > before.num_trees()
    rows = np.random.default_rng(0).standard_normal((20, len(source.linear)))
    kept = after.predict(rows, num_iteration=before.num_trees(), num_threads=1)
    assert np.allclose(kept, before.predict(rows, num_threads=1))


@pytest.mark.parametrize("learner", ["amortised", "rl2"])
def test_nothing_is_learnt_about_a_filter_twice(learner, sources):
    cold, warm = run_of(learner), run_of(learner)
    warm.start_from(load(sources / learner))
    assert cold.age == 0
    assert warm.age >= 4


def test_other_networks_are_refused(sources):
    with pytest.raises(CheckpointError, match="the policy to start from does not fit"):
        run_of("amortised", hidden=8).start_from(load(sources / "amortised"))
    with pytest.raises(CheckpointError, match="must have a network, got a TreesPolicy"):
        run_of("amortised").start_from(load(sources / "trees"))
    with pytest.raises(ValueError, match="trees go on from trees"):
        run_of("trees").start_from(load(sources / "amortised"))
    with pytest.raises(ValueError, match="1 members, this config 2"):
        run_of("trees", members=2).start_from(load(sources / "trees"))


def test_no_iterations_leave_the_source_policy(tmp_path):
    one = method("amortised", iterations=0)
    cost = one.fit(small_population(), tmp_path, seed=0, size="smoke")
    source = tmp_path / "source" / "policy.safetensors"
    assert (tmp_path / "policy.safetensors").read_bytes() == source.read_bytes()
    assert cost["validation"] == load(source).about["validation"]


def test_fine_tuning_does_better_on_the_target_than_its_source(tmp_path):
    one = method("amortised", users=60, iterations=8, learning_rate=5e-3)
    one = replace(one, learner=replace(one.learner, always={**SMALL, "iterations": 8}))
    cost = one.fit(small_population(), tmp_path, seed=0, size="smoke")
    target = one.target(small_population(), 0, "smoke")
    scores = [
        evaluate(one.learner.policy(folder), target, split="validation", users=400).feedback.mean()
        for folder in (tmp_path / "source", tmp_path)
    ]
    assert scores[1] > scores[0] + 0.02
    assert cost["tuning_user_steps"] == 8 * 32 * 12
    assert cost["user_steps"] == cost["tuning_user_steps"] + 8 * 32 * 8
    assert cost["cpu_seconds"] > cost["tuning_cpu_seconds"] > 0
    assert one.fit(small_population(), tmp_path, seed=0, size="smoke") == cost


def test_few_users_are_few_and_apart():
    target = shifted()
    few = few_users(target, 10, seed=1)
    train, validation = (few.split(name).model for name in ("train", "validation"))
    assert (train.users, validation.users) == (8, 2)
    rng = np.random.default_rng(0)
    seen = [np.unique(one.sample(200, rng).core, axis=0) for one in (train, validation)]
    assert [len(one) for one in seen] == [8, 2]
    assert len(np.unique(np.concatenate(seen), axis=0)) == 10
    assert few.split("test").model is target.split("test").model
    with pytest.raises(ValueError, match="users must be at least 5"):
        few_users(target, 4)


def test_populations_without_a_target_are_not_suited():
    tuned = METHODS["rl2-finetuned-100"]
    assert "no target to fine-tune on from 'Feed'" in tuned.unsuited(make_population("Feed"))
    assert tuned.unsuited(make_population("KuaiRand")) == ""
    assert tuned.users == 100
