"""The batch engine: many users at once, one request a step."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from driftrec.envs.arrays import Array, library, put, take, to_library
from driftrec.envs.population import Split
from driftrec.envs.random import RandomStreams


class UserModelError(ValueError):
    """A user model returned something that its contract rules out."""


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
        day: days since first contact.
        elapsed: days since the last request.
        returned: whether the last request ended a session and the user came back.
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
        array_library: "numpy" or "torch".
        device: where torch's arrays live.
    """

    def __init__(
        self,
        split: Split,
        users: int,
        *,
        slate: int = 1,
        max_requests: int = 120,
        max_days: float = float("inf"),
        array_library: str = "numpy",
        device: Any = None,
    ) -> None:
        self.xp = library(array_library)
        self.device = device
        self.split = split
        self.model = split.model
        self.catalogue = split.catalogue.to_library(self.xp, device)
        self.users = users
        self.slate = slate
        self.max_requests = max_requests
        self.max_days = max_days
        self.state: Any = None
        self.trials: Trials
        self.streams: RandomStreams
        self._checked = False
        self._pause = self._full(self.model.seconds_per_request / 86400)
        self._rows = self.xp.arange(users, device=device)[:, None]

    def reset(self, *numbers: int) -> None:
        """Begin a trial with a new batch of users, drawn and run by the seed `numbers`."""
        self.streams = RandomStreams(self.split.entropy(*numbers), self.xp, self.device)
        self.state = self._new_users(self.users)
        self.trials = self._new_trials(self.users)
        self._shown = self.xp.zeros(
            (self.users, len(self.catalogue)), dtype=self.xp.uint8, device=self.device
        )
        self._checked = False

    def reset_rows(self, mask: Array) -> None:
        """Replace the users of the masked rows, `(users,)` booleans, by new ones."""
        rows = self.xp.nonzero(mask)[0]
        count = int(rows.shape[0])
        put(self.state, rows, self._new_users(count))
        put(self.trials, rows, self._new_trials(count))
        self._shown[rows] = 0

    @property
    def shown(self) -> Array:
        """1 where a user was shown an item in this trial, uint8 `(users, items)`; not a copy."""
        return self._shown

    def hidden_state(self) -> Any:
        """Privileged: a copy of what the users are and feel now."""
        return take(self.state, self.xp.arange(self.users, device=self.device))

    def click_probability(self) -> Array:
        """Privileged: expected feedback on each item shown alone now, `(users, items)`."""
        return self.model.click_probability(self.state, self.catalogue)

    def step(self, items: Array) -> None:
        """Show one slate to every user and let time pass until the next request.

        Users whose trial is over take no part: their feedback is 0 and their history stands.

        Args:
            items: valid item numbers, integer `(users, slate)`.

        Raises:
            UserModelError: if the model's feedback or probabilities are not as its contract says.
        """
        xp, model, before = self.xp, self.model, self.trials
        repeats = self._shown[self._rows, items]
        slate = self.catalogue.show(items, repeats)
        feedback = model.respond(self.state, slate).draw(self.streams.response)
        self._check_feedback(feedback)
        self._shown[self._rows, items] = 1
        state = model.react(self.state, slate, feedback)
        left, elapsed = self._visits(state)
        gone = elapsed == float("inf")
        over = before.over
        if someone_gone := bool(xp.count_nonzero(gone)):
            elapsed = xp.where(gone, self._pause, elapsed)
        self.state = model.drift(state, elapsed, self.streams.drift)
        request = before.request + 1
        day = before.day + elapsed
        position = before.position + 1
        session = before.session
        if anyone_left := bool(xp.count_nonzero(left)):
            returned = left & ~gone
            position = xp.where(left, xp.zeros_like(position), position)
            session = session + xp.astype(returned, session.dtype)
        self.trials = Trials(
            items=items,
            feedback=feedback,
            request=request,
            position=position,
            session=session,
            day=day,
            elapsed=elapsed,
            returned=returned if anyone_left else left,
            churned=gone,
            truncated=((request >= self.max_requests) | (day >= self.max_days)) & ~gone,
        )
        if someone_gone:
            self.trials.day = xp.where(gone, before.day, day)
        if xp.count_nonzero(over):
            self._keep_over(before, over)

    def _visits(self, state: Any) -> tuple[Array, Array]:
        """Who ends the session now, and the days until each user's next request."""
        xp = self.xp
        chance = self.streams.visits.uniform(self.users, 2)
        left = chance[:, 0] < self._checked_leave(state)
        if not xp.count_nonzero(left):
            return left, self._pause
        gap = self.model.return_after(state).draw(chance[:, 1])
        if not xp.all(gap >= 0):
            raise UserModelError(
                f"{self._name}.return_after must give gaps of 0 days or more, got NaN or less"
            )
        return left, xp.where(left, xp.astype(gap, xp.float32), self._pause)

    def _checked_leave(self, state: Any) -> Array:
        leave = self.model.leave(state)
        if not self._checked:
            self._check_array("leave", leave, (self.users,))
            self._checked = True
        return leave

    def _check_feedback(self, feedback: Array) -> None:
        if not self._checked:
            self._check_array("respond(...).draw", feedback, (self.users, self.slate))
        total = float(feedback.sum())
        if not abs(total) < float("inf"):
            raise UserModelError(f"{self._name}.respond must give finite feedback, got NaN or inf")

    def _check_array(self, method: str, array: Array, shape: tuple[int, ...]) -> None:
        got = getattr(array, "shape", None)
        if got is None or tuple(got) != shape:
            raise UserModelError(f"{self._name}.{method} must have shape {shape}, got {got}")

    def _keep_over(self, before: Trials, over: Array) -> None:
        """Undo the step in the records of trials that were over already."""
        after, xp = self.trials, self.xp
        for name in (field.name for field in fields(after)):
            old, new = getattr(before, name), getattr(after, name)
            setattr(after, name, xp.where(over[:, None] if new.ndim == 2 else over, old, new))
        after.feedback = xp.where(over[:, None], xp.zeros_like(after.feedback), after.feedback)
        after.returned = after.returned & ~over

    def _new_users(self, users: int) -> Any:
        state = self.model.sample(users, self.streams.users)
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

    def _full(self, value: float) -> Array:
        return self.xp.full(self.users, value, dtype=self.xp.float32, device=self.device)

    @property
    def _name(self) -> str:
        return type(self.model).__name__
