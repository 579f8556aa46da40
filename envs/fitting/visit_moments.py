"""Statistics of visits, weighted by user so that a bootstrap costs little."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.fitting.visits import Visits

SESSION_MINUTES = 30.0


def weighted_quantiles(
    values: NDArray[np.float64], weights: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Quantiles of `values` counted `weights` times; `values` must be sorted."""
    mass = np.cumsum(weights)
    places = np.searchsorted(mass, at * mass[-1])
    return np.asarray(values[np.minimum(places, len(values) - 1)])


@dataclass(frozen=True, eq=False)
class VisitTable:
    """Sessions, gaps and activity of the users of some visits.

    Attributes:
        visits: what was seen.
    """

    visits: Visits

    @cached_property
    def events(self) -> NDArray[np.int64]:
        """Events of each user, `(users,)`."""
        return np.bincount(self.visits.user, minlength=self.visits.users)

    @cached_property
    def _pauses(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """User and days of each pause between a user's consecutive events."""
        same = np.diff(self.visits.user) == 0
        return self.visits.user[1:][same], np.diff(self.visits.time)[same]

    @cached_property
    def gaps(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """User and days of each gap between sessions, sorted by days."""
        user, days = self._pauses
        long = days * 1440 > SESSION_MINUTES
        order = np.argsort(days[long])
        return user[long][order], days[long][order]

    @cached_property
    def sessions(self) -> NDArray[np.int64]:
        """Sessions of each user, `(users,)`."""
        return 1 + np.bincount(self.gaps[0], minlength=self.visits.users)

    @cached_property
    def sizes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """User and events of each session, sorted by events."""
        opens = np.ones(len(self.visits.user), bool)
        new_user = np.diff(self.visits.user) != 0
        opens[1:] = new_user | (np.diff(self.visits.time) * 1440 > SESSION_MINUTES)
        first = np.flatnonzero(opens)
        size = np.diff(np.append(first, len(opens)))
        order = np.argsort(size, kind="stable")
        return self.visits.user[first][order], size[order]

    @cached_property
    def span(self) -> NDArray[np.float64]:
        """Days from each user's first to last event, `(users,)`."""
        ends = np.cumsum(self.events)
        return np.asarray(self.visits.time[ends - 1] - self.visits.time[ends - self.events])

    @cached_property
    def close_pairs(self) -> NDArray[np.float64]:
        """Pairs of a user's events less than 10, and less than 30 minutes apart, `(users, 2)`."""
        sums = np.zeros((2, self.visits.users))
        user, time = self.visits.user, self.visits.time
        for shift in range(1, int(self.events.max())):
            same = user[shift:] == user[:-shift]
            lag = (time[shift:] - time[:-shift]) * 1440
            near = same & (lag < SESSION_MINUTES)
            if not near.any():
                break
            sums[1] += np.bincount(user[shift:][near], minlength=self.visits.users)
            near &= lag < SESSION_MINUTES / 3
            sums[0] += np.bincount(user[shift:][near], minlength=self.visits.users)
        return sums.T

    def gap_quantiles(
        self, at: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Quantiles of the gaps between sessions, in days."""
        user, days = self.gaps
        return weighted_quantiles(days, weights[user], at)

    def size_quantiles(
        self, at: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Quantiles of the events in a session."""
        user, size = self.sizes
        return weighted_quantiles(size.astype(np.float64), weights[user], at)

    def activity_quantiles(
        self, at: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Quantiles of the events of a user."""
        order = np.argsort(self.events)
        return weighted_quantiles(self.events[order].astype(np.float64), weights[order], at)

    def span_shares(
        self, days: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Share of users whose last event is at least so many days after the first."""
        return np.asarray(weights @ (self.span[:, None] >= days) / weights.sum())
