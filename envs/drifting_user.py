"""The default user: level, mood, drifting core, passing whims, satiation, sessions, churn."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from driftrec.envs.arrays import (
    Array,
    columns_of,
    duplicate,
    namespace,
    row_dot,
    rows_of,
    rows_where,
    sigmoid,
)
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.drifting_state import DriftingUserState, Traits
from driftrec.envs.feedback import FeedbackDistribution, IndependentClicks, MultinomialClick
from driftrec.envs.random import Stream, keyed_words, normals_of, uniforms_of
from driftrec.envs.user_model import ReturnGap, UserModel

__all__ = ["SESSION_GAP", "DriftingUser", "DriftingUserState", "Traits", "default_personas"]

SESSION_GAP = 0.5 / 24
"""Days without a request after which the next one opens a new session (30 minutes)."""

DAYS_PER_YEAR = 365.25
SESSION_KEY = 7919


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
        personas = np.array(self.personas, np.float32)
        if personas.ndim != 2 or not personas.size or not np.isfinite(personas).all():
            raise ValueError(f"personas must be finite, (personas, d), got shape {personas.shape}")
        personas = np.asfortranarray(personas)
        personas.setflags(write=False)
        object.__setattr__(self, "personas", personas)
        if self.choice not in ("independent", "multinomial"):
            raise ValueError(f"choice must be 'independent' or 'multinomial', got {self.choice!r}")
        if self.topics < 1:
            raise ValueError(f"topics must be at least 1, got {self.topics}")
        for item in fields(self):
            if isinstance(value := getattr(self, item.name), int | float):
                _check_range(item.name, value)

    @property
    def dimension(self) -> int:
        """Number of item features d that users have a taste for."""
        return int(self.personas.shape[1])

    @cached_property
    def _pause(self) -> np.float32:
        """Days between two requests of a session."""
        return np.float32(self.seconds_per_request / 86400)

    def _kind_of(self, array: Array) -> tuple[Any, SimpleNamespace]:
        """The namespace of an array, and the parameters ready for arithmetic with it."""
        if type(array) is np.ndarray:
            return np, self._arrays
        return namespace(array), self._scalars

    @cached_property
    def _scalars(self) -> SimpleNamespace:
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
        return SimpleNamespace(
            **numbers,
            one=1.0,
            pause=float(self._pause),
            item_size=self.dimension**0.5,
            per_year=1 / DAYS_PER_YEAR,
            log_retained=self._log_retained,
            redraws=self.life_events_per_year * self._redraws_per_event,
            individual_sd=(1 - self.persona_share) ** 0.5,
            session_gap=SESSION_GAP,
        )

    @cached_property
    def _arrays(self) -> SimpleNamespace:
        # Numpy takes twice as long to multiply by a Python number as by an array of no axes.
        numbers = vars(self._scalars)
        return SimpleNamespace(**{name: np.array(numbers[name], np.float32) for name in numbers})

    # Who they are

    def sample(self, users: int, rng: np.random.Generator) -> DriftingUserState:
        """Draw users who begin their first session, each process in its stationary law.

        Arrays are laid out column by column, so that numpy loops over the users of a column and
        not over the few columns of a user, which takes a quarter of the time.
        """
        scales, medians, means = self._laws
        persona = rng.integers(len(self.personas), size=users)
        draws = scales * rng.standard_normal((len(scales), users), np.float32)
        core, transient = draws[: self.dimension], draws[self.dimension :][: 1 + self.topics]
        core += self.personas.T.take(persona, axis=1)
        relaxing = np.zeros((3 + 2 * self.topics, users), np.float32)
        relaxing[: 1 + self.topics] = transient
        factors = medians * np.exp(draws[self.dimension + 1 + self.topics : -2])
        return DriftingUserState(
            traits=self._traits(rng.integers(2**62, size=users), draws[-2:] + means, factors),
            session=np.zeros(users, np.int64),
            requests=np.zeros(users, np.float32),
            core_age=np.zeros(users, np.float32),
            persona=persona,
            core=core.T,
            relaxing=relaxing.T,
        )

    def _traits(self, key: np.ndarray, logits: np.ndarray, factors: np.ndarray) -> Traits:
        level, churn_bias = logits[:1], logits[1:]
        rate, satiation_weight = factors[:4], factors[4:5]
        length, return_days = factors[5:6], factors[6:]
        decay = -self._pause * rate
        gained = np.sqrt(-np.expm1(decay[:2] + decay[:2]))
        whims = self._columns[: 1 + self.topics]
        rows = (
            level,
            satiation_weight,
            sigmoid(level + np.float32(self.expectation)),
            -np.log(np.maximum(length - np.float32(1), np.float32(1e-3))),
            churn_bias,
            return_days,
            rate,
            self._transient_sd[:, None] * gained.take(whims, axis=0),
            np.exp(decay).take(self._columns, axis=0),
        )
        return Traits(key, np.concatenate(rows).T)

    @cached_property
    def _laws(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Standard deviations of all that users are drawn by, medians and means of their traits."""
        factors = (
            (24 / self.mood_hours, self.spread),
            (1440 / self.whim_minutes, self.spread),
            (24 / self.satiation_hours, self.spread),
            (1 / self.memory_days, 0),
            (self.satiation, self.spread),
            (self.session_requests, self.session_spread),
            (self.return_days, self.return_spread),
        )
        scales = [np.sqrt(1 - self.persona_share)] * self.dimension
        scales += [*self._transient_sd, *(spread for _, spread in factors)]
        scales += [self.level_sd, self.churn_spread]
        medians = [median for median, _ in factors]
        means = [self.intercept, _logit(self.churn)]
        columns = (np.array(column, np.float32)[:, None] for column in (scales, medians, means))
        scale, median, mean = columns
        return scale, median, mean

    @cached_property
    def _columns(self) -> np.ndarray:
        """The column of `Traits.rate` that each column of `relaxing` relaxes by."""
        return np.array([0] + [1] * self.topics + [2] * self.topics + [3, 3])

    @cached_property
    def _transient_sd(self) -> np.ndarray:
        return np.array([self.mood_sd] + [self.whim_sd] * self.topics, np.float32)

    # How they respond

    def respond(self, state: DriftingUserState, slate: Slate) -> FeedbackDistribution:
        """Clicks on a slate: independent, or at most one."""
        xp, number = self._kind_of(state.core)
        traits, relaxing = state.traits, state.relaxing
        whim, satiation = relaxing[:, 1 : 1 + self.topics], relaxing[:, 1 + self.topics : -2]
        appeal = whim - traits.satiation_weight[:, None] * satiation
        logits = (
            (traits.level + relaxing[:, 0])[:, None]
            + slate.quality
            + number.taste_sd * row_dot(slate.features, state.core[:, None])
            + row_dot(slate.topics, appeal[:, None])
        )
        if xp.count_nonzero(slate.repeats):
            logits = logits - number.repeat_penalty * slate.repeats
        if self.slot_bias:
            logits = logits + self._slots(logits)
        if self.choice == "multinomial":
            return MultinomialClick(logits)
        return IndependentClicks(sigmoid(logits))

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
        clicks = feedback[:, 0] if size == 1 else feedback.mean(1)
        relaxing = state.relaxing * _like(state.core, self._kept_by_request)
        sated = row_dot(exposure, state.relaxing[:, 1 + self.topics : -2])
        satiation, satisfaction, boredom = (
            relaxing[:, 1 + self.topics : -2],
            relaxing[:, -2],
            relaxing[:, -1],
        )
        satiation += exposure
        satisfaction += number.memory * (clicks - state.traits.expectation)
        boredom += number.memory * (sated if size == 1 else sated / size)
        core = state.core
        if self.influence and xp.count_nonzero(feedback):
            core = self._influenced(core, slate, number.influence * feedback, number.item_size)
        return DriftingUserState(
            state.traits,
            state.session,
            state.requests + number.one,
            state.core_age,
            state.persona,
            core,
            relaxing,
        )

    @cached_property
    def _kept_by_request(self) -> np.ndarray:
        """Share of each column of `relaxing` that a request leaves: news crowds out the old."""
        kept = np.ones(3 + 2 * self.topics, np.float32)
        kept[-2:] -= np.float32(self.memory)
        return kept

    def _influenced(self, core: Array, slate: Slate, share: Array, size: Array) -> Array:
        """Move the core by `share` of the way to the taste that each item would suit best.

        An item's taste direction is scaled by `size`, sqrt(d), to the core's own length, since
        features have norm about one and cores have norm about sqrt(d).
        """
        if share.shape[1] == 1:
            return core + share * (size * slate.features[:, 0] - core)
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
            traits,
            state.session,
            state.requests,
            state.core_age + elapsed,
            state.persona,
            state.core,
            relaxing,
        )
        unusual = elapsed != number.pause
        if xp.count_nonzero(unusual):
            rows = rows_where(unusual)
            days = rows_of(elapsed, rows)
            relaxing[rows] = self._relaxed(
                rows_of(state.relaxing, rows),
                rows_of(traits.rate, rows),
                days,
                rows_of(noise, rows),
            )
            self._open_session(after, rows[days > number.session_gap])
        return after

    def _relaxed(self, relaxing: Array, rate: Array, days: Array, noise: Array) -> Array:
        """What relaxes, of some users, after `days` that are not the usual pause."""
        xp = namespace(days)
        columns, sd = _like(days, self._columns), _like(days, self._transient_sd)
        decay = -days[:, None] * rate
        after = columns_of(xp.exp(decay), columns) * relaxing
        gained = columns_of(xp.sqrt(-xp.expm1(decay + decay)), columns[: 1 + self.topics])
        transient = after[:, : 1 + self.topics]
        transient += sd * gained * noise
        return after

    def _open_session(self, state: DriftingUserState, rows: Array) -> None:
        """A new session for some rows of a state of our own: its core has moved."""
        if not rows.shape[0]:
            return
        state.requests, state.session = duplicate(state.requests), duplicate(state.session)
        session, before = rows_of(state.session, rows) + 1, rows_of(state.persona, rows)
        key = rows_of(state.traits.key, rows) + session * SESSION_KEY
        age, core = rows_of(state.core_age, rows), rows_of(state.core, rows)
        persona, core = self._moved_core(age, key, before, core)
        state.core = duplicate(state.core)
        state.core[rows] = core
        if persona is not before:
            state.persona = duplicate(state.persona)
            state.persona[rows] = persona
        state.session[rows] = session
        state.requests[rows] = 0
        state.core_age[rows] = 0

    def _moved_core(
        self, age: Array, key: Array, persona: Array, core: Array
    ) -> tuple[Array, Array]:
        """Persona and core of some users after `age` days, by the luck that `key` brings."""
        xp, number = self._kind_of(core)
        words = keyed_words(_as_numpy(key), 1 + (self.dimension + 3) // 4)
        noise = _like(core, normals_of(words[:, 1:])[:, : self.dimension])
        chance = _like(core, uniforms_of(words[:, :1]))
        years = number.per_year * age
        decay = (number.log_retained * years)[:, None]
        fresh = number.individual_sd * xp.sqrt(-xp.expm1(decay + decay))
        personas = _like(core, self.personas)
        taste = rows_of(personas, persona)
        individual = xp.exp(decay) * (core - taste) + fresh * noise
        event = chance[:, 0] < -xp.expm1(-number.redraws * years)
        if xp.count_nonzero(event):
            changed = rows_where(event)
            drawn = xp.astype(chance[:, 1][changed] * len(self.personas), persona.dtype)
            persona = duplicate(persona)
            persona[changed], taste[changed] = drawn, personas[drawn]
        return persona, taste + individual

    @cached_property
    def _log_retained(self) -> float:
        with np.errstate(divide="ignore"):
            return float(np.log(np.float64(self.retained_per_year)))

    @property
    def _redraws_per_event(self) -> float:
        """How often a persona is drawn from all of them for each time that it is another one."""
        others = len(self.personas) - 1
        return len(self.personas) / others if others else 1.0

    # Whether they stay

    def leave(self, state: DriftingUserState) -> Array:
        """Probability of ending the session: rises with fatigue and boredom, falls with content."""
        _, number = self._kind_of(state.requests)
        relaxing = state.relaxing
        return sigmoid(
            state.traits.leave_bias
            + number.leave_fatigue * state.requests
            + number.leave_boredom * relaxing[:, -1]
            - number.leave_satisfaction * relaxing[:, -2]
        )

    def return_after(self, state: DriftingUserState) -> ReturnGap:
        """Gap until the next session: longer, or for ever, after a session that disappointed."""
        _, number = self._kind_of(state.requests)
        relaxing = state.relaxing
        never = sigmoid(
            state.traits.churn_bias
            + number.churn_boredom * relaxing[:, -1]
            - number.churn_satisfaction * relaxing[:, -2]
        )
        return ReturnGap(never, state.traits.return_days, self.return_shape)


def default_personas(count: int, dimension: int, seed: int = 0, share: float = 0.5) -> np.ndarray:
    """Persona tastes N(0, share I), centred over personas, `(personas, d)`."""
    rng = np.random.default_rng([seed, count, dimension])
    personas = np.sqrt(share) * rng.standard_normal((count, dimension))
    centred: np.ndarray = (personas - personas.mean(0)).astype(np.float32)
    return centred


def _check_range(name: str, value: Any) -> None:
    free = ("intercept", "expectation", "slot_bias")
    shares = ("persona_share", "retained_per_year", "influence", "churn", "memory")
    times = ("mood_hours", "whim_minutes", "satiation_hours", "memory_days", "return_days")
    positive = (*times, "return_shape")
    endless = (*positive, "session_requests")
    if not np.isfinite(value) and not (name in endless and value > 0):
        raise ValueError(f"{name} must be a finite number, got {value}")
    if name in shares and not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in [0, 1], got {value}")
    if name in positive and value <= 0:
        raise ValueError(f"{name} must be positive, got {value}")
    if name == "session_requests" and value < 1:
        raise ValueError(f"session_requests must be at least 1, got {value}")
    if name == "return_shape" and value < 0.2:
        raise ValueError(f"return_shape must be at least 0.2 (gaps overflow below), got {value}")
    if name == "slot_bias" and value > 0:
        raise ValueError(f"slot_bias must be 0 or negative, got {value}")
    if name not in free and value < 0:
        raise ValueError(f"{name} must not be negative, got {value}")


def _logit(probability: float) -> np.float32:
    with np.errstate(divide="ignore"):
        return np.float32(np.log(probability) - np.log1p(-np.float64(probability)))


def _like(array: Array, values: np.ndarray) -> Array:
    """The values in the library, and on the device, of `array`."""
    if type(array) is np.ndarray:
        return values
    return namespace(array).asarray(np.array(values), device=array.device)


def _as_numpy(array: Array) -> np.ndarray:
    return array if isinstance(array, np.ndarray) else np.asarray(array.cpu())
