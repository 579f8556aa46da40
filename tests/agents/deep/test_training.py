"""Agents find what is known to be best, the same each time, from the users that they may meet."""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from driftrec.agents.deep import METHODS
from driftrec.agents.deep.layers import read_network
from driftrec.agents.deep.reading import CLOCK
from driftrec.agents.deep.slateq import Batch, SlateQ, SlateQConfig
from driftrec.agents.deep.slateq_policy import consumed_by_clicks
from driftrec.agents.harness import evaluate
from driftrec.envs.finite_users import finite_users
from driftrec.envs.tabular_mdp import TabularMDP, tabular_population

SHORT = {
    "ppo": {"n_steps": 20, "batch_size": 80, "n_epochs": 6, "learning_rate": 1e-2},
    "a2c": {"learning_rate": 5e-3},
    "dqn": {"learning_starts": 200, "batch_size": 128, "target_update_interval": 160,
            "learning_rate": 5e-3, "exploration_initial_eps": 0.5},
    "sac": {"learning_starts": 160, "batch_size": 128, "learning_rate": 1e-2},
    "recurrent-ppo": {"n_steps": 10, "batch_size": 160, "n_epochs": 6, "learning_rate": 1e-2},
    "slateq": {"steps": 150_000, "users": 16, "batch": 64, "updates": 2, "learning_rate": 5e-3,
               "target_every": 20},
}  # fmt: skip
STEPS = {"ppo": 3200, "a2c": 6000, "dqn": 4000, "sac": 4000, "recurrent-ppo": 3000}


def short(name):
    """A method that trains for a second or two in the smallest size, whose part is 1/50."""
    method = METHODS[name]
    options = {**method.options, **SHORT[name]}
    if name == "slateq":
        return replace(method, options=options)
    if name == "recurrent-ppo":
        options["policy_kwargs"] = {"sharpness": 1.0, "lstm_hidden_size": 16, "net_arch": [32]}
    return replace(method, options=options, users=16, steps=50 * STEPS[name])


@pytest.mark.parametrize("name", METHODS)
def test_who_says_what_they_want_gets_it(name, wishes, tmp_path):
    """Who shows what is asked for is clicked always; guessing is clicked a third of the time."""
    method = short(name)
    cost = method.fit(wishes, tmp_path, seed=0, size="smoke")
    assert cost["user_steps"] > 0
    found = evaluate(method.policy(tmp_path), wishes, users=100, batch=100)
    assert found.reward.sum() / found.active.sum() > 0.95


def test_a_training_leaves_nothing_among_the_temporary_files(wishes, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    replace(short("a2c"), steps=1600).fit(wishes, tmp_path / "run", seed=0, size="smoke")
    assert not list(temporary.iterdir())


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("sac", "recurrent-ppo")]


@pytest.mark.parametrize("name", ["ppo", "slateq", *SLOW])
def test_slates_hold_what_is_wanted(name, slates_of_wishes, tmp_path):
    """Guessing two of four items is clicked half of the time."""
    method = short(name)
    method.fit(slates_of_wishes, tmp_path, seed=0, size="smoke")
    found = evaluate(method.policy(tmp_path), slates_of_wishes, users=100, batch=100)
    assert found.reward.sum() / found.active.sum() > 0.85


@pytest.mark.parametrize("name", ["dqn", "ppo"])
def test_only_what_is_offered_is_shown_in_training(name, wishes, tmp_path):
    """Any other item would end the training: the environment refuses it."""
    offering = replace(wishes, candidates=2, repeats=True)
    method = replace(short(name), steps=50 * 100)
    assert method.unsuited(offering) == ""
    assert method.fit(offering, tmp_path, seed=0, size="smoke")["user_steps"] > 0


@pytest.mark.parametrize("name", METHODS)
def test_training_begun_anew_leaves_the_same_weights(name, feed, tmp_path):
    """Global random numbers do not matter, and are not touched."""
    method = short(name)
    if name == "slateq":
        method = replace(method, options={**method.options, "steps": 20_000})
    else:
        method = replace(method, steps=50 * 700)
    threads = torch.get_num_threads()
    for folder in ("one", "two"):
        np.random.seed(len(folder))  # noqa: NPY002 (the global state is the subject)
        held = random.getstate(), torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        method.fit(feed, tmp_path / folder, seed=4, size="smoke")
        assert random.getstate() == held[0]
        assert (torch.get_rng_state() == held[1]).all()
        assert (np.random.get_state()[1] == held[2]).all()  # noqa: NPY002
        torch.rand(3)
    assert torch.get_num_threads() == threads
    (one, about), (two, same) = read_network(tmp_path / "one"), read_network(tmp_path / "two")
    assert about == same
    for key in one:
        np.testing.assert_array_equal(one[key], two[key])


@dataclass(frozen=True, eq=False)
class Untouchable(TabularMDP):
    def sample(self, users, rng):
        raise AssertionError("a user of this split was met")


@pytest.mark.parametrize("name", METHODS)
def test_training_meets_no_users_but_those_of_train_and_validation(name, tmp_path):
    population = tabular_population(2, 3, 3, 4)
    forbidden = (Untouchable(3, 3, 4), population.catalogue)
    splits = ("test", "ood-drift", "ood-taste", "ood-items")
    population = replace(population, variants=dict.fromkeys(splits, forbidden))
    method = short(name)
    if name == "slateq":
        method = replace(method, options={**method.options, "steps": 10_000})
    else:
        method = replace(method, steps=50 * 330)
    assert method.fit(population, tmp_path, seed=0, size="smoke")["user_steps"] > 0


def test_slates_that_methods_cannot_choose_are_told(feed_of_slates, wishes):
    assert METHODS["dqn"].unsuited(feed_of_slates).endswith("a slate holds 3")
    assert METHODS["dqn"].unsuited(wishes) == ""
    real = replace(tabular_population(2, 3, 3, 4), slate=2)
    assert "negative" in METHODS["slateq"].unsuited(real)
    assert METHODS["slateq"].unsuited(feed_of_slates) == ""
    assert consumed_by_clicks(feed_of_slates)
    assert not consumed_by_clicks(real)


def test_slateq_learns_the_optimal_values_of_a_decision_process():
    """One process of 4 states and 3 actions, against value iteration with the same discount.

    With one item a request and feedback that is no click, SlateQ is Q-learning.
    """
    population = finite_users(tabular_population(1, 4, 3, 50, sd=0.1), 1, seed=2)
    process = population.split("train").model.pool
    reward = process.reward[0].astype(float)
    reach = process.reach[0].astype(float)
    chance = np.diff(reach, axis=-1, prepend=0)
    gamma, optimal = 0.6, np.zeros((4, 3))
    for _ in range(100):
        optimal = reward + gamma * chance @ optimal.max(1)
    learner = SlateQ(population, SlateQConfig(gamma=gamma, learning_rate=1e-2), 0)
    inputs = np.zeros((4, learner.reader.size), np.float32)
    context = learner.reader.slate * 6 + CLOCK
    inputs[:, context : context + 4] = np.eye(4)
    rng = np.random.default_rng(0)
    for step in range(600):
        state, action = rng.integers(4, size=128), rng.integers(3, size=128)
        following = (reach[state, action] <= rng.random((128, 1)))[:, :3].sum(1)
        paid = reward[state, action] + 0.1 * rng.standard_normal(128)
        learner.optimiser.param_groups[0]["lr"] = 1e-2 * (1 - step / 600)
        learner.learn(
            Batch(
                inputs[state], action[:, None], paid[:, None].astype(np.float32),
                paid.astype(np.float32), np.zeros(128, np.float32), inputs[following],
                np.zeros((128, 3), np.uint8),
            )
        )  # fmt: skip
        if step % 10 == 0:
            learner.copy_to_target()
    learner.copy_to_target()
    worth = learner.values(learner.target, inputs).worth
    np.testing.assert_allclose(worth, optimal, atol=0.2)
    np.testing.assert_array_equal(worth.argmax(1), optimal.argmax(1))


def test_a_lost_user_is_worth_nothing_more(feed):
    learner = SlateQ(feed, SlateQConfig(gamma=0.9), 0)
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((2, learner.reader.size)).astype(np.float32)
    nothing = np.zeros((2, len(learner.table)), np.uint8)
    batch = Batch(
        inputs, np.zeros((2, 1), np.int64), np.zeros((2, 1), np.float32),
        np.ones(2, np.float32), np.array([1, 0], np.float32), inputs, nothing,
    )  # fmt: skip
    targets = learner.targets(batch)
    assert targets[0] == 1
    values = learner.values(learner.target, inputs)
    chance = values.appeal / (values.appeal + 1)
    alone = chance * values.worth + (1 - chance) * values.nothing_worth[:, None]
    assert targets[1] == pytest.approx(1 + 0.9 * alone[1].max(), rel=1e-5)
