"""Tuning finds the best setting within its budget, and meets validation users alone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from driftrec.agents.benchmark import tuning
from driftrec.agents.benchmark.proposing import Trial, propose
from driftrec.agents.benchmark.spaces import SPACES, option_of, space_of, with_options
from driftrec.agents.benchmark.tuning import Budget, Tuning, tune, tuning_users
from driftrec.agents.harness import evaluate
from driftrec.agents.memory import new_memory, top_unseen
from driftrec.agents.method import Method
from driftrec.agents.methods import all_methods
from driftrec.envs import DriftingUser, Population, synthetic_catalogue
from driftrec.envs.wrapped_users import WrappedUsers

SMALL = Budget(trials=6, users=20)


class ByQuality:
    """Shows items by weight * quality: the larger the weight, the better."""

    def __init__(self, env, weight):
        self.catalogue, self.weight = env.simulation.catalogue, weight
        self.noise = np.random.default_rng(0).standard_normal(len(self.catalogue))

    def start(self, users):
        return new_memory(users, len(self.catalogue), 1)

    def act(self, observation, state):
        scores = self.weight * np.asarray(self.catalogue.quality) + self.noise
        items = top_unseen(scores, state.shown, 1)
        return items, state.after(items)


@dataclass(frozen=True)
class Tunable(Method):
    name: str = "tunable"
    family: Any = "plug-in"
    weight: float = 0.0
    options: dict[str, Any] = field(default_factory=dict)

    space: ClassVar[dict[str, Any]] = {"weight": (-5.0, 5.0, False)}

    def policy(self, folder: Path) -> Any:
        return partial(ByQuality, weight=self.weight)


@dataclass(frozen=True)
class Trained(Tunable):
    """Notes whose users it learns from, and fails for negative weights."""

    trains: ClassVar[bool] = True

    def fit(self, population, folder, *, seed, size):
        if self.weight < 0:
            raise ValueError("no negative weights")
        evaluate(partial(ByQuality, weight=1.0), population, users=2, split="train")
        return {}


def population(**variants):
    catalogue = synthetic_catalogue(20, np.random.default_rng(0), dimension=4, topics=3)
    users = DriftingUser(personas=np.eye(3, 4), topics=3)
    return Population("Tiny", users, catalogue, variants=variants, max_requests=6)


@cache
def known_methods():
    return all_methods()


class Forbidden(WrappedUsers):
    """Users whom nobody may meet."""

    def sample(self, users, rng):
        raise AssertionError("a user was met who must not be")


class Noted(WrappedUsers):
    """Counts how many users were met."""

    met: ClassVar[list[int]] = []

    def sample(self, users, rng):
        self.met.append(users)
        return super().sample(users, rng)


def test_tuning_meets_validation_users_alone(tmp_path):
    plain = population()
    closed = (Forbidden(plain.model), plain.catalogue)
    others = dict.fromkeys(("test", "ood-drift", "ood-taste", "ood-items"), closed)
    Noted.met.clear()
    users = population(**others, train=closed, validation=(Noted(plain.model), plain.catalogue))
    tune(Tunable(), users, tmp_path, budget=Budget(trials=3, users=20))
    assert Noted.met == [20, 20, 20]


def test_whoever_asks_for_other_users_gets_an_error():
    users = tuning_users(population())
    weigh = partial(ByQuality, weight=1.0)
    for split in ("train", "validation"):
        evaluate(weigh, users, users=2, split=split)
    for split in ("test", "ood-drift", "ood-taste", "ood-items"):
        with pytest.raises(PermissionError, match="validation users alone"):
            evaluate(weigh, users, users=2, split=split)


def test_the_users_that_may_be_met_are_those_of_the_population():
    weigh = partial(ByQuality, weight=1.0)
    met = [
        evaluate(weigh, users, users=9, split="validation").feedback
        for users in (population(), tuning_users(population()))
    ]
    assert np.array_equal(*met)


def test_the_best_setting_is_found_and_is_no_worse_than_the_methods_own(tmp_path):
    found = tune(Tunable(), population(), tmp_path, budget=Budget(trials=12, users=60))
    assert found.trials[0].options == {}
    assert found.best.value >= found.trials[0].value
    assert found.tuned.weight > 1
    assert found.tuned == replace(Tunable(), weight=found.best.options["weight"])


def test_a_tuning_that_was_cut_ends_as_one_that_was_not(tmp_path):
    whole = tune(Tunable(), population(), tmp_path / "whole", budget=SMALL)
    tune(Tunable(), population(), tmp_path / "cut", budget=replace(SMALL, trials=4))
    cut = tune(Tunable(), population(), tmp_path / "cut", budget=SMALL)
    made = [[(one.options, one.value) for one in found.trials] for found in (whole, cut)]
    assert made[0] == made[1]


def test_what_may_be_luck_changes_nothing():
    trials = [Trial({}, 0.5, 1.0), Trial({"weight": 2.0}, 0.52, 1.0)]
    assert Tuning(Tunable(), trials, margin=0.01).best == trials[1]
    assert Tuning(Tunable(), trials, margin=0.03).best == trials[0]
    # Where the method as it is fails, anything is better.
    failed = [Trial({}, None, 1.0, "no"), trials[1]]
    assert Tuning(Tunable(), failed, margin=0.9).best == trials[1]


def test_trials_are_kept_with_budget_and_space(tmp_path):
    found = tune(Tunable(), population(), tmp_path, budget=SMALL)
    kept = json.loads((tmp_path / "trials.json").read_text())
    assert kept["split"] == "validation"
    assert kept["budget"] == {"trials": 6, "users": 20, "cpu_seconds": None}
    assert kept["space"] == {"weight": [-5.0, 5.0, False]}
    assert [Trial(**trial) for trial in kept["trials"]] == list(found.trials)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trials.json"]


def test_no_trial_is_begun_when_the_seconds_are_spent(tmp_path):
    found = tune(Tunable(), population(), tmp_path, budget=replace(SMALL, cpu_seconds=1e-9))
    assert len(found.trials) == 1


@dataclass(frozen=True)
class Shipped(Trained):
    """Has a training that was made before, and took long."""

    def fit(self, population, folder, *, seed, size):
        return {"cpu_seconds": 500.0, "reused": float(self.weight == 0)}


def test_a_training_that_is_shipped_costs_what_it_took(tmp_path):
    found = tune(Shipped(), population(), tmp_path, budget=replace(SMALL, cpu_seconds=400))
    assert [trial.cpu_seconds >= 500 for trial in found.trials] == [True]
    found = tune(Shipped(), population(), tmp_path, budget=replace(SMALL, trials=2))
    assert [trial.cpu_seconds >= 500 for trial in found.trials] == [True, False]


def test_settings_that_fail_are_kept_and_never_chosen(tmp_path):
    found = tune(Trained(), population(), tmp_path, budget=Budget(trials=8, users=10))
    failed = [trial for trial in found.trials if trial.value is None]
    assert failed
    assert all(trial.options["weight"] < 0 for trial in failed)
    assert all("no negative weights" in trial.error for trial in failed)
    assert found.tuned.weight >= 0


def test_a_metric_that_these_users_do_not_have_fails_every_trial_and_is_named(tmp_path):
    """A trial of six requests lasts no thirty days."""
    found = tune(
        Tunable(), population(), tmp_path, budget=Budget(trials=2, users=10), metric="retention-30"
    )
    assert [trial.value for trial in found.trials] == [None, None]
    with pytest.raises(ValueError, match="retention-30 of these users must be a number, got nan"):
        _ = found.best


def test_a_method_of_which_every_setting_fails_says_why(tmp_path):
    method = Trained(weight=-1.0)
    found = tune(method, population(), tmp_path, budget=Budget(trials=1, users=10))
    with pytest.raises(ValueError, match=r"every trial of tunable failed.*no negative weights"):
        _ = found.best


def test_trials_of_another_tuning_are_not_gone_on_with(tmp_path):
    tune(Tunable(), population(), tmp_path, budget=Budget(trials=1, users=20))
    with pytest.raises(ValueError, match="another tuning"):
        tune(Tunable(), population(), tmp_path, budget=Budget(trials=1, users=21))


def test_what_cannot_be_tuned_is_refused(tmp_path):
    with pytest.raises(ValueError, match="metric must be one of ctr"):
        tune(Tunable(), population(), tmp_path, budget=SMALL, metric="regret")
    untunable = with_options(Tunable(), {"name": "other"})
    object.__setattr__(untunable, "space", {})
    with pytest.raises(ValueError, match="other has no options to tune"):
        space_of(untunable)
    with pytest.raises(ValueError, match="all of a budget must be positive"):
        Budget(trials=0)


def test_options_are_set_by_their_paths():
    method = with_options(Tunable(), {"weight": 2.0, "options.rate": 0.1})
    assert (option_of(method, "weight"), option_of(method, "options.rate")) == (2.0, 0.1)
    assert option_of(method, "options.other") is None
    with pytest.raises(ValueError, match="no option 'length'"):
        with_options(Tunable(), {"length": 1})
    with pytest.raises(ValueError, match=r"no option 'options\.other\.rate'"):
        with_options(Tunable(), {"options.other.rate": 1})


def test_proposals_lie_in_the_space_and_follow_from_seed_and_trials():
    space = {"weight": (1, 64, True), "options.kind": ["a", "b"], "options.rate": (0.1, 1.0, True)}
    trials = [Trial({}, 0.5, 1.0)]
    for number in range(8):
        options = propose(Tunable(weight=100.0), space, trials, seed=3)
        assert options == propose(Tunable(weight=100.0), space, trials, seed=3)
        assert isinstance(options["weight"], int)
        assert 1 <= options["weight"] <= 64
        assert 0.1 <= options["options.rate"] <= 1
        assert options["options.kind"] in ("a", "b")
        trials.append(Trial(options, number / 10, 1.0))


@pytest.mark.parametrize("name", SPACES)
def test_every_option_of_the_spaces_is_one_that_the_method_has(name):
    methods = known_methods()
    if name not in methods:
        pytest.skip("its packages are not installed")
    space = space_of(methods[name])
    ends = [
        {
            option: dimension[place] if isinstance(dimension, tuple) else dimension[place - 1]
            for option, dimension in space.items()
        }
        for place in (0, 1)
    ]
    for options in ends:
        changed = with_options(methods[name], options)
        assert {option: option_of(changed, option) for option in options} == options
        if hasattr(changed, "config"):
            changed.config(population(), seed=0, size="standard")


def test_learners_are_tuned_through_their_configs(tmp_path, monkeypatch):
    learned = known_methods()["amortised"]
    monkeypatch.setattr(tuning, "USERS_SEED", 5)
    found = tune(learned, population(), tmp_path, budget=Budget(trials=2, users=10), size="smoke")
    config = found.trials[1].options
    assert set(config) == {"always.learning_rate", "always.explore"}
    assert all(trial.value is not None for trial in found.trials)
