"""A log of simulated users, observed as a real log is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.arrays import Array, take
from driftrec.envs.catalogue import Catalogue
from driftrec.envs.drifting_user import DriftingUser
from driftrec.envs.fitting.visits import Window
from driftrec.envs.logs.log import InteractionLog
from driftrec.envs.population import Split
from driftrec.envs.random import RandomStreams
from driftrec.envs.user_model import UserModel

_REDRAWS = 20


@dataclass(slots=True)
class Totals:
    """What happened to all users of a run, logged or not.

    Attributes:
        requests: requests within the window.
        sated: sum over those of recent exposures to the topics of the item.
        repeats: requests with an item met before.
        endings: sessions that ended within the window.
        churn_logit: sum over those of the logit of never returning, less its value when content.
    """

    requests: int = 0
    sated: float = 0.0
    repeats: int = 0
    endings: int = 0
    churn_logit: float = 0.0


@dataclass(frozen=True, eq=False)
class Observation:
    """How a service shows items to users, and what of it a log holds.

    Attributes:
        window: from when to when users are seen.
        popularity: how often an item is shown, up to a factor, `(items,)`; None for all alike.
        share: probability that a request is in the log. The others show videos that the log does
            not know: users feel them, but never as an item that they met before.
        only_new: whether items met before are drawn again, a few times, until a new one comes.
    """

    window: Window
    popularity: NDArray[np.float64] | None = None
    share: float = 1.0
    only_new: bool = False


def simulated_log(
    split: Split, users: int, observation: Observation, seed: int = 0, name: str = "simulated"
) -> InteractionLog:
    """Run users of a split under a policy that draws items by popularity, and log them.

    Args:
        split: whose users, and what they are shown.
        users: how many; those of whom nothing falls into the window are not in the log.
        observation: how they are shown items and seen.
        seed: of everything.
        name: of the log.

    Returns:
        The log, with `has_skips` true. Time 0 is the start of the window.
    """
    run = Run(split.model, split.catalogue, observation, users, split.entropy(seed))
    run.finish()
    return as_log(run.events(), split.catalogue, name)


class Run:
    """Users in the middle of their visits; those who are past the window are dropped."""

    def __init__(
        self,
        model: UserModel,
        catalogue: Catalogue,
        observation: Observation,
        users: int,
        entropy: list[int],
    ) -> None:
        self._model, self._catalogue, self._observation = model, catalogue, observation
        self._streams = RandomStreams(entropy)
        self._rng = self._streams.catalogue
        self._state = model.sample(users, self._streams.users)
        self._user = np.arange(users)
        self._clock = self._first_contact(users)
        self._seen = np.zeros((users, len(catalogue)), bool)
        self._pause = model.seconds_per_request / 86400
        weights = observation.popularity
        weights = np.ones(len(catalogue)) if weights is None else weights
        self._shares = np.cumsum(weights) / np.sum(weights)
        self._found: list[NDArray[np.float64]] = []
        self.totals = Totals()

    def finish(self) -> None:
        """Step until all users have gone or are past the window."""
        while len(self._user):
            self._step()

    def events(self) -> NDArray[np.float64]:
        """User, item, day, feedback and satiation of each logged request, `(5, events)`, sorted.

        Satiation is the number of recent exposures to the topics of the item, those included that
        are not in the log; 0 for user models without it.
        """
        found = np.concatenate(self._found, axis=1)
        return found[:, np.lexsort((found[2], found[0]))]

    def _step(self) -> None:
        users, window = len(self._user), self._observation.window
        items = self._draw_items(users)
        known = self._rng.random(users) < self._observation.share
        repeats = self._seen[self._user, items] & known
        slate = self._catalogue.show(items[:, None], repeats[:, None].astype(np.uint8))
        feedback = self._model.respond(self._state, slate).draw(self._streams.response)
        self._seen[self._user, items] |= known
        inside = (self._clock >= 0) & (self._clock < window.days)
        logged = known & inside
        sated = self._sated(items)
        columns = (self._user, items, self._clock, feedback[:, 0], sated)
        self._found.append(np.stack([np.asarray(c, np.float64)[logged] for c in columns]))
        state = self._model.react(self._state, slate, feedback)
        self.totals.requests += int(inside.sum())
        self.totals.sated += float(sated[inside].sum())
        self.totals.repeats += int(repeats[inside].sum())
        self._pass_time(state, inside)

    def _pass_time(self, state: Any, inside: NDArray[np.bool_]) -> None:
        users = len(self._user)
        chance = self._streams.visits.uniform(users, 2)
        left = chance[:, 0] < self._model.leave(state)
        after = self._model.return_after(state)
        gap = after.draw(chance[:, 1])
        self._count_endings(state, after.never, left & inside)
        elapsed = np.where(left, gap, np.float32(self._pause)).astype(np.float32)
        self._clock = self._clock + elapsed
        gone = self._clock >= self._observation.window.days
        elapsed[gone] = self._pause
        self._state = self._model.drift(state, elapsed, self._streams.drift)
        if gone.any():
            stay = np.flatnonzero(~gone)
            self._state = take(self._state, stay)
            self._user, self._clock = self._user[stay], self._clock[stay]

    def _draw_items(self, users: int) -> NDArray[np.int64]:
        last = len(self._shares) - 1
        items = np.minimum(np.searchsorted(self._shares, self._rng.random(users)), last)
        for _ in range(_REDRAWS if self._observation.only_new else 0):
            again = np.flatnonzero(self._seen[self._user, items])
            if not len(again):
                break
            drawn = np.searchsorted(self._shares, self._rng.random(len(again)))
            items[again] = np.minimum(drawn, last)
        return items

    def _sated(self, items: NDArray[np.int64]) -> NDArray[np.float64]:
        if not isinstance(self._model, DriftingUser):
            return np.zeros(len(items))
        topics = self._catalogue.topics[items]
        return np.asarray(np.vecdot(topics, self._state.satiation), np.float64)

    def _count_endings(self, state: Any, never: Array, ended: NDArray[np.bool_]) -> None:
        self.totals.endings += int(ended.sum())
        if isinstance(self._model, DriftingUser) and self._model.churn > 0:
            odds = never[ended] / (1 - never[ended])
            moved = np.log(odds) - state.traits.churn_bias[ended]
            self.totals.churn_logit += float(moved.sum())

    def _first_contact(self, users: int) -> NDArray[np.float64]:
        window = self._observation.window
        if window.arrivals is None:
            return -window.warm_up * (1 - 0.1 * self._rng.random(users))
        return np.asarray(self._rng.choice(window.arrivals, users))


def as_log(events: NDArray[np.float64], catalogue: Catalogue, name: str) -> InteractionLog:
    """Make a log of the events of a run, sorted by user and time."""
    user, item, time, feedback = events[:4]
    ids, codes = np.unique(user.astype(np.int64), return_inverse=True)
    topics = catalogue.topics.shape[1]
    return InteractionLog(
        name=name,
        user=codes,
        item=item.astype(np.int64),
        time=time,
        feedback=feedback.astype(np.float32),
        user_ids=ids,
        item_ids=np.arange(len(catalogue)),
        topics=np.array(catalogue.topics),
        topic_names=catalogue.topic_names or tuple(f"topic {k}" for k in range(topics)),
        has_skips=True,
    )
