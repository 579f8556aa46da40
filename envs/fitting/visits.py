"""When users come and go: a fast simulation of visits alone, seen as a log would see them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.user_model import UserModel

REQUEST_DAYS = UserModel.seconds_per_request / 86400
_CHUNK = 32
_MOST_CHUNKS = 128


@dataclass(frozen=True)
class VisitLaw:
    """Sessions and gaps as `DriftingUser` has them, for users who are content.

    Attributes:
        session_requests: mean length of a session.
        session_spread: log standard deviation of it between users.
        return_days: median gap between sessions.
        return_spread: log standard deviation of it between users.
        return_shape: tail exponent of the gaps.
        churn: probability of never returning after a session, of the median user.
        churn_spread: standard deviation of its logit between users.
        share: probability that a request is in the log.
    """

    session_requests: float = 20.0
    session_spread: float = 0.3
    return_days: float = 0.63
    return_spread: float = 0.5
    return_shape: float = 1.3
    churn: float = 0.0
    churn_spread: float = 0.0
    share: float = 1.0


@dataclass(frozen=True, eq=False)
class Window:
    """From when to when users are seen.

    Attributes:
        days: length of the window.
        arrivals: days of first contact to draw from; None for users who were there long before,
            in a steady state.
        warm_up: days before the window in which a steady state is reached.
    """

    days: float
    arrivals: NDArray[np.float64] | None = None
    warm_up: float = 14.0


@dataclass(frozen=True, eq=False)
class Visits:
    """Requests that a log holds, sorted by user and time.

    Attributes:
        user: `(events,)` codes 0..users-1, of users with an event.
        time: `(events,)` days.
        users: how many users have an event.
        days: length of the window.
    """

    user: NDArray[np.int64]
    time: NDArray[np.float64]
    users: int
    days: float


def simulate_visits(law: VisitLaw, window: Window, users: int, seed: int = 0) -> Visits:
    """Draw the visits of `users` users and keep the requests that fall into the window.

    Users and their luck are the same for every law of one seed, so that what two laws give
    differs by the laws more than by chance.
    """
    rng = np.random.default_rng([seed, users])
    length = law.session_requests * np.exp(law.session_spread * rng.standard_normal(users))
    median = law.return_days * np.exp(law.return_spread * rng.standard_normal(users))
    never = _churn_probability(law, rng.standard_normal(users))
    clock = _first_contact(window, rng.random(users), median)
    rows, found = np.arange(users), []
    for chunk in range(_MOST_CHUNKS):
        draws = np.random.default_rng([seed, users, chunk]).random((3, users, _CHUNK))[:, rows]
        requests = _session_lengths(draws[0], length[rows])
        gaps = _gaps(draws[1:], median[rows], never[rows], law.return_shape)
        ends = clock[rows, None] + np.cumsum((requests - 1) * REQUEST_DAYS + gaps, axis=1)
        starts = np.concatenate([clock[rows, None], ends[:, :-1]], axis=1)
        found.append(_in_log(rows, starts, requests, law.share, window, [seed, chunk]))
        clock[rows] = ends[:, -1]
        rows = rows[ends[:, -1] < window.days]
        if not len(rows):
            break
    return _sorted(np.concatenate(found, axis=1), window.days)


def _churn_probability(law: VisitLaw, normal: NDArray[np.float64]) -> NDArray[np.float64]:
    if law.churn == 0:
        return np.zeros_like(normal)
    odds = law.churn / (1 - law.churn) * np.exp(law.churn_spread * normal)
    return np.asarray(odds / (1 + odds))


def _first_contact(
    window: Window, uniform: NDArray[np.float64], median: NDArray[np.float64]
) -> NDArray[np.float64]:
    if window.arrivals is None:
        return np.asarray(uniform * np.minimum(median, window.warm_up) - window.warm_up)
    places = (uniform * len(window.arrivals)).astype(np.int64)
    return np.asarray(np.sort(window.arrivals)[places])


def _session_lengths(uniform: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.int64]:
    """Geometric lengths of 1 and more with the given means, by inversion."""
    stay = 1 - 1 / np.maximum(mean, 1 + 1e-9)
    return 1 + np.floor(np.log1p(-uniform) / np.log(stay)[:, None]).astype(np.int64)


def _gaps(
    uniform: NDArray[np.float64],
    median: NDArray[np.float64],
    never: NDArray[np.float64],
    shape: float,
) -> NDArray[np.float64]:
    """Log-logistic gaps, infinite with probability `never`."""
    gaps = median[:, None] * (uniform[0] / (1 - uniform[0])) ** (1 / shape)
    return np.where(uniform[1] < never[:, None], np.inf, gaps)


def _in_log(
    rows: NDArray[np.int64],
    starts: NDArray[np.float64],
    requests: NDArray[np.int64],
    share: float,
    window: Window,
    seed: list[int],
) -> NDArray[np.float64]:
    """Users and times of the requests that the log holds, `(2, events)`."""
    rng = np.random.default_rng(seed)
    user = np.broadcast_to(rows[:, None], starts.shape)
    some = (starts < window.days) & (starts + requests * REQUEST_DAYS >= 0)
    user, starts, requests = user[some], starts[some], requests[some]
    seen = rng.binomial(requests, share)
    if share >= 1:
        place = np.arange(seen.sum()) - np.repeat(np.cumsum(seen) - seen, seen)
    else:
        place = np.floor(rng.random(seen.sum()) * np.repeat(requests, seen))
    time = np.repeat(starts, seen) + place * REQUEST_DAYS
    inside = (time >= 0) & (time < window.days)
    return np.stack([np.repeat(user, seen)[inside].astype(np.float64), time[inside]])


def _sorted(events: NDArray[np.float64], days: float) -> Visits:
    user, time = events[0].astype(np.int64), events[1]
    order = np.lexsort((time, user))
    kept, codes = np.unique(user[order], return_inverse=True)
    return Visits(codes, time[order], len(kept), days)
