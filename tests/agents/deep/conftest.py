"""Tiny populations whose best policy is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from driftrec.envs import DriftingUser, Population, synthetic_catalogue
from driftrec.envs.arrays import as_float32
from driftrec.envs.feedback import IndependentClicks
from driftrec.envs.meta_tasks import one_hot_catalogue, task_population
from driftrec.envs.user_model import UserModel


@dataclass
class Wish:
    """What a user would click on now, `(users,)`, and draws of what comes next."""

    item: np.ndarray


@dataclass(frozen=True, eq=False)
class Wishing(UserModel):
    """A user says which item they want, clicks on it alone, and wants another one next."""

    items: int = 3

    def __post_init__(self):
        object.__setattr__(self, "context_size", self.items)

    def sample(self, users, rng):
        return Wish(rng.integers(self.items, size=users))

    def respond(self, state, slate):
        return IndependentClicks(as_float32(slate.items == state.item[:, None]))

    def drift(self, state, elapsed, rng):
        return Wish((rng.uniform(len(state.item), 1)[:, 0] * self.items).astype(np.int64))

    def context(self, state):
        return np.eye(self.items, dtype=np.float32)[state.item]

    def default_catalogue(self):
        return one_hot_catalogue(self.items)


@pytest.fixture
def wishes():
    """Who shows what is asked for gets 1 at each request; who does not listen a third of it."""
    return task_population("Wishes", Wishing(), requests=10)


@pytest.fixture
def slates_of_wishes():
    """The same, two of four items a request."""
    return replace(task_population("Wishes2", Wishing(4), requests=10), slate=2)


def small_feed(slate=1, requests=12, **parameters):
    """Users of a feed of 30 items."""
    catalogue = synthetic_catalogue(30, np.random.default_rng(0), dimension=4, topics=3)
    model = DriftingUser(
        personas=np.random.default_rng(1).standard_normal((3, 4)), topics=3, **parameters
    )
    return Population("SmallFeed", model, catalogue, slate=slate, max_requests=requests)


@pytest.fixture
def feed():
    """Some of its users leave for good within a trial."""
    return small_feed(churn=0.5)


@pytest.fixture
def feed_of_slates():
    """Three items a request."""
    return small_feed(slate=3)
