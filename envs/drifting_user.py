"""The default user: level, mood, drifting core, passing whims, satiation, sessions, churn."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from driftrec.envs.arrays import (
    Array,
    duplicate,
    like,
    namespace,
    row_dot,
    rows_of,
    rows_where,
    sigmoid,
)
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.drifting_core import CoreMotion
from driftrec.envs.drifting_newcomers import Newcomers
from driftrec.envs.drifting_parameters import (
    DAYS_PER_YEAR,
    SESSION_GAP,
    arrays_of,
    check_parameters,
    default_personas,
    scalars_of,
)
from driftrec.envs.drifting_relaxation import Relaxation
from driftrec.envs.drifting_state import DriftingUserState, Traits
from driftrec.envs.feedback import FeedbackDistribution, LogisticClicks, MultinomialClick
from driftrec.envs.random import Stream
from driftrec.envs.user_model import ReturnGap, UserModel

__all__ = [
    "DAYS_PER_YEAR",
    "SESSION_GAP",
    "DriftingUser",
    "DriftingUserState",
    "Traits",
    "default_personas",
]


@dataclass(frozen=True, eq=False)
class DriftingUser(UserModel):
    r"""Users who click by level, quality, mood, core, whim and satiation, and leave when let down.

    The logit of a click of user i on item j in slot s at time t is

        level_i + quality_j + mood_i(t) + taste_sd <core_i(t), x_j> + <whim_i(t), topic_j>
            - weight_i <satiation_i(t), topic_j> - repeat_penalty [shown before] + slot_bias s

    Mood and whims are stationary Ornstein-Uhlenbeck processes: over a gap e they keep
    exp(-rate e) of their value and gain variance sd^2 (1 - exp(-2 rate e)) (Uhlenbeck and
    Ornstein 1930). The core is the taste of a persona plus an individual part that is
    Ornstein-Uhlenbeck over years; it moves between sessions, by the exact transition over the
    whole time since it last moved. Life events exchange the persona. Each part is switched off by
    setting its scale to 0. Rates and weights differ between users by a log-normal factor of
    log standard deviation `spread`. Defaults are estimates from real logs (see the guide).

    Attributes:
        personas: taste of each persona, `(personas, d)`; a core has unit variance in each feature
            when these have variance `persona_share`.
        topics: number of topics.
        choice: "independent" clicks, or "multinomial" with at most one click a slate.
        intercept: logit of a click on an item of quality 0 by the median user.
        level_sd: of the user's level, in logits.
        mood_sd: stationary, in logits.
        mood_hours: relaxation time of the mood.
        taste_sd: of <core, x> over items with unit-variance features, in logits.
        persona_share: share of the core's variance that lies between personas.
        retained_per_year: autocorrelation of the individual part of the core after a year.
        life_events_per_year: rate at which a user takes on another persona.
        whim_sd: stationary, in logits.
        whim_minutes: relaxation time of the whims.
        satiation: logits lost per recent exposure to the topic.
        satiation_hours: time in which an exposure is forgotten.
        influence: share of the way from the core to the clicked item's taste moved by a click.
        repeat_penalty: logits lost by an item shown before.
        slot_bias: logits added per slot down the slate (0 or below).
        session_requests: mean length of a session when content; infinity for no end.
        session_spread: log standard deviation of it between users.
        churn: probability of never returning after a session, when content.
        churn_spread: standard deviation of its logit between users.
        return_days: median gap between sessions.
        return_spread: log standard deviation of the gap's median between users.
        return_shape: tail exponent of the gaps, at least .2.
        memory: weight of the newest request in satisfaction and boredom.
        memory_days: time in which satisfaction and boredom are forgotten.
        expectation: logits by which what users expect lies above an average item.
        leave_satisfaction: fall of the logit of leaving per unit of satisfaction.
        leave_boredom: rise of the logit of leaving per unit of boredom.
        leave_fatigue: rise of the logit of leaving per request of the session.
        churn_satisfaction: fall of the logit of churn per unit of satisfaction.
        churn_boredom: rise of the logit of churn per unit of boredom.
        spread: log standard deviation of rates and weights between users.

    Raises:
        ValueError: if a rate, scale or probability is out of range, or options contradict.
    """

    verified: ClassVar[bool] = True

    personas: np.ndarray = field(default_factory=lambda: default_personas(12, 10), repr=False)
    topics: int = 8
    choice: str = "independent"
    intercept: float = -0.25
    level_sd: float = 0.65
    mood_sd: float = 0.65
    mood_hours: float = 3.0
    taste_sd: float = 0.7
    persona_share: float = 0.5
    retained_per_year: float = 0.8
    life_events_per_year: float = 0.3
    whim_sd: float = 0.7
    whim_minutes: float = 10.0
    satiation: float = 0.06
    satiation_hours: float = 12.0
    influence: float = 0.002
    repeat_penalty: float = 20.0
    slot_bias: float = 0.0
    session_requests: float = 20.0
    session_spread: float = 0.3
    churn: float = 0.008
    churn_spread: float = 1.0
    return_days: float = 0.63
    return_spread: float = 0.5
    return_shape: float = 1.3
    memory: float = 0.1
    memory_days: float = 3.0
    expectation: float = 0.4
    leave_satisfaction: float = 1.0
    leave_boredom: float = 0.2
    leave_fatigue: float = 0.01
    churn_satisfaction: float = 3.0
    churn_boredom: float = 0.2
    spread: float = 0.3

    def __post_init__(self) -> None:
        personas = np.asfortranarray(np.array(self.personas, np.float32))
        personas.setflags(write=False)
        object.__setattr__(self, "personas", personas)
        check_parameters(self)

    @property
    def dimension(self) -> int:
        """Number of item features d that users have a taste for."""
        return int(self.personas.shape[1])

    def sample(self, users: int, rng: np.random.Generator) -> DriftingUserState:
        """Draw users who begin their first session, each process in its stationary law."""
        return self._newcomers.draw(users, rng)

    # What follows from the parameters

    def _kind_of(self, array: Array) -> tuple[Any, SimpleNamespace]:
        """The namespace of an array, and the parameters ready for arithmetic with it."""
        if type(array) is np.ndarray:
            return np, self._arrays
        return namespace(array), self._scalars

    @cached_property
    def _scalars(self) -> SimpleNamespace:
        return scalars_of(self)

    @cached_property
    def _arrays(self) -> SimpleNamespace:
        return arrays_of(self._scalars)

    @cached_property
    def _relaxation(self) -> Relaxation:
        return Relaxation(self)

    @cached_property
    def _newcomers(self) -> Newcomers:
        return Newcomers(self, self._relaxation)

    @cached_property
    def _core_motion(self) -> CoreMotion:
        return CoreMotion(self)

    @cached_property
    def _leave_weights(self) -> np.ndarray:
        """Logits of leaving per unit of satisfaction and boredom, and per request, `(1, 3)`."""
        weights = [-self.leave_satisfaction, self.leave_boredom, self.leave_fatigue]
        return np.array([weights], np.float32)

    @cached_property
    def _churn_weights(self) -> np.ndarray:
        """Logits of churn per unit of satisfaction and boredom, `(1, 2)`."""
        return np.array([[-self.churn_satisfaction, self.churn_boredom]], np.float32)

    # How they respond

    def respond(self, state: DriftingUserState, slate: Slate) -> FeedbackDistribution:
        """Clicks on a slate: independent, or at most one."""
        xp, number = self._kind_of(state.core)
        traits, relaxing = state.traits, state.relaxing
        whim, satiation = relaxing[:, 1 : 1 + self.topics], relaxing[:, 1 + self.topics : -3]
        aversion = traits.satiation_weight[:, None] * satiation
        aversion -= whim
        logits = (
            (traits.level + relaxing[:, 0])[:, None]
            + slate.quality
            + number.taste_sd * row_dot(slate.features, state.core[:, None])
            - row_dot(slate.topics, aversion[:, None])
        )
        if xp.count_nonzero(slate.repeats):
            logits = logits - number.repeat_penalty * slate.repeats
        if self.slot_bias:
            logits = logits + self._slots(logits)
        if self.choice == "multinomial":
            return MultinomialClick(logits)
        return LogisticClicks(logits)

    def click_probability(self, state: DriftingUserState, catalogue: Catalogue) -> Array:
        """Click probability of each item alone in the first slot, unseen, `(users, items)`."""
        appeal = state.whim - state.traits.satiation_weight[:, None] * state.satiation
        logits = (
            (state.traits.level + state.mood)[:, None]
            + catalogue.quality
            + self.taste_sd * (state.core @ catalogue.features.T)
            + appeal @ catalogue.topics.T
        )
        return sigmoid(logits)

    def _slots(self, logits: Array) -> Array:
        xp = namespace(logits)
        slots = xp.arange(logits.shape[1], dtype=logits.dtype, device=logits.device)
        return self.slot_bias * slots[None, :]

    # What a request does

    def react(self, state: DriftingUserState, slate: Slate, feedback: Array) -> DriftingUserState:
        """Satiation, influence, satisfaction and boredom after a slate and its feedback."""
        xp, number = self._kind_of(state.core)
        size = feedback.shape[1]
        exposure = slate.topics[:, 0] if size == 1 else slate.topics.sum(1)
        relaxing, core = duplicate(state.relaxing), state.core
        satiation, recent = relaxing[:, 1 + self.topics : -3], relaxing[:, -3:-1]
        sated = row_dot(exposure, satiation)
        # News crowds out the old.
        recent *= number.kept_by_request
        recent_and_requests = relaxing[:, -3:]
        recent_and_requests += state.traits.request_effect
        # Of one user, numpy replaces a column in less time than it adds to it in place.
        relaxing[:, -2] = relaxing[:, -2] + number.memory * (sated if size == 1 else sated / size)
        satiation += exposure
        if xp.count_nonzero(feedback):
            clicks = feedback[:, 0] if size == 1 else feedback.mean(1)
            relaxing[:, -3] = relaxing[:, -3] + number.memory * clicks
            if self.influence:
                core = self._influenced(core, slate, number.influence * feedback, number.item_size)
        return DriftingUserState(
            state.traits, state.session, state.core_age, state.persona, core, relaxing
        )

    def _influenced(self, core: Array, slate: Slate, share: Array, size: Array) -> Array:
        """Move the core by `share` of the way to the taste that each item would suit best.

        An item's taste direction is scaled by `size`, sqrt(d), to the core's own length, since
        features have norm about one and cores have norm about sqrt(d).
        """
        if share.shape[1] == 1:
            moved = (size * share) * slate.features[:, 0]
            moved += (1 - share) * core
            return moved
        return core + (share[:, :, None] * (size * slate.features - core[:, None])).sum(1)

    # What time does

    def drift(self, state: DriftingUserState, elapsed: Array, rng: Stream) -> DriftingUserState:
        """Mood, whims, satiation and satisfaction relax; after a gap the core moves."""
        xp, number = self._kind_of(elapsed)
        traits = state.traits
        noise = rng.normal(elapsed.shape[0], 1 + self.topics)
        relaxing = traits.pause_kept * state.relaxing
        transient = relaxing[:, : 1 + self.topics]
        transient += traits.pause_fresh * noise
        after = DriftingUserState(
            traits, state.session, state.core_age + elapsed, state.persona, state.core, relaxing
        )
        unusual = elapsed != number.pause
        if xp.count_nonzero(unusual):
            rows = rows_where(unusual)
            days = rows_of(elapsed, rows)
            relaxing[rows] = self._relaxation.over(
                rows_of(state.relaxing, rows),
                rows_of(traits.rate, rows),
                days,
                rows_of(noise, rows),
            )
            self._open_session(after, rows[days > number.session_gap])
        return after

    def _open_session(self, state: DriftingUserState, rows: Array) -> None:
        """A new session for some rows of a state of our own: its core has moved."""
        if not rows.shape[0]:
            return
        session, persona = rows_of(state.session, rows) + 1, rows_of(state.persona, rows)
        key, age = rows_of(state.traits.key, rows), rows_of(state.core_age, rows)
        moved, core = self._core_motion.moved(key, session, age, persona, rows_of(state.core, rows))
        state.core, state.session = duplicate(state.core), duplicate(state.session)
        state.core[rows], state.session[rows] = core, session
        if moved is not persona:
            state.persona = duplicate(state.persona)
            state.persona[rows] = moved
        state.requests[rows] = 0
        state.core_age[rows] = 0

    # Whether they stay

    def leave(self, state: DriftingUserState) -> Array:
        """Probability of ending the session: rises with fatigue and boredom, falls with content."""
        causes = state.relaxing[:, -3:]
        return sigmoid(state.traits.leave_bias + row_dot(causes, like(causes, self._leave_weights)))

    def return_after(self, state: DriftingUserState) -> ReturnGap:
        """Gap until the next session: longer, or for ever, after a session that disappointed."""
        causes = state.relaxing[:, -3:-1]
        never = sigmoid(
            state.traits.churn_bias + row_dot(causes, like(causes, self._churn_weights))
        )
        return ReturnGap(never, state.traits.return_days, self.return_shape)
