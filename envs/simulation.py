"""The batch engine: many users at once, one request a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from driftrec.envs.answers import (
    CLICKS,
    breach,
    check_answer,
    check_feedback,
    check_state,
    check_visits,
)
from driftrec.envs.arrays import (
    Array,
    as_float32,
    duplicate,
    library,
    put,
    rows_of,
    rows_where,
    take,
    to_library,
)
from driftrec.envs.candidates import Arrivals, Candidates
from driftrec.envs.population import Split
from driftrec.envs.random import RandomStreams
from driftrec.envs.user_model import UserModel

AHEAD = 512
"""Most users that are drawn before they are called for."""


@dataclass(slots=True)
class Trials:
    """Where each user of a batch stands in the trial; the first axis is the user.

    This is public history: an agent could have recorded all of it.

    Attributes:
        items: the last slate, `(users, slate)`; meaningless where `request` is 0.
        feedback: on the last slate, `(users, slate)`.
        request: requests so far in the trial.
        position: requests so far in the session.
        session: sessions so far before this one.
        day: days since first contact: the sum of `elapsed`.
        elapsed: days since the last request, 0 if the user has left for good.
        returned: whether the last request ended a session and the user came back, if only after
            the limits of the trial.
        churned: whether the user has left for good.
        truncated: whether the trial reached its limits.
    """

    items: Array
    feedback: Array
    request: Array
    position: Array
    session: Array
    day: Array
    elapsed: Array
    returned: Array
    churned: Array
    truncated: Array

    @property
    def over(self) -> Array:
        """Whether the trial has ended, by churn or by its limits."""
        return self.churned | self.truncated


class Simulation:
    """A batch of users of one split.

    Args:
        split: who the users are and what they are shown.
        users: size of the batch.
        slate: items shown in a request.
        max_requests: requests after which a trial is truncated.
        max_days: days after which a trial is truncated.
        candidates: items drawn for each request; 0 offers the whole catalogue.
        arrivals: items, the last of the catalogue, that arrive evenly over the trial.
        array_library: "numpy" or "torch".
        device: where torch's arrays live.

    Raises:
        ValueError: if the library is another one, or numpy is to use a device.

    Attributes:
        trials: where each user stands. A step replaces its arrays, `reset_rows` writes into them.
        over: whether each user's trial has ended, `(users,)`.
        anyone_over: whether one of them has.
        anyone_new: whether a user has had no request yet.
        seed: what the last reset was given; empty before the first.
        offered: candidates of each user's next request, int64 `(users, candidates)`; None where
            the whole catalogue is offered.
    """

    def __init__(
        self,
        split: Split,
        users: int,
        *,
        slate: int = 1,
        max_requests: int = 120,
        max_days: float = float("inf"),
        candidates: int = 0,
        arrivals: int = 0,
        array_library: str = "numpy",
        device: Any = None,
    ) -> None:
        if array_library == "numpy" and str(device or "cpu") != "cpu":
            raise ValueError(f"device {device!r} needs array_library='torch', got 'numpy'")
        self.xp = library(array_library)
        self.device = device
        self.split = split
        self.model = split.model
        self.catalogue = split.catalogue.to_library(self.xp, device)
        self.users = users
        self.slate = slate
        self.max_requests = max_requests
        self.max_days = max_days
        self.candidates = candidates
        self.arrivals = arrivals
        self.offered: Array | None = None
        self.state: Any = None
        self.trials: Trials
        self.streams: RandomStreams
        self.seed: tuple[int, ...] = ()
        self.anyone_over = self.anyone_new = False
        self._checked = False
        self._pause = self.xp.full(
            users, self.model.seconds_per_request / 86400, dtype=self.xp.float32, device=device
        )
        self._stays = type(self.model).leave is UserModel.leave
        self._nobody = self.xp.zeros(users, dtype=self.xp.bool, device=device)
        # Numpy takes twice as long to add a Python number as to add an array of no axes.
        self._never = self.xp.asarray(float("inf"), dtype=self.xp.float32, device=device)
        self._one = self.xp.asarray(1, dtype=self.xp.int32, device=device)
        self._last = self.xp.asarray(max_requests, dtype=self.xp.int32, device=device)
        rows = self.xp.arange(users, dtype=self.xp.int64, device=device)
        self._first_cell = (rows * len(self.catalogue))[:, None]

    def reset(self, *numbers: int) -> None:
        """Begin a trial with a new batch of users, drawn and run by the seed `numbers`."""
        self.seed = numbers
        self.streams = RandomStreams(self.split.entropy(*numbers), self.xp, self.device)
        self.state = self._new_users(self.users)
        self._waiting, self._queue, self._called = None, 0, 0
        self.trials = self._new_trials(self.users)
        self._cells = self.xp.zeros(
            self.users * len(self.catalogue), dtype=self.xp.uint8, device=self.device
        )
        self.over, self.anyone_over, self.anyone_new = self.trials.over, False, True
        if self.candidates:
            self._offers = self._new_offers()
            self.offered = self._offers.draw(self.trials, self.shown)

    def reset_rows(self, mask: Array) -> None:
        """Replace the users of the masked rows, `(users,)` booleans, by new ones."""
        rows = rows_where(mask)
        put(self.state, rows, *self._next_users(int(rows.shape[0])))
        # These two may belong to others: the usual pause, or what a user model drew.
        self.trials.elapsed = duplicate(self.trials.elapsed)
        self.trials.feedback = duplicate(self.trials.feedback)
        for name in Trials.__slots__:
            getattr(self.trials, name)[rows] = 0
        self.shown[rows] = 0
        if self.arrivals and self.offered is not None:
            self.offered[rows] = self._offers.draw(self.trials, self.shown)[rows]
        self.over = self.over & ~mask
        self.anyone_over = bool(self.xp.count_nonzero(self.over))
        self.anyone_new = True

    def close(self) -> None:
        """Release what is held outside of this process: nothing."""

    @property
    def shown(self) -> Array:
        """1 where a user was shown an item in this trial, uint8 `(users, items)`; not a copy."""
        return self._cells.reshape(self.users, -1)

    def hidden_state(self) -> Any:
        """Privileged: a copy of what the users are and feel now."""
        return duplicate(self.state)

    def click_probability(self) -> Array:
        """Privileged: expected feedback on each item shown alone now, `(users, items)`."""
        return self.model.click_probability(self.state, self.catalogue)

    def step(self, items: Array) -> None:
        """Show one slate to every user and let time pass until the next request.

        Users whose trial is over take no part: their feedback is 0, and their history and hidden
        state stand.

        Args:
            items: valid item numbers, int64 `(users, slate)`; the array is kept.

        Raises:
            UserModelError: if what the model gives is not as its contract says; its form is
                looked at in the first step.
        """
        model, before = self.model, self.state
        cells = self._first_cell + items
        repeats = self._cells[cells]
        self._cells[cells] = 1
        slate = self.catalogue.show(items, repeats)
        feedback = self._feedback(before, slate)
        state = model.react(before, slate, feedback)
        if not self._checked:
            check_state(model, "react", state, self.users)
        left, gone, elapsed = self._visits(state)
        after = model.drift(state, elapsed, self.streams.drift)
        if not self._checked:
            check_state(model, "drift", after, self.users)
            self._checked = True
        self.state = after
        trials = self._next_trials(items, feedback, left, gone, elapsed)
        if self.anyone_over:
            self._keep_over(before, trials)
            rows = rows_where(self.over)
            self._cells[cells[rows]] = repeats[rows]
        self.trials = trials
        self.over = trials.over
        self.anyone_over = bool(self.xp.count_nonzero(self.over))
        self.anyone_new = False
        if self.candidates:
            self.offered = self._offers.draw(self.trials, self.shown)

    def _next_trials(
        self, items: Array, feedback: Array, left: Array, gone: Array, elapsed: Array
    ) -> Trials:
        before = self.trials
        request, position = before.request + self._one, before.position + self._one
        session, day = before.session, before.day + elapsed
        truncated, returned = request >= self._last, left
        if self.max_days < float("inf"):
            truncated = truncated | (day >= self.max_days)
        if gone is not left:
            returned = left ^ gone
            session = session + returned
            position[rows_where(left)] = 0
            truncated = truncated & ~gone
        return Trials(
            items, feedback, request, position, session, day, elapsed, returned, gone, truncated
        )

    def _visits(self, state: Any) -> tuple[Array, Array, Array]:
        """Who ends the session now, who of them for good, and the days until the next request."""
        if self._stays:
            return self._nobody, self._nobody, self._pause
        xp = self.xp
        chance = self.streams.visits.uniform(self.users, 2)
        leave = self.model.leave(state)
        if not self._checked:
            check_visits(self.model, state, leave, self.users)
        left = chance[:, 0] < leave
        rows = rows_where(left)
        if not rows.shape[0]:
            return left, left, self._pause
        law = self.model.return_after(state).rows(rows)
        gap = law.draw(rows_of(chance[:, 1], rows))
        if not self.model.verified and xp.count_nonzero(gap >= 0) != rows.shape[0]:
            raise breach(
                self.model, "return_after must give gaps of 0 days or more, got NaN or less"
            )
        elapsed = duplicate(self._pause)
        elapsed[rows] = as_float32(gap)
        gone = elapsed == self._never
        if xp.count_nonzero(gone):
            elapsed[gone] = 0
        return left, gone, elapsed

    def _feedback(self, state: Any, slate: Any) -> Array:
        answer = self.model.respond(state, slate)
        if not self._checked:
            check_answer(self.model, answer)
        feedback = answer.draw(self.streams.response)
        if not self._checked:
            check_feedback(self.model, answer, feedback, (self.users, self.slate))
        if not self.model.verified:
            # A click is 0 or 1 whatever its chance, so there the chance is looked at.
            numbers = answer.mean if isinstance(answer, CLICKS) else feedback
            if self.xp.count_nonzero(self.xp.isfinite(numbers)) != self.users * self.slate:
                raise breach(self.model, "respond must give finite feedback, got NaN")
        return feedback

    def _keep_over(self, state: Any, trials: Trials) -> None:
        """Undo the step in the users and the records of trials that were over already."""
        before, rows = self.trials, rows_where(self.over)
        self.state = duplicate(self.state)
        put(self.state, rows, take(state, rows))
        for name in Trials.__slots__:
            kept = duplicate(getattr(trials, name))
            kept[rows] = getattr(before, name)[rows]
            setattr(trials, name, kept)
        trials.feedback[rows] = 0
        trials.returned[rows] = False

    def _new_offers(self) -> Candidates | Arrivals:
        rng, items = self.streams.catalogue, len(self.catalogue)
        where = self.xp, self.device
        if self.arrivals:
            last = self.max_requests
            return Arrivals(rng, items, self.candidates, self.arrivals, last, *where)
        return Candidates(rng, self.users, items, self.candidates, *where)

    def _next_users(self, users: int) -> tuple[Any, slice]:
        """New users, a part of a queue: to draw many at a time costs little more than one."""
        last = self._called + users
        if last > self._queue:
            self._queue = max(users, min(self.users, AHEAD))
            self._waiting, last = self._new_users(self._queue), users
        self._called = last
        return self._waiting, slice(last - users, last)

    def _new_users(self, users: int) -> Any:
        state = self.model.sample(users, self.streams.users)
        check_state(self.model, "sample", state, users)
        return to_library(state, self.xp, self.device)

    def _new_trials(self, users: int) -> Trials:
        xp = self.xp

        def zeros(dtype: Any, *shape: int) -> Array:
            return xp.zeros((users, *shape), dtype=dtype, device=self.device)

        return Trials(
            items=zeros(xp.int64, self.slate),
            feedback=zeros(xp.float32, self.slate),
            request=zeros(xp.int32),
            position=zeros(xp.int32),
            session=zeros(xp.int32),
            day=zeros(xp.float64),
            elapsed=zeros(xp.float32),
            returned=zeros(xp.bool),
            churned=zeros(xp.bool),
            truncated=zeros(xp.bool),
        )


def among(simulation: Simulation, scores: Array) -> Array:
    """Scores of items, `(users, items)`, minus infinity for those that are not offered now."""
    if simulation.offered is None:
        return scores
    rows = simulation.xp.arange(simulation.users, device=simulation.device)[:, None]
    allowed = simulation.xp.full_like(scores, -float("inf"))
    allowed[rows, simulation.offered] = scores[rows, simulation.offered]
    return allowed
