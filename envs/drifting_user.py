"""The default user: persistent level, shared mood, drifting core, passing whims, satiation, churn."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np

from driftrec.envs.arrays import Array, namespace, sigmoid
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.feedback import FeedbackDistribution, IndependentClicks, MultinomialClick
from driftrec.envs.random import Stream, keyed_normal, keyed_uniform
from driftrec.envs.user_model import ReturnGap, UserModel

SESSION_GAP = 0.5 / 24
"""Days without a request after which the next one opens a new session (30 minutes)."""

DAYS_PER_YEAR = 365.25


@dataclass(slots=True)
class Traits:
    """What stays with a user for life; the first axis of every array is the user.

    Attributes:
        key: seed of the user's own rare events.
        level: base logit of a click, intercept included.
        transient_rate: relaxation of the mood (column 0) and the whims, per day, `(users, 1 + topics)`.
        satiation_rate: per day.
        satiation_weight: logits lost per recent exposure to the topic.
        expectation: click probability that the user takes for granted.
        leave_bias: logit of leaving after a request, when content and rested.
        churn_bias: logit of never returning after a session, when content.
        return_days: median gap between sessions when content.
    """

    key: Array
    level: Array
    transient_rate: Array
    satiation_rate: Array
    satiation_weight: Array
    expectation: Array
    leave_bias: Array
    churn_bias: Array
    return_days: Array


@dataclass(slots=True)
class DriftingUserState:
    """Hidden state of a batch of users; the first axis of every array is the user.

    Attributes:
        traits: what does not change.
        session: number of the session, from 0.
        requests: requests so far in this session.
        core_age: days since the core was last moved.
        persona: number of the persona whose taste the user shares.
        core: lasting taste over item features, `(users, d)`.
        transient: mood (column 0) and whim by topic, in logits, `(users, 1 + topics)`.
        satiation: recent exposures by topic, `(users, topics)`.
        satisfaction: recent clicks above the user's own expectation, in [-1, 1].
        boredom: recent share of what was shown that the user was already sated with.
    """

    traits: Traits
    session: Array
    requests: Array
    core_age: Array
    persona: Array
    core: Array
    transient: Array
    satiation: Array
    satisfaction: Array
    boredom: Array

    @property
    def mood(self) -> Array:
        """Mood in logits, shared by all topics, `(users,)`."""
        return self.transient[:, 0]

    @property
    def whim(self) -> Array:
        """Passing taste by topic in logits, `(users, topics)`."""
        return self.transient[:, 1:]


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
        return_shape: tail exponent of the gaps.
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
    churn: float = 0.02
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
    churn_boredom: float = 0.5
    spread: float = 0.3

    def __post_init__(self) -> None:
        personas = np.array(self.personas, np.float32)
        if personas.ndim != 2 or not personas.size or not np.isfinite(personas).all():
            raise ValueError(f"personas must be finite, (personas, d), got shape {personas.shape}")
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

    # Who they are

    def sample(self, users: int, rng: np.random.Generator) -> DriftingUserState:
        """Draw users at the start of their first session, in the stationary law of every process."""
        persona = rng.integers(len(self.personas), size=users)
        individual = np.sqrt(1 - self.persona_share) * rng.standard_normal((users, self.dimension))
        transient = rng.standard_normal((users, 1 + self.topics)) * self._transient_sd
        traits = self._sample_traits(users, rng)
        zero = np.zeros(users, np.float32)
        return DriftingUserState(
            traits=traits,
            session=np.zeros(users, np.int64),
            requests=zero,
            core_age=zero.copy(),
            persona=persona,
            core=self.personas[persona] + individual.astype(np.float32),
            transient=transient.astype(np.float32),
            satiation=np.zeros((users, self.topics), np.float32),
            satisfaction=zero.copy(),
            boredom=zero.copy(),
        )

    def _sample_traits(self, users: int, rng: np.random.Generator) -> Traits:
        def around(value: float, spread: float = self.spread) -> np.ndarray:
            return (value * np.exp(spread * rng.standard_normal(users))).astype(np.float32)

        def normal(mean: float, sd: float) -> np.ndarray:
            return (mean + sd * rng.standard_normal(users)).astype(np.float32)

        level = normal(self.intercept, self.level_sd)
        rates = [around(24 / self.mood_hours)[:, None]]
        rates += [around(1440 / self.whim_minutes)[:, None]] * self.topics
        length = around(self.session_requests, self.session_spread)
        return Traits(
            key=rng.integers(2**62, size=users),
            level=level,
            transient_rate=np.concatenate(rates, axis=1),
            satiation_rate=around(24 / self.satiation_hours),
            satiation_weight=around(self.satiation),
            expectation=sigmoid(level + np.float32(self.expectation)),
            leave_bias=-np.log(np.maximum(length - 1, 1e-3)),
            churn_bias=normal(_logit(self.churn), self.churn_spread),
            return_days=around(self.return_days, self.return_spread),
        )

    @cached_property
    def _transient_sd(self) -> np.ndarray:
        return np.array([self.mood_sd] + [self.whim_sd] * self.topics, np.float32)

    # How they respond

    def respond(self, state: DriftingUserState, slate: Slate) -> FeedbackDistribution:
        """Clicks on a slate: independent, or at most one."""
        xp = namespace(state.core)
        logits = (
            (state.traits.level + state.transient[:, 0])[:, None]
            + slate.quality
            + self.taste_sd * xp.vecdot(slate.features, state.core[:, None, :])
            + xp.vecdot(slate.topics, self._topic_appeal(state)[:, None, :])
            - self.repeat_penalty * slate.repeats
        )
        if self.slot_bias:
            logits = logits + self._slots(logits)
        if self.choice == "multinomial":
            return MultinomialClick(logits)
        return IndependentClicks(sigmoid(logits))

    def click_probability(self, state: DriftingUserState, catalogue: Catalogue) -> Array:
        """Click probability of each item alone in the first slot, unseen, `(users, items)`."""
        logits = (
            (state.traits.level + state.transient[:, 0])[:, None]
            + catalogue.quality
            + self.taste_sd * (state.core @ catalogue.features.T)
            + self._topic_appeal(state) @ catalogue.topics.T
        )
        return sigmoid(logits)

    def _topic_appeal(self, state: DriftingUserState) -> Array:
        return state.transient[:, 1:] - state.traits.satiation_weight[:, None] * state.satiation

    def _slots(self, logits: Array) -> Array:
        xp = namespace(logits)
        slots = xp.arange(logits.shape[1], dtype=logits.dtype, device=logits.device)
        return self.slot_bias * slots[None, :]

    # What a request does

    def react(self, state: DriftingUserState, slate: Slate, feedback: Array) -> DriftingUserState:
        """Satiation, influence, satisfaction and boredom after a slate and its feedback."""
        xp = namespace(state.core)
        size = feedback.shape[1]
        exposure = slate.topics[:, 0] if size == 1 else xp.sum(slate.topics, axis=1)
        clicks = feedback[:, 0] if size == 1 else xp.mean(feedback, axis=1)
        sated = xp.vecdot(exposure, state.satiation) / size
        news = clicks - state.traits.expectation
        return DriftingUserState(
            traits=state.traits,
            session=state.session,
            requests=state.requests + 1,
            core_age=state.core_age,
            persona=state.persona,
            core=self._influenced(state.core, slate, feedback) if self.influence else state.core,
            transient=state.transient,
            satiation=state.satiation + exposure,
            satisfaction=state.satisfaction + self.memory * (news - state.satisfaction),
            boredom=state.boredom + self.memory * (sated - state.boredom),
        )

    def _influenced(self, core: Array, slate: Slate, feedback: Array) -> Array:
        """Move the core towards the taste that the clicked items would suit best.

        An item's taste direction is scaled to the core's own size sqrt(d) |x|, since features
        have norm about one and cores have norm about sqrt(d).
        """
        share = (self.influence * feedback)[:, :, None]
        moves = share * (self.dimension**0.5 * slate.features - core[:, None, :])
        return core + (moves[:, 0] if moves.shape[1] == 1 else moves.sum(1))

    # What time does

    def drift(self, state: DriftingUserState, elapsed: Array, rng: Stream) -> DriftingUserState:
        """Mood, whims, satiation and satisfaction relax; after a gap the core moves."""
        xp = namespace(state.core)
        kept = xp.exp(-elapsed[:, None] * state.traits.transient_rate)
        noise = rng.normal(*state.transient.shape)
        sd = self._transient_sd if xp is np else xp.asarray(self._transient_sd, device=noise.device)
        forgotten = xp.exp(elapsed * (-1 / self.memory_days))
        satiation_kept = xp.exp(-elapsed * state.traits.satiation_rate)
        new = DriftingUserState(
            traits=state.traits,
            session=state.session,
            requests=state.requests,
            core_age=state.core_age + elapsed,
            persona=state.persona,
            core=state.core,
            transient=kept * state.transient + sd * xp.sqrt(1 - kept * kept) * noise,
            satiation=satiation_kept[:, None] * state.satiation,
            satisfaction=forgotten * state.satisfaction,
            boredom=forgotten * state.boredom,
        )
        opened = elapsed > SESSION_GAP
        return self._open_session(new, opened) if xp.count_nonzero(opened) else new

    def _open_session(self, state: DriftingUserState, opened: Array) -> DriftingUserState:
        """A new session for some users: requests count from 0 and the core has moved."""
        xp = namespace(state.core)
        rows = xp.nonzero(opened)[0]
        session = state.session + xp.astype(opened, state.session.dtype)
        persona, core = self._moved_core(state, rows, session)
        zero = xp.zeros_like(state.requests)
        return DriftingUserState(
            traits=state.traits,
            session=session,
            requests=xp.where(opened, zero, state.requests),
            core_age=xp.where(opened, zero, state.core_age),
            persona=persona,
            core=core,
            transient=state.transient,
            satiation=state.satiation,
            satisfaction=state.satisfaction,
            boredom=state.boredom,
        )

    def _moved_core(
        self, state: DriftingUserState, rows: Array, session: Array
    ) -> tuple[Array, Array]:
        """Persona and core after their drift since they last moved, for `rows` only."""
        xp = namespace(state.core)
        device = state.core.device
        personas = xp.asarray(np.array(self.personas), device=device)
        years = state.core_age[rows] / DAYS_PER_YEAR
        keys = _as_numpy(state.traits.key[rows]) + _as_numpy(session[rows]) * 7919
        noise = xp.asarray(keyed_normal(keys, self.dimension), device=device)
        chance = xp.asarray(keyed_uniform(keys + 1, 2).astype(np.float32), device=device)
        kept = self.retained_per_year**years
        before = state.persona[rows]
        event = chance[:, 0] < 1 - xp.exp(-self.life_events_per_year * years)
        other = xp.astype(chance[:, 1] * personas.shape[0], before.dtype)
        after = xp.where(event, other, before)
        individual = state.core[rows] - personas[before]
        fresh = xp.sqrt((1 - self.persona_share) * (1 - kept * kept))
        moved = personas[after] + kept[:, None] * individual + fresh[:, None] * noise
        persona, core = xp.asarray(state.persona, copy=True), xp.asarray(state.core, copy=True)
        persona[rows], core[rows] = after, moved
        return persona, core

    # Whether they stay

    def leave(self, state: DriftingUserState) -> Array:
        """Probability of ending the session: rises with fatigue and boredom, falls with content."""
        return sigmoid(
            state.traits.leave_bias
            + self.leave_fatigue * state.requests
            + self.leave_boredom * state.boredom
            - self.leave_satisfaction * state.satisfaction
        )

    def return_after(self, state: DriftingUserState) -> ReturnGap:
        """Gap until the next session: longer, or for ever, after a session that let the user down."""
        never = sigmoid(
            state.traits.churn_bias
            + self.churn_boredom * state.boredom
            - self.churn_satisfaction * state.satisfaction
        )
        return ReturnGap(never, state.traits.return_days, self.return_shape)


def default_personas(count: int, dimension: int, seed: int = 0, share: float = 0.5) -> np.ndarray:
    """Persona tastes N(0, share I), centred over personas, `(personas, d)`."""
    rng = np.random.default_rng([seed, count, dimension])
    personas = np.sqrt(share) * rng.standard_normal((count, dimension))
    return (personas - personas.mean(0)).astype(np.float32)


def _check_range(name: str, value: Any) -> None:
    free = ("intercept", "expectation", "slot_bias")
    shares = ("persona_share", "retained_per_year", "influence", "churn", "memory")
    positive = ("mood_hours", "whim_minutes", "satiation_hours", "return_days", "return_shape",
                "memory_days")  # fmt: skip
    if np.isnan(value):
        raise ValueError(f"{name} must be a number, got NaN")
    if name in shares and not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in [0, 1], got {value}")
    if name in positive and value <= 0:
        raise ValueError(f"{name} must be positive, got {value}")
    if name == "session_requests" and value < 1:
        raise ValueError(f"session_requests must be at least 1, got {value}")
    if name == "slot_bias" and value > 0:
        raise ValueError(f"slot_bias must be 0 or negative, got {value}")
    if name not in free and value < 0:
        raise ValueError(f"{name} must not be negative, got {value}")


def _logit(probability: float) -> float:
    with np.errstate(divide="ignore"):
        return float(np.log(probability) - np.log1p(-np.float64(probability)))


def _as_numpy(array: Array) -> np.ndarray:
    return array if type(array) is np.ndarray else np.asarray(array.cpu())
