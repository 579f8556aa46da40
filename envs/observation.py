"""What an agent sees: a function of public history alone."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from gymnasium import spaces

from driftrec.envs.arrays import (
    Array,
    as_float32,
    duplicate,
    rows_of,
    rows_where,
    take,
    to_numpy,
)
from driftrec.envs.simulation import Simulation
from driftrec.envs.user_model import UserModelError

Observation: TypeAlias = dict[str, Array]
"""A batch of observations: the keys of `observation_space`, first axis the user."""

LONGEST_LOG_ELAPSED = 40.0
"""log(1 + seconds) of a gap longer than the age of the universe."""

_DAY_AND_ONE = (np.array(86400, np.float32), np.array(1, np.float32))
"""Seconds in a day, and 1, as numpy reckons with them fastest."""

NUMBERS = ("new_user", "new_session", "log_elapsed", "position")
"""What is one number a user."""

KEYS = ("slate", "feedback", *NUMBERS)
"""What every observation holds; `context` and what is offered come after where there are any."""

_OFFER = ("candidates", "offered")
"""What is offered, by features and by number."""

_LARGEST = float(np.finfo(np.float32).max)


def observation_space(simulation: Simulation, by_number: bool = False) -> spaces.Dict:
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
    `context`       `(context_size,)`            public facts of the user's situation now
    `candidates`    `(candidates, d + topics     features, topics, quality of those offered for
                    + 1)`                        the next slate
    `offered`       `(candidates,)`              or their numbers in the catalogue, `by_number`
    ==============  ===========================  ==========================================

    What was shown last is all zeros in the first observation of a trial. In the last observation
    of a user who is lost the session is over: `position` is 0 and no time has passed. There is a
    `context` only where the user model's `context_size` is positive, and `candidates` (or else
    `offered`) only where a slate is not chosen from the whole catalogue. Feedback without bounds is
    bounded by the largest float32.
    """
    table = to_numpy(simulation.catalogue.table)
    lowest, highest = np.minimum(table.min(0), 0), np.maximum(table.max(0), 0)
    # Gymnasium warns of a box without room, as that of a column of zeros would be.
    highest[highest == lowest] = 1
    slate = simulation.slate
    low, high = np.clip(simulation.model.feedback_range, -_LARGEST, _LARGEST).tolist()

    def box(low: float, high: float, size: int = 1) -> spaces.Box:
        return spaces.Box(low, high, (size,), np.float32)

    boxes: dict[str, spaces.Space[np.ndarray]] = {
        "slate": spaces.Box(np.tile(lowest, (slate, 1)), np.tile(highest, (slate, 1))),
        "feedback": box(min(low, 0), max(high, 0), slate),
        "new_user": box(0, 1),
        "new_session": box(0, 1),
        "log_elapsed": box(0, LONGEST_LOG_ELAPSED),
        "position": box(0, simulation.max_requests),
    }
    if simulation.model.context_size:
        boxes["context"] = box(-_LARGEST, _LARGEST, simulation.model.context_size)
    if count := simulation.candidates:
        boxes[_OFFER[by_number]] = (
            spaces.Box(0, len(simulation.catalogue) - 1, (count,), np.int64)
            if by_number
            else spaces.Box(np.tile(lowest, (count, 1)), np.tile(highest, (count, 1)))
        )
    return spaces.Dict(boxes)


def observe(simulation: Simulation, by_number: bool = False) -> Observation:
    """The observations of a batch of users, before their next request, in arrays of their own."""
    observation = _history(simulation, by_number)
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
    observation = _history(simulation, False)
    observation["slate"] = observation["slate"][0]
    observation["feedback"] = observation["feedback"][0]
    for key in ("context", "candidates"):
        if key in observation:
            observation[key] = observation[key][0]
    return observation


def _history(simulation: Simulation, by_number: bool) -> Observation:
    """The observations as if all users had been shown something; numbers are `(users,)`."""
    xp, trials, table = simulation.xp, simulation.trials, simulation.catalogue.table
    day, one = _DAY_AND_ONE if xp is np else (86400.0, 1.0)
    position = as_float32(trials.position)
    observation = {
        "slate": table.take(trials.items, axis=0) if xp is np else table[trials.items],
        "feedback": duplicate(trials.feedback),
        "new_user": xp.zeros(simulation.users, dtype=xp.float32, device=simulation.device),
        "new_session": as_float32(position < one),
        "log_elapsed": xp.log1p(trials.elapsed * day),
        "position": position,
    }
    if simulation.model.context_size:
        observation["context"] = _context(simulation, simulation.state, simulation.users)
    if (offered := simulation.offered) is not None:
        if by_number:
            observation["offered"] = duplicate(offered)
        else:
            observation["candidates"] = table.take(offered, axis=0) if xp is np else table[offered]
    return observation


def _context(simulation: Simulation, state: Any, users: int) -> Array:
    """The context of users in some state, in an array of its own."""
    model = simulation.model
    context, shape = model.context(state), (users, model.context_size)
    if tuple(context.shape) != shape:
        raise UserModelError(
            f"{type(model).__name__}.context must have shape {shape}, got {tuple(context.shape)}"
        )
    return as_float32(context)


def begin_trials(simulation: Simulation, observation: Observation, rows: Array) -> None:
    """Overwrite some rows of a batch of observations by those of the new users of these rows."""
    begin(observation, rows)
    if "context" in observation:
        state = take(simulation.state, rows)
        observation["context"][rows] = _context(simulation, state, int(rows.shape[0]))
    if simulation.arrivals and simulation.offered is not None:
        offered = simulation.offered[rows]
        if "offered" in observation:
            observation["offered"][rows] = offered
        else:
            observation["candidates"][rows] = simulation.catalogue.table[offered]


def begin(observation: Observation, rows: Array) -> None:
    """Overwrite some rows of a batch of observations by the first of a trial, but for context."""
    for key in KEYS:
        values = observation[key]
        # Numpy writes to rows of one axis in half the time.
        cells = values[:, 0] if key in NUMBERS else values
        cells[rows] = 1 if key in ("new_user", "new_session") else 0


def separate(observation: Observation, rows: Array) -> list[Observation]:
    """Some rows of a batch of observations, as observations of one user each."""
    columns = [rows_of(observation[key], rows) for key in KEYS]
    # Written out, since this takes a third of the time of dict(zip(...)).
    apart: list[Observation] = [
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
    for key in ("context", *_OFFER):
        if key in observation:
            for alone, values in zip(apart, rows_of(observation[key], rows), strict=True):
                alone[key] = values
    return apart
