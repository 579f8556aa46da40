"""Arms that satiate and recover: rebounding bandits, and recovering bandits.

Rebounding: Leqi, Kılınç-Karzan, Lipton and Montgomery (2021), "Rebounding Bandits for Modeling
Satiation Effects". Arm k pays b_k - λ_k s_{k,t} at request t, where its satiation is

    s_{k,t} = γ_k (s_{k,t-1} + u_{k,t-1}) + z_{k,t-1},

with u = 1 in the requests that show it, else 0, and z Gaussian. Until an arm is first shown its
satiation is 0, without noise. The paper proves that the greedy policy, which takes turns, is best
where all arms are alike and there is no noise; elsewhere one has to plan.

Recovering: Pike-Burke and Grünewälder (2019), "Recovering Bandits", with the logistic curves of
the authors' experiments. Arm k pays N(m, sd²) with

    m = θ_0 / (1 + exp(-θ_1 (z - θ_2))),

where z counts the requests since it was last shown: 0 in the next one, and `longest` at most. Ten
arms, sd = .1, longest = 30, and the laws of θ are those of the authors' program, as is z = 0 at
the start.

Ours are the laws from which b, λ and γ are drawn, the size of the noise, the number of requests,
and that several items may be shown at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from driftrec.envs.arrays import Array, as_float32, like, namespace, sigmoid
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.env import RecommendationEnv
from driftrec.envs.feedback import FeedbackDistribution, GaussianFeedback
from driftrec.envs.meta_tasks import check_counts, check_noise, one_hot_catalogue, task_population
from driftrec.envs.population import Population
from driftrec.envs.published.tasks import check_task
from driftrec.envs.random import Stream
from driftrec.envs.user_model import UserModel
from driftrec.envs.vector import RecommendationVectorEnv

Range = tuple[float, float]
"""The lowest and the highest value of what is drawn uniformly; equal for a constant."""

ROUNDING = 1e-5
"""By which feedback may differ from what is certain."""

_EVERYTHING = (-float("inf"), float("inf"))


@dataclass(frozen=True)
class CertainFeedback:
    """Feedback that is known beforehand.

    Attributes:
        mean: the feedback on each slot, `(users, slate)`.
    """

    mean: Array

    def draw(self, rng: Stream) -> Array:
        """What is certain, `(users, slate)`; nothing is drawn."""
        return self.mean

    def log_likelihood(self, feedback: Array) -> Array:
        """Log-probability, `(users,)`: 0 for what is certain, minus infinity for all else."""
        xp = namespace(self.mean)
        away = xp.max(abs(feedback - self.mean), axis=-1)
        return xp.where(away <= ROUNDING, 0 * away, xp.full_like(away, -float("inf")))


@dataclass
class Satiation:
    """Hidden state of users of rebounding arms; all float32 `(users, arms)`.

    Attributes:
        base: b, what an arm pays where it does not satiate.
        weight: λ, of satiation.
        retention: γ, of satiation from one request to the next.
        level: s, satiation now.
        known: 1 where an arm was shown before, else 0.
    """

    base: Array
    weight: Array
    retention: Array
    level: Array
    known: Array


@dataclass(frozen=True, eq=False)
class Rebounding(UserModel):
    """A user who tires of what is shown, and comes to like it again while it is not.

    Users differ in what each arm pays at first, in how much satiation counts, and in how long it
    lasts: b, λ and γ are uniform on the given ranges, for each arm of each user.

    Attributes:
        arms: number of items.
        base: range of b.
        weight: range of λ.
        retention: range of γ.
        satiation_sd: standard deviation of z; 0 for satiation without noise.
        sd: standard deviation of feedback around what the arm pays. It is 0 in the paper, so that
            a reward tells the satiation of its arm exactly; a particle filter needs some.

    Raises:
        ValueError: if a parameter is out of range.
    """

    verified: ClassVar[bool] = True
    feedback_range: ClassVar[tuple[float, float]] = _EVERYTHING

    arms: int = 5
    base: Range = (0.0, 1.0)
    weight: Range = (0.0, 1.0)
    retention: Range = (0.0, 0.9)
    satiation_sd: float = 0.1
    sd: float = 0.0

    def __post_init__(self) -> None:
        check_counts(arms=self.arms)
        _check_ranges(self, base=math.inf, weight=math.inf, retention=1.0)
        for name in ("satiation_sd", "sd"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be finite, 0 or more, got {getattr(self, name)}")

    def sample(self, users: int, rng: np.random.Generator) -> Satiation:
        """Users who have been shown nothing yet."""
        shape = (users, self.arms)
        base, weight, retention = (
            _uniform(rng, limits, shape) for limits in (self.base, self.weight, self.retention)
        )
        level, known = np.zeros((2, *shape), np.float32)
        return Satiation(base, weight, retention, level.copy(), known.copy())

    def respond(self, state: Satiation, slate: Slate) -> FeedbackDistribution:
        """What the arms pay at their satiation."""
        xp = namespace(state.level)
        paid = xp.take_along_axis(_paid(state), slate.items, axis=1)
        return GaussianFeedback(paid, self.sd) if self.sd else CertainFeedback(paid)

    def react(self, state: Satiation, slate: Slate, feedback: Array) -> Satiation:
        """What is shown satiates; a share of all satiation is kept."""
        shown = as_float32(_shown(state.level, slate))
        return replace(
            state,
            level=state.retention * (state.level + shown),
            known=namespace(shown).maximum(state.known, shown),
        )

    def drift(self, state: Satiation, elapsed: Array, rng: Stream) -> Satiation:
        """Noise on the satiation of arms that were shown before, the same for any time."""
        if not self.satiation_sd:
            return state
        noise = self.satiation_sd * rng.normal(*state.level.shape)
        return replace(state, level=state.level + state.known * noise)

    def click_probability(self, state: Satiation, catalogue: Catalogue) -> Array:
        """What each arm pays now, `(users, arms)`."""
        return _paid(state)

    def default_catalogue(self) -> Catalogue:
        """Arms that differ in nothing but their number, one-hot."""
        return one_hot_catalogue(self.arms)


@dataclass
class Recovery:
    """Hidden state of users of recovering arms.

    Attributes:
        top: θ_0, what an arm pays in the end, float32 `(users, arms)`.
        rate: θ_1, of recovery, float32 `(users, arms)`.
        turn: θ_2, requests until it pays half of it, float32 `(users, arms)`.
        waited: z, requests since it was shown, int64 `(users, arms)`.
    """

    top: Array
    rate: Array
    turn: Array
    waited: Array


@dataclass(frozen=True, eq=False)
class Recovering(UserModel):
    """A user to whom an item is worth the more, the longer it was not shown.

    Users differ in the curve of each arm: θ_0, θ_1 and θ_2 are uniform on the given ranges, for
    each arm of each user.

    Attributes:
        arms: number of items.
        top: range of θ_0.
        rate: range of θ_1.
        turn: range of θ_2.
        longest: requests after which an arm recovers no further.
        sd: standard deviation of what an arm pays.

    Raises:
        ValueError: if a parameter is out of range.
    """

    verified: ClassVar[bool] = True
    feedback_range: ClassVar[tuple[float, float]] = _EVERYTHING

    arms: int = 10
    top: Range = (0.1, 1.0)
    rate: Range = (0.1, 1.0)
    turn: Range = (0.1, 30.0)
    longest: int = 30
    sd: float = 0.1

    def __post_init__(self) -> None:
        check_counts(arms=self.arms, longest=self.longest)
        check_noise(self.sd)
        _check_ranges(self, top=math.inf, rate=math.inf, turn=math.inf)

    def sample(self, users: int, rng: np.random.Generator) -> Recovery:
        """Users who have just been shown everything."""
        shape = (users, self.arms)
        top, rate, turn = (
            _uniform(rng, limits, shape) for limits in (self.top, self.rate, self.turn)
        )
        return Recovery(top, rate, turn, np.zeros(shape, np.int64))

    def respond(self, state: Recovery, slate: Slate) -> GaussianFeedback:
        """Around what the arms pay after so long."""
        paid = self._paid(state)
        return GaussianFeedback(namespace(paid).take_along_axis(paid, slate.items, axis=1), self.sd)

    def react(self, state: Recovery, slate: Slate, feedback: Array) -> Recovery:
        """What is shown begins anew, all else recovers."""
        xp = namespace(state.waited)
        waited = xp.clip(state.waited + 1, max=self.longest)
        begun = xp.zeros_like(waited)
        return replace(state, waited=xp.where(_shown(state.top, slate), begun, waited))

    def click_probability(self, state: Recovery, catalogue: Catalogue) -> Array:
        """What each arm pays now on average, `(users, arms)`."""
        return self._paid(state)

    def default_catalogue(self) -> Catalogue:
        """Arms that differ in nothing but their number, one-hot."""
        return one_hot_catalogue(self.arms)

    def _paid(self, state: Recovery) -> Array:
        return state.top * sigmoid(state.rate * (as_float32(state.waited) - state.turn))


def _paid(state: Satiation) -> Array:
    return state.base - state.weight * state.level


def _shown(arms: Array, slate: Slate) -> Array:
    """Which arms a slate shows, booleans `(users, arms)`, like an array of that shape."""
    numbers = like(arms, np.arange(arms.shape[1]))
    return namespace(arms).any(slate.items[:, :, None] == numbers, axis=1)


def _uniform(rng: np.random.Generator, limits: Range, shape: tuple[int, int]) -> np.ndarray:
    return rng.uniform(*limits, shape).astype(np.float32)


def _check_ranges(model: UserModel, **below: float) -> None:
    """Refuse ranges that are none, or do not lie between 0 and a number, that one left out."""
    for name, high in below.items():
        least, most = getattr(model, name)
        if not 0 <= least <= most < high:
            raise ValueError(
                f"{name} must be (lowest, highest) within [0, {high:g}), got {(least, most)}"
            )


TASKS: dict[str, dict[str, Any]] = {
    "Rebounding": {},
    "Rebounding-Deterministic": {"satiation_sd": 0.0},
    "Recovering": {},
}
"""Parameters of the tasks, by name, where they are not the defaults."""


def rebounding_population(task: str = "Rebounding", **parameters: Any) -> Population:
    """Users of one kind, in all splits alike.

    Args:
        task: a name of `TASKS`.
        parameters: of `Rebounding`, or of `Recovering` in the task of that name, in place of the
            task's.

    Raises:
        ValueError: if there is no such task, or a parameter is out of range.
    """
    check_task(task, TASKS)
    settings = TASKS[task] | parameters
    recovers = task == "Recovering"
    model = Recovering(**settings) if recovers else Rebounding(**settings)
    return task_population(f"rebounding.{task}", model, 200 if recovers else 100)


class ReboundingEnv(RecommendationEnv):
    """A bandit whose arms pay less when they are shown, and more again when they are not.

    See `Rebounding` and `Recovering` for the user. To show what pays most now is not best: an arm
    that is left alone now pays more later.

    ========================  ====  ========  ===============  ================================
    task                      arms  requests  noise            what an arm pays
    ========================  ====  ========  ===============  ================================
    Rebounding                5     100       on satiation     falls with each time it is shown
    Rebounding-Deterministic  5     100       none             likewise
    Recovering                10    200       on what it pays  rises with the time since then
    ========================  ====  ========  ===============  ================================

    Action space:
        `Discrete(arms)`: the item to show.

    Observation space:
        `Dict`, float32, a function of public history alone:

        ==============  =============  =====================================================
        key             shape          meaning
        ==============  =============  =====================================================
        `slate`         (1, arms + 2)  the last item one-hot, one topic, no quality
        `feedback`      (1,)           what it paid, any real number
        `new_user`      (1,)           1 in the first observation of a trial
        `new_session`   (1,)           likewise
        `log_elapsed`   (1,)           log(1 + seconds since the last request): log 31
        `position`      (1,)           requests so far
        ==============  =============  =====================================================

    Rewards:
        What the item paid, any real number.

    Starting state:
        A new user of the split. In `Rebounding` nothing was shown yet; in `Recovering` everything
        has just been.

    Episode end:
        Truncated after the requests of the task; never terminated.

    Arguments:
        `task` (by the id), `split`, `reward`, `parameters` (those of the user), `render_mode`;
        the vector environment takes `num_envs` and the options of `RecommendationVectorEnv`.

    Version history:
        v0: first release.
    """

    def __init__(self, task: str = "Rebounding", **options: Any) -> None:
        super().__init__(partial(rebounding_population, task), **options)


class ReboundingVectorEnv(RecommendationVectorEnv):
    """`ReboundingEnv` for many users at once, stepped by the batch engine."""

    def __init__(self, num_envs: int = 1, *, task: str = "Rebounding", **options: Any) -> None:
        super().__init__(partial(rebounding_population, task), num_envs, **options)
