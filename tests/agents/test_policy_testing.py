"""The conformance kit of policies passes what is right and finds each thing that is wrong."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace

import numpy as np
import pytest

from driftrec.agents import POLICIES
from driftrec.agents.harness import PolicyError
from driftrec.agents.repeating import Repeating
from driftrec.agents.testing import check_policy
from driftrec.envs import (
    DriftingUser,
    Population,
    RecommendationVectorEnv,
    default_personas,
    synthetic_catalogue,
)

ORACLES = {"core-oracle", "clairvoyant"}


def small(slate=1, items=30):
    catalogue = synthetic_catalogue(items, np.random.default_rng(items), dimension=4, topics=3)
    users = DriftingUser(personas=default_personas(3, 4), topics=3)
    return Population("Small", users, catalogue, slate=slate, max_requests=20)


@pytest.mark.parametrize("population", ["offered", "slate"])
@pytest.mark.parametrize("name", list(POLICIES))
def test_what_ships_conforms(name, population):
    offered = replace(small(slate=2), repeats=True, candidates=8)
    people = offered if population == "offered" else small(slate=2)
    check_policy(POLICIES[name], people, privileged=name in ORACLES, requests=8)


@dataclass
class State:
    """What `Simple` remembers."""

    shown: np.ndarray
    clicks: np.ndarray


class Simple:
    """Shows the unseen items after the number of clicks so far: what it does depends on both."""

    def __init__(self, env):
        self.items, self.slate = len(env.simulation.catalogue), env.simulation.slate

    def start(self, users):
        return State(np.zeros((users, self.items), np.uint8), np.zeros(users, np.float32))

    def act(self, observation, state):
        clicks = state.clicks + observation["feedback"].sum(1)
        return self.show(clicks, state)

    def show(self, clicks, state):
        order = (np.arange(self.items) - clicks[:, None].astype(int) * 7) % self.items
        order = order + 1000 * state.shown.astype(int)
        slate = np.argsort(order, axis=1, kind="stable")[:, : self.slate]
        shown = state.shown.copy()
        np.put_along_axis(shown, slate, 1, axis=1)
        return slate, State(shown, clicks)


class Predicts(Simple):
    def predict(self, state, items):
        return np.full(items.shape, 0.3, np.float32)


class RandomButSeeded(Simple):
    def __init__(self, env):
        super().__init__(env)
        self.rng = np.random.default_rng(0)

    def act(self, observation, state):
        _, after = super().act(observation, state)
        keys = self.rng.random(state.shown.shape) + state.shown
        slate = np.argsort(keys, axis=1)[:, : self.slate]
        shown = state.shown.copy()
        np.put_along_axis(shown, slate, 1, axis=1)
        return slate, State(shown, after.clicks)


@pytest.mark.parametrize("right", [Simple, Predicts, RandomButSeeded])
@pytest.mark.parametrize("slate", [1, 3])
def test_what_is_right_passes(right, slate):
    check_policy(right, small(slate))


class NotASlate(Simple):
    def act(self, observation, state):
        return super().act(observation, state)[0]


class WrongShape(Simple):
    def act(self, observation, state):
        slate, after = super().act(observation, state)
        return slate[:, :, None], after


class Floats(Simple):
    def act(self, observation, state):
        slate, after = super().act(observation, state)
        return slate.astype(np.float32), after


class NoSuchItem(Simple):
    def act(self, observation, state):
        slate, after = super().act(observation, state)
        return slate + 1000, after


class Twice(Simple):
    def act(self, observation, state):
        slate, after = super().act(observation, state)
        return np.repeat(slate[:, :1], self.slate, axis=1), after


class Again(Simple):
    def act(self, observation, state):
        slate, after = super().act(observation, state)
        return slate, State(state.shown, after.clicks)


class ChangesState(Simple):
    def act(self, observation, state):
        state.clicks += 1
        return super().act(observation, state)


class ChangesObservation(Simple):
    def act(self, observation, state):
        answer = super().act(observation, state)
        observation["feedback"] += 1
        return answer


class NoState(Simple):
    def start(self, users):
        return {"clicks": np.zeros(users)}


class LosesState(Simple):
    def act(self, observation, state):
        return super().act(observation, state)[0], None


class WrongAxis(Simple):
    def start(self, users):
        return State(np.zeros((self.items, users), np.uint8), np.zeros(users, np.float32))


class OtherType(Simple):
    def act(self, observation, state):
        slate, after = super().act(observation, state)
        return slate, State(after.shown, after.clicks.astype(np.float64))


class MixesUsers(Simple):
    def act(self, observation, state):
        clicks = state.clicks + observation["feedback"].sum()
        return self.show(clicks, state)


class Unseeded(RandomButSeeded):
    def __init__(self, env):
        super().__init__(env)
        self.rng = np.random.default_rng()


class KeepsUsersInItself(Simple):
    """Counts clicks in the policy, where no one can renew them."""

    def __init__(self, env):
        super().__init__(env)
        self.clicks = np.zeros(5, np.float32)

    def act(self, observation, state):
        self.clicks = self.clicks + observation["feedback"].sum(1)
        return self.show(self.clicks, state)


@dataclass
class KeywordState(State):
    """A state that `renew` cannot make from its fields in their order."""

    def __init__(self, *, shown, clicks):
        super().__init__(shown, clicks)


class CannotBeRenewed(Simple):
    def start(self, users):
        return KeywordState(**vars(super().start(users)))

    def act(self, observation, state):
        slate, after = super().act(observation, state)
        return slate, KeywordState(**vars(after))


class OutOfRange(Simple):
    def predict(self, state, items):
        return np.full(items.shape, 1.2, np.float32)


class NotANumber(Simple):
    def predict(self, state, items):
        return np.full(items.shape, np.nan, np.float32)


class OnePerUser(Simple):
    def predict(self, state, items):
        return np.full(len(items), 0.5, np.float32)


class PredictsAndForgets(Simple):
    def predict(self, state, items):
        state.clicks[:] = 0
        state.shown[:] = 0
        return np.full(items.shape, 0.5, np.float32)


@pytest.mark.parametrize(
    ("defect", "message"),
    [
        (NotASlate, "act must return a slate and a state, got ndarray"),
        (WrongShape, "act must choose valid slates"),
        (Floats, "act must choose valid slates"),
        (NoSuchItem, "act must choose valid slates"),
        (Twice, "act must choose valid slates"),
        (Again, "an item must not be shown to a user twice"),
        (ChangesState, "act must not change the state it is given: 'clicks' changed"),
        (ChangesObservation, "act must not change the observation it is given: 'feedback' changed"),
        (NoState, "start must give a state that is a dataclass of arrays, got dict"),
        (LosesState, "act must give a state that is a dataclass of arrays, got NoneType"),
        (WrongAxis, r"first axis of state.shown from start must be the user \(5\)"),
        (OtherType, "states must keep their types and shapes.*clicks.*float64"),
        (MixesUsers, "what a user is shown must depend on that user alone"),
        (Unseeded, "is all luck seeded"),
        (KeepsUsersInItself, "a row that is renewed must be like a new user"),
        (CannotBeRenewed, "must be replaceable by those of start.*raised TypeError"),
        (OutOfRange, r"predict must give probabilities in \[0, 1\]"),
        (NotANumber, r"predict must give probabilities in \[0, 1\]"),
        (OnePerUser, r"predict must give shape \(5, 2\), as the slate has, got \(5,\)"),
        (PredictsAndForgets, "predict must not change the state it is given"),
    ],
)
def test_the_kit_finds_what_is_wrong(defect, message):
    with pytest.raises(PolicyError, match=message):
        check_policy(defect, small(slate=2))


def test_an_item_that_is_not_offered_is_found():
    population = replace(small(slate=2), repeats=True, candidates=5)
    with pytest.raises(PolicyError, match="must be among those offered"):
        check_policy(Simple, population)


def wrapped(env):
    return Repeating(OutOfRange(env))


def test_predictions_are_checked_where_items_may_be_repeated():
    population = replace(small(), repeats=True)
    with pytest.raises(PolicyError, match=r"predict must give probabilities in \[0, 1\]"):
        check_policy(wrapped, population)


def test_a_factory_that_cannot_travel_is_found():
    with pytest.raises(PolicyError, match="the factory must survive pickle"):
        check_policy(lambda env: Simple(env), small())


def test_an_oracle_passes_only_where_it_is_said_to_be_one():
    check_policy(POLICIES["clairvoyant"], small(), privileged=True)
    with pytest.raises(PolicyError, match="what a user is shown must depend on that user alone"):
        check_policy(POLICIES["clairvoyant"], small())


@pytest.mark.parametrize("options", [{"users": 1}, {"requests": 2}])
def test_options_out_of_range(options):
    with pytest.raises(ValueError, match="users must be at least 2 and requests at least 3"):
        check_policy(Simple, small(), **options)


def test_the_defects_are_of_a_policy_that_is_right_but_for_them():
    """What the tests above break is whole: states renew, and clicks matter."""
    env = RecommendationVectorEnv(small(), 2, autoreset_mode="Disabled")
    observation, _ = env.reset(seed=0)
    policy = Simple(env)
    quiet, clicked = (observation | {"feedback": np.full((2, 1), c, np.float32)} for c in (0, 1))
    one, other = (policy.act(o, policy.start(2))[0] for o in (quiet, clicked))
    assert (one != other).all()
    assert dataclasses.is_dataclass(policy.start(2))
