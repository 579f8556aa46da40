"""The log of training users: who is in it, and by what it was gathered."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest

from driftrec.agents.recommenders.training_log import SHARPNESS, training_log
from driftrec.envs import feed_population
from driftrec.envs.simulation import Simulation

FEED = feed_population()


def same(first, second):
    return all(
        np.array_equal(getattr(first, field.name), getattr(second, field.name))
        for field in fields(first)
    )


@pytest.fixture(scope="module")
def log():
    return training_log(FEED, 400, seed=3, batch=150)


def test_seed_decides_the_log(log):
    assert same(log, training_log(FEED, 400, seed=3, batch=150))
    assert not same(log, training_log(FEED, 400, seed=4, batch=150))


def test_shapes_and_types(log):
    assert log.items.shape == log.feedback.shape == (400, 120, 1)
    assert log.active.shape == log.day.shape == (400, 120)
    assert (log.items.dtype, log.feedback.dtype) == (np.int32, np.float32)
    assert (log.active.dtype, log.day.dtype) == (bool, np.float32)


def test_only_users_of_train_are_asked(monkeypatch):
    splits = []
    whole = Simulation.__init__

    def spy(self, split, *args, **options):
        splits.append(split.name)
        whole(self, split, *args, **options)

    monkeypatch.setattr(Simulation, "__init__", spy)
    training_log(FEED, 30, seed=0, batch=20)
    assert splits == ["train", "train"]


def test_trials_begin_at_once_and_have_no_holes(log):
    assert log.active[:, 0].all()
    assert (np.diff(log.active.astype(int), axis=1) <= 0).all()
    assert not log.feedback[~log.active].any()
    assert not log.items[~log.active].any()
    later = log.active[:, 1:]
    assert (np.diff(log.day, axis=1)[later] > 0).all()
    assert not log.day[:, 0].any()


def test_no_item_twice_where_repeats_are_not_allowed(log):
    for items, active in zip(log.items[:, :, 0], log.active, strict=True):
        assert len(np.unique(items[active])) == active.sum()


def test_first_items_are_half_random_and_half_by_a_softmax_of_quality():
    users = 40_000
    short = replace(FEED, max_requests=1)
    log = training_log(short, users, seed=0, batch=10_000)
    counts = np.bincount(log.items[:, 0, 0], minlength=500)
    softmax = np.exp(SHARPNESS * FEED.catalogue.quality.astype(float))
    chance = 0.5 / 500 + 0.5 * softmax / softmax.sum()
    squares = ((counts - users * chance) ** 2 / (users * chance)).sum()
    # Chi-squared with 499 degrees of freedom: mean 499, standard deviation 31.6.
    assert abs(squares - 499) < 4 * 31.6


def test_offered_items_are_respected():
    population = replace(FEED, candidates=12, repeats=True, slate=3, max_requests=20)
    offers = []
    draw = Simulation.step

    def spy(self, items):
        offers.append((self.offered.copy(), items.copy()))
        draw(self, items)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Simulation, "step", spy)
        log = training_log(population, 25, seed=1)
    assert log.items.shape == (25, 20, 3)
    for offered, items in offers:
        assert (items[:, :, None] == offered[:, None, :]).any(2).all()
        assert (np.diff(np.sort(items, axis=1), axis=1) > 0).all()


def test_items_come_again_where_repeats_are_allowed():
    log = training_log(replace(FEED, repeats=True), 50, seed=0)
    popular = np.argmax(FEED.catalogue.quality)
    assert ((log.items[:, :, 0] == popular) & log.active).sum(1).max() > 1


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="users=0"):
        training_log(FEED, 0, seed=0)


def test_importing_it_needs_no_library_of_learning():
    code = (
        "import sys, driftrec.agents.recommenders.training_log;"
        "print({'torch', 'lenskit', 'implicit', 'sklearn', 'scipy'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "set()", answer.stderr
