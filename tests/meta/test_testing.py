"""The conformance kit passes every learner that ships, and finds what it is there to find."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from driftrec.agents.harness import PolicyError
from driftrec.agents.popular import MostPopular
from driftrec.meta import RL2, RL2Config, learner_names, learner_type
from driftrec.meta.testing import LearnerError, check_learner, check_policy, small_population

TINY = RL2Config(iterations=1, users=8, hidden=4, probes=2, validation_users=4)


@pytest.mark.parametrize("name", learner_names())
def test_every_learner_conforms(name):
    check_learner(learner_type(name))


class Wrapped:
    """A policy with something wrong."""

    def __init__(self, policy):
        self.policy = policy
        self.about = getattr(policy, "about", {})

    def start(self, users):
        return self.policy.start(users)

    def act(self, observation, state):
        return self.policy.act(observation, state)

    def on(self, catalogue, slate=None):
        return type(self)(self.policy.on(catalogue, slate))

    def save(self, path):
        self.policy.save(path)


class MixesUsers(Wrapped):
    def act(self, observation, state):
        slate, state = self.policy.act(observation, state)
        return np.roll(slate, 1, axis=0), state


class ChangesState(Wrapped):
    def act(self, observation, state):
        slate, after = self.policy.act(observation, state)
        state.shown[:] = 1
        return slate, after


class ChangesObservation(Wrapped):
    def act(self, observation, state):
        observation["feedback"] += 1
        return self.policy.act(observation, state)


class WrongAxis(Wrapped):
    def start(self, users):
        return np.zeros(3)


class ShowsNothingThatExists(Wrapped):
    def act(self, observation, state):
        slate, after = self.policy.act(observation, state)
        return slate + 1000, after


@pytest.mark.parametrize(
    ("defect", "message"),
    [
        (MixesUsers, "the same alone as in a batch"),
        (ChangesState, "state.shown changed"),
        (ChangesObservation, "'feedback' changed"),
        (WrongAxis, "first axis of state"),
        (ShowsNothingThatExists, "item"),
    ],
)
def test_the_kit_finds_what_is_wrong_with_a_policy(defect, message):
    population = small_population()
    policy = RL2(replace(TINY, seed=1)).fit(population)
    check_policy(policy, population)
    with pytest.raises((PolicyError, ValueError), match=message):
        check_policy(defect(policy), population)


def test_a_baseline_conforms():
    population = small_population(slate=2)
    check_policy(MostPopular(population.catalogue, 2), population)


def learner_with(fit):
    class Learner(RL2):
        pass

    Learner.fit = fit
    return Learner


def test_the_kit_finds_unseeded_training():
    luck = iter(range(100))

    def fit(self, population, out=None, **options):
        return RL2(replace(self.config, seed=next(luck))).fit(population, out)

    with pytest.raises(LearnerError, match="is all luck seeded"):
        check_learner(learner_with(fit), replace(TINY, iterations=2, learning_rate=0.3))


def test_the_kit_finds_a_policy_that_does_not_say_where_it_comes_from():
    def fit(self, population, out=None, **options):
        policy = RL2(self.config).fit(population, out)
        return replace(policy, about={"population": "Small"})

    with pytest.raises(LearnerError, match=r"must say \['config', 'validation'\]"):
        check_learner(learner_with(fit), TINY)


def test_the_kit_finds_a_learner_that_writes_nothing():
    def fit(self, population, out=None, **options):
        return RL2(self.config).fit(population)

    with pytest.raises(LearnerError, match=r"must write OUT/policy\.safetensors"):
        check_learner(learner_with(fit), TINY)
