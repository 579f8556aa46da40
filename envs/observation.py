"""What an agent sees: a function of public history alone."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from gymnasium import spaces

from driftrec.envs.arrays import Array, as_float32, duplicate, rows_of, rows_where, to_numpy
from driftrec.envs.simulation import Simulation

Observation: TypeAlias = dict[str, Array]
"""A batch of observations: the keys of `observation_space`, first axis the user."""

LONGEST_LOG_ELAPSED = 40.0
"""log(1 + seconds) of a gap longer than the age of the universe."""

_DAY_AND_ONE = (np.array(86400, np.float32), np.array(1, np.float32))
"""Seconds in a day, and 1, as numpy reckons with them fastest."""

NUMBERS = ("new_user", "new_session", "log_elapsed", "position")
"""What is one number a user."""

KEYS = ("slate", "feedback", *NUMBERS)


def observation_space(simulation: Simulation) -> spaces.Dict:
    """The space of one user's observation.

    ==============  ===========================  ==========================================
    key             shape                        meaning
    ==============  ===========================  ==========================================
    `slate`         `(slate, d + topics + 1)`    features, topics, quality of the last slate
    `feedback`      `(slate,)`                   clicks on it
    `new_user`      `(1,)`                       1 in the first observation of a trial
    `new_session`   `(1,)`                       1 in the first observation of a session
    `log_elapsed`   `(1,)`                       log(1 + seconds since the last request)
    `position`      `(1,)`                       requests so far in this session
    ==============  ===========================  ==========================================

    What was shown last is all zeros in the first observation of a trial. In the last observation
    of a user who is lost the session is over: `position` is 0 and no time has passed.
    """
    table = to_numpy(simulation.catalogue.table)
    lowest, highest = np.minimum(table.min(0), 0), np.maximum(table.max(0), 0)
    slate = simulation.slate
    low, high = simulation.model.feedback_range

    def box(low: float, high: float, size: int = 1) -> spaces.Box:
        return spaces.Box(low, high, (size,), np.float32)

    return spaces.Dict(
        {
            "slate": spaces.Box(np.tile(lowest, (slate, 1)), np.tile(highest, (slate, 1))),
            "feedback": box(min(low, 0), max(high, 0), slate),
            "new_user": box(0, 1),
            "new_session": box(0, 1),
            "log_elapsed": box(0, LONGEST_LOG_ELAPSED),
            "position": box(0, simulation.max_requests),
        }
    )


def observe(simulation: Simulation) -> Observation:
    """The observations of a batch of users, before their next request, in arrays of their own."""
    observation = _history(simulation)
    for key in NUMBERS:
        observation[key] = observation[key][:, None]
    if simulation.anyone_new:
        begin(observation, rows_where(simulation.trials.request == 0))
    return observation


def observe_alone(simulation: Simulation) -> Observation:
    """The observation of the only user of a batch of one: the first row of `observe`."""
    if simulation.anyone_new:
        return {key: values[0] for key, values in observe(simulation).items()}
    # A number of each of one user is a row already.
    observation = _history(simulation)
    observation["slate"] = observation["slate"][0]
    observation["feedback"] = observation["feedback"][0]
    return observation


def _history(simulation: Simulation) -> Observation:
    """The observations as if all users had been shown something; numbers are `(users,)`."""
    xp, trials, table = simulation.xp, simulation.trials, simulation.catalogue.table
    day, one = _DAY_AND_ONE if xp is np else (86400.0, 1.0)
    position = as_float32(trials.position)
    return {
        "slate": table.take(trials.items, axis=0) if xp is np else table[trials.items],
        "feedback": duplicate(trials.feedback),
        "new_user": xp.zeros(simulation.users, dtype=xp.float32, device=simulation.device),
        "new_session": as_float32(position < one),
        "log_elapsed": xp.log1p(trials.elapsed * day),
        "position": position,
    }


def begin(observation: Observation, rows: Array) -> None:
    """Overwrite some rows of a batch of observations by the first observation of a trial."""
    for key, values in observation.items():
        # Numpy writes to rows of one axis in half the time.
        cells = values[:, 0] if key in NUMBERS else values
        cells[rows] = 1 if key in ("new_user", "new_session") else 0


def separate(observation: Observation, rows: Array) -> list[Observation]:
    """Some rows of a batch of observations, as observations of one user each."""
    columns = [rows_of(observation[key], rows) for key in KEYS]
    # Written out, since this takes a third of the time of dict(zip(...)).
    return [
        {
            "slate": slate,
            "feedback": feedback,
            "new_user": new_user,
            "new_session": new_session,
            "log_elapsed": log_elapsed,
            "position": position,
        }
        for slate, feedback, new_user, new_session, log_elapsed, position in zip(
            *columns, strict=True
        )
    ]
