"""A filter that reads a log of users instead of acting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from driftrec.agents.filter import BayesFilter, FilterState
from driftrec.agents.filter_model import FilterModel
from driftrec.agents.memory import SECONDS_PER_DAY, Memory
from driftrec.agents.recommenders.training_log import TrainingLog

BLOCK = 500
"""Users whose beliefs are held at once, so that memory stays bounded."""


def watch_log(model: FilterModel, log: TrainingLog) -> Iterator[FilterState]:
    """What the filter of a model knows of the users of a log after their last click.

    Yields:
        Its states, each of some users, in order.
    """
    policy = BayesFilter(model, log.items.shape[2])
    for first in range(0, len(log.items), BLOCK):
        yield _watch(policy, log.users(slice(first, first + BLOCK)))


def _watch(policy: BayesFilter, log: TrainingLog) -> FilterState:
    users, requests, slate = log.items.shape
    # After the last request no time passes: what is wanted is what was known then.
    days = np.diff(log.day, axis=1, append=log.day[:, -1:])
    state = policy.start(users)
    # Whether items were shown before is of no matter here.
    none = np.zeros((users, slate), np.uint8)
    for request in range(requests):
        known = log.active[:, request]
        if not known.any():
            break
        follows = log.active[:, request + 1] if request + 1 < requests else np.zeros_like(known)
        elapsed = np.where(follows, days[:, request] * SECONDS_PER_DAY, 0)
        observation = {
            "feedback": log.feedback[:, request],
            "new_user": 1 - known[:, None].astype(np.float32),
            "log_elapsed": np.log1p(np.maximum(elapsed, 0))[:, None].astype(np.float32),
        }
        memory = Memory(state.memory.shown, log.items[:, request], none)
        state = policy.watch(observation, replace(state, memory=memory))
    return state
