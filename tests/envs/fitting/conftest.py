"""Simulated worlds whose parameters are known."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from driftrec.envs import Catalogue, DriftingUser, Split
from driftrec.envs.fitting import LogitNormal, Observation, Window, simulated_log

TOPICS = 4
PLAIN = DriftingUser(
    personas=np.zeros((1, TOPICS)),
    topics=TOPICS,
    intercept=0.0,
    persona_share=0.0,
    level_sd=0.0,
    mood_sd=0.0,
    taste_sd=0.0,
    whim_sd=0.0,
    satiation=0.0,
    influence=0.0,
    repeat_penalty=0.0,
    session_requests=8.0,
    session_spread=0.0,
    churn=0.0,
    churn_spread=0.0,
    return_days=0.3,
    return_spread=0.0,
    leave_satisfaction=0.0,
    leave_boredom=0.0,
    leave_fatigue=0.0,
    churn_satisfaction=0.0,
    churn_boredom=0.0,
    spread=0.0,
)
"""Users who click by chance alone: a test switches on what it is about."""


def catalogue(items=400, quality_sd=0.0, seed=0):
    """Items of one topic each, whose features are their topic: taste is taste for topics."""
    rng = np.random.default_rng(seed)
    topics = np.eye(TOPICS)[rng.integers(TOPICS, size=items)]
    names = tuple(f"topic {k}" for k in range(TOPICS))
    return Catalogue(topics, topics, quality_sd * rng.standard_normal(items), topic_names=names)


def world(users=600, days=8.0, quality_sd=0.0, seed=1, items=400, popularity=None, **parameters):
    """A log of plain users with some parameters changed, seen whole."""
    split = Split("world", "train", replace(PLAIN, **parameters), catalogue(items, quality_sd))
    observation = Observation(Window(days, np.zeros(1)), popularity)
    return simulated_log(split, users, observation, seed)


def scale(log, variance):
    """The law of a click whose logit has a known variance."""
    return LogitNormal.of_rate(float(log.feedback.mean()), variance)


def holds(estimate, truth):
    """Whether the interval of an estimate holds the truth and says something."""
    return estimate.low <= truth <= estimate.high and estimate.high - estimate.low < 2 * truth


@pytest.fixture(scope="session")
def worlds():
    """The helpers above, for tests of this folder."""
    return SimpleNamespace(plain=PLAIN, catalogue=catalogue, world=world, scale=scale, holds=holds)
