"""KuaiSim: viewers of short videos, who leave when they like little and are back some days later.

Zhao et al. (2023), "KuaiSim: A Comprehensive Simulator for Recommender Systems". Patience, leaving
and returning are those of the authors' program, with the settings of its training scripts.

Its clicks come from a network trained on the logs of KuaiRand, which cannot be had. A stand-in of
the same form, logistic in the inner product of user and item, takes its place here, with parameters
of the size that the viewers in these logs have (in logits: users' levels .65, items' appeal .7,
personal taste .7; 44% of random items clicked). So rewards are not comparable with published ones.
What follows from them is. Published, of the whole-session task, with the depth that the rule of
patience gives where every item is clicked with the chance of the average reward:

=========  ==============  =====  =====================
algorithm  average reward  depth  depth by the rule
=========  ==============  =====  =====================
A2C        .5950           14.02  14.09
TD3        .6476           14.63  14.62
DDPG       .6841           14.89  15.01
HAC        .6895           14.98  15.07
=========  ==============  =====  =====================

Published return times (3.48 to 3.57 days) depend on how the weights of an untrained layer, which
give each user a bias, happened to be drawn; nothing here is fitted to them.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from driftrec.envs.arrays import Array, as_float32, namespace, row_dot, rows_of, sigmoid
from driftrec.envs.catalogue import Catalogue, Slate, synthetic_catalogue
from driftrec.envs.env import RecommendationEnv
from driftrec.envs.feedback import IndependentClicks
from driftrec.envs.meta_tasks import check_counts
from driftrec.envs.population import Population
from driftrec.envs.published.tasks import check_task, seeded_population
from driftrec.envs.random import Stream
from driftrec.envs.user_model import ReturnGap, UserModel
from driftrec.envs.vector import RecommendationVectorEnv

DIMENSION = 10
"""Numbers of a taste."""

FALL = 2.0
"""How far patience falls in a request of which nothing is liked."""

SLACK = 1e-4
"""Float32 rounding of patience, less than any difference that clicks can make."""

LEAST, MOST = 0.001, 0.999
"""Limits of the daily chance of a return."""


@dataclass(frozen=True)
class ReturnDay(ReturnGap):
    """Whole days until the next session: geometric, cut off after `longest` of them.

    The chance of k + 1 days is proportional to P (1 - P)^k.

    Attributes:
        chance: P, `(users,)`.
        longest: days after which everyone is back.
    """

    chance: Array = None
    longest: int = 10

    @classmethod
    def of(cls, chance: Array, longest: int) -> ReturnDay:
        """The law of users who all return."""
        never = 0 * chance
        return cls(never, _day(chance, never + 0.5, longest), chance=chance, longest=longest)

    def rows(self, index: Array) -> ReturnDay:
        """The law of the users at rows `index`."""
        return ReturnDay.of(rows_of(self.chance, index), self.longest)

    def draw(self, uniform: Array) -> Array:
        """Days until the next session, by inversion.

        Args:
            uniform: draws on [0, 1), `(users,)`.
        """
        return _day(self.chance, uniform, self.longest)

    def survival(self, days: float) -> Array:
        """Probability of still being away after `days`, `(users,)`."""
        xp = namespace(self.chance)
        past = min(max(math.floor(days), 0), self.longest)
        stay = xp.log1p(-self.chance)
        return 1 - xp.expm1(past * stay) / xp.expm1(self.longest * stay)


def _day(chance: Array, uniform: Array, longest: int) -> Array:
    """The first day by the end of which a share of more than `uniform` is back, `(users,)`."""
    xp = namespace(chance)
    stay = xp.log1p(-chance)
    within = uniform * xp.expm1(longest * stay)
    return xp.clip(1 + xp.floor(xp.log1p(within) / stay), 1, longest)


@dataclass
class Viewer:
    """Hidden state of users.

    Attributes:
        taste: `(users, DIMENSION)`.
        level: base logit of a click, `(users,)`.
        patience: left in this session, `(users,)`.
    """

    taste: Array
    level: Array
    patience: Array


@dataclass
class ReturningViewer(Viewer):
    """Hidden state of users who return.

    Attributes:
        habit: what a user's own daily chance of a return has above that of all, `(users,)`.
        liked: share of the last slate that was clicked, `(users,)`.
    """

    habit: Array
    liked: Array


@dataclass(frozen=True, eq=False)
class KuaiSimUser(UserModel):
    """A viewer of KuaiSim, but for what makes patience fall and what comes after leaving.

    Item j is clicked with probability σ(level_i + quality_j + ⟨taste_i, x_j⟩) - correlation · s_j,
    cut to [0, 1], independently of the others. s_j is the mean over the items k of the slate, j
    included, of the mean product of the numbers of x_j and x_k, both of norm 1: the mean and not
    the sum, as in the program, so that s_j is 1 / DIMENSION at most. A user leaves once patience is
    below 1.

    The program takes the logistic function twice, when its network learns and when it is asked in
    the whole-session task (`response="shipped"`): all chances lie between .5 and .73 then. A
    network that is trained can make up for some of that, a stand-in cannot: the default is to take
    it once (`"logistic"`). Clicks are the only feedback, as in the program's script for the
    whole-session task. Items have no memory of having been shown.

    Users differ in taste and level.

    Attributes:
        items: in the catalogue.
        intercept: mean level.
        level_sd: standard deviation of levels.
        taste_sd: of the logits that taste gives to items.
        quality_sd: of the items' quality.
        correlation: weight of the likeness to the rest of the slate.
        response: "logistic" or "shipped".
        patience: at the beginning of a session.
        seed: of the catalogue.

    Raises:
        ValueError: if a parameter is out of range.
    """

    verified: ClassVar[bool] = True
    sessions: ClassVar[int] = 1

    items: int = 1000
    intercept: float = -0.25
    level_sd: float = 0.65
    taste_sd: float = 0.7
    quality_sd: float = 0.7
    correlation: float = 0.2
    response: str = "logistic"
    patience: float = 20.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_counts(items=self.items)
        if self.response not in ("logistic", "shipped"):
            raise ValueError(f"response must be logistic or shipped, got {self.response!r}")
        for name in ("level_sd", "taste_sd", "quality_sd", "correlation"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if not 1 <= self.patience < math.inf:
            raise ValueError(f"patience must be 1 or more, got {self.patience}")

    @property
    def longest_session(self) -> int:
        """Requests in which patience falls below 1 even if it falls by 1 in each."""
        return math.floor(self.patience)

    def default_catalogue(self) -> Catalogue:
        """Items with Gaussian features and quality, and one of eight topics each."""
        return self._catalogue

    @cached_property
    def _catalogue(self) -> Catalogue:
        rng = np.random.default_rng([self.seed, self.items])
        return synthetic_catalogue(self.items, rng, dimension=DIMENSION, quality_sd=self.quality_sd)

    def sample(self, users: int, rng: np.random.Generator) -> Viewer:
        """Normal tastes and levels, and all patience."""
        taste = self.taste_sd * rng.standard_normal((users, DIMENSION), dtype=np.float32)
        level = self.intercept + self.level_sd * rng.standard_normal(users, dtype=np.float32)
        return Viewer(taste, level, np.full(users, self.patience, np.float32))

    def respond(self, state: Viewer, slate: Slate) -> IndependentClicks:
        """Clicks on each item, independently."""
        logits = state.level[:, None] + slate.quality
        logits = logits + row_dot(slate.features, state.taste[:, None])
        return IndependentClicks(self._probability(logits, _likeness(slate.features)))

    def click_probability(self, state: Viewer, catalogue: Catalogue) -> Array:
        """Of each item shown alone, `(users, items)`."""
        logits = state.level[:, None] + catalogue.quality + state.taste @ catalogue.features.T
        return self._probability(logits, 1 / catalogue.dimension)

    def react(self, state: Any, slate: Slate, feedback: Array) -> Any:
        """Patience falls."""
        liked = namespace(feedback).mean(feedback, axis=1)
        return replace(state, patience=state.patience - self._fall(liked))

    def leave(self, state: Viewer) -> Array:
        """1 where patience is below 1."""
        return as_float32(state.patience < 1 - SLACK)

    def drift(self, state: Viewer, elapsed: Array, rng: Stream) -> Viewer:
        """Whoever has left is back with all patience."""
        kept = 1 - self.leave(state)
        return replace(state, patience=kept * state.patience + (1 - kept) * self.patience)

    @abstractmethod
    def _fall(self, liked: Array) -> Array:
        """How far patience falls in a request of which a share was clicked, `(users,)`."""

    def _probability(self, logits: Array, likeness: Array | float) -> Array:
        chance = sigmoid(logits)
        if self.response == "shipped":
            chance = sigmoid(chance)
        return namespace(logits).clip(chance - self.correlation * likeness, 0, 1)


@dataclass(frozen=True, eq=False)
class WholeSession(KuaiSimUser):
    """A viewer of one session, whom little that is liked drives away.

    Patience falls by 2 less the share of the slate that was clicked: between 1 and 2. Who has left
    does not return. See `KuaiSimUser` for clicks, parameters and what differs between users.
    """

    def return_after(self, state: Viewer) -> ReturnGap:
        """Never."""
        always = 1 + 0 * state.patience
        return ReturnGap(never=always, median=always)

    def _fall(self, liked: Array) -> Array:
        return namespace(liked).clip(FALL - liked, 0, FALL)


@dataclass(frozen=True, eq=False)
class CrossSession(KuaiSimUser):
    """A viewer of sessions of equal length, who returns sooner for what was liked last.

    Patience falls by 1 a request, whatever is shown. The user returns after k + 1 days, k = 0 to
    `longest` - 1, with a probability proportional to P (1 - P)^k, where P = `return_base` + habit +
    `return_influence` · (share of the session's last slate that was clicked), cut to [.001, .999].

    In the program the share is a sum over seven signs of liking, each weighted by its odds in the
    logs, in which clicks and long views count most. Here it is that of clicks. The
    program's habit comes from a linear layer of random weights over the user's history: a normal
    one, drawn once, stands for it. Items that are like each other take nothing away from each other
    in this task, as in the program. See `KuaiSimUser` for the clicks and the other parameters.

    Users differ in taste, level and habit.

    Attributes:
        return_base: daily chance of a return, when nothing is liked.
        return_influence: what is added to it if all is liked.
        return_sd: standard deviation of habits.
        longest: days after which everyone is back.
    """

    sessions: ClassVar[int] = 6

    correlation: float = 0.0
    patience: float = 5.0
    return_base: float = 0.4
    return_influence: float = 0.1
    return_sd: float = 0.2
    longest: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(longest=self.longest)
        if not 0 < self.return_base <= 1:
            raise ValueError(f"return_base must lie in (0, 1], got {self.return_base}")
        if not self.return_sd >= 0:
            raise ValueError(f"return_sd must not be negative, got {self.return_sd}")

    def sample(self, users: int, rng: np.random.Generator) -> ReturningViewer:
        """As other viewers, with normal habits."""
        viewer = super().sample(users, rng)
        habit = self.return_sd * rng.standard_normal(users, dtype=np.float32)
        nothing = np.zeros(users, np.float32)
        return ReturningViewer(viewer.taste, viewer.level, viewer.patience, habit, nothing)

    def react(self, state: ReturningViewer, slate: Slate, feedback: Array) -> ReturningViewer:
        """Patience falls; the share that was clicked is kept in mind."""
        liked = namespace(feedback).mean(feedback, axis=1)
        return replace(state, patience=state.patience - self._fall(liked), liked=liked)

    def return_after(self, state: ReturningViewer) -> ReturnDay:
        """Sooner for who liked more of the last slate."""
        chance = self.return_base + state.habit + self.return_influence * state.liked
        return ReturnDay.of(namespace(chance).clip(chance, LEAST, MOST), self.longest)

    def _fall(self, liked: Array) -> Array:
        return 1 + 0 * liked


def _likeness(features: Array) -> Array:
    """Of each item to the slate, `(users, slate)`."""
    xp = namespace(features)
    unit = features / xp.sum(features * features, axis=-1, keepdims=True) ** 0.5
    return row_dot(unit, xp.mean(unit, axis=1, keepdims=True)) / features.shape[-1]


TASKS: dict[str, type[KuaiSimUser]] = {"WholeSession": WholeSession, "CrossSession": CrossSession}
"""The users of the published tasks, by name."""


def kuaisim_population(task: str = "WholeSession", **parameters: Any) -> Population:
    """The users and items of a published task: slates of six items.

    Users of `ood-items` are shown another catalogue of the same kind.

    Args:
        task: a name of `TASKS`.
        parameters: of its users, in place of the published ones.

    Raises:
        ValueError: if there is no such task, or a parameter is out of range.
    """
    check_task(task, TASKS)
    model = TASKS[task](**parameters)
    return seeded_population(
        f"kuaisim.{task}",
        model,
        slate=6,
        max_requests=model.longest_session * model.sessions,
        repeats=True,
    )


class KuaiSimEnv(RecommendationEnv):
    """A task of KuaiSim: slates of 6 short videos out of 1000 (the original has 4765).

    `WholeSession`: the user has a patience of 20, which falls by 2 less the share of the slate that
    was clicked, and leaves below 1: after 10 to 20 requests. `CrossSession`: six sessions of five
    requests; the more of the last slate of a session is clicked, the sooner the user is back, one
    to ten days later. See `WholeSession` and `CrossSession` of this module for the users, and the
    module for what stands for the network that decides on clicks in the original.

    Action space:
        `SlateSpace(1000, 6)`: the items to show. A slate with an item twice is an error. (In the
        original's cross-session task an action weighs the predictions of seven kinds of feedback,
        by which items are then ranked.)

    Observation space:
        `Dict`, float32, a function of public history alone:

        ==============  =======  ===========================================================
        key             shape    meaning
        ==============  =======  ===========================================================
        `slate`         (6, 19)  the last items: 10 features, topic one-hot of 8, quality
        `feedback`      (6,)     clicks on them
        `new_user`      (1,)     1 in the first observation of a trial
        `new_session`   (1,)     1 in the first observation of a session
        `log_elapsed`   (1,)     log(1 + seconds since the last request)
        `position`      (1,)     requests so far in this session
        ==============  =======  ===========================================================

    Rewards:
        Clicks in the slate (the original: their share of the slate in `WholeSession`, minus a tenth
        of the days until the return in `CrossSession`).

    Starting state:
        A new user of the split.

    Episode end:
        `WholeSession`: terminated when the user leaves. `CrossSession`: truncated after 30
        requests; every user returns.

    Arguments:
        `task` (by the id), `response` ("logistic", or "shipped"), `split`, `reward`, `parameters`,
        `render_mode`; the vector environment takes `num_envs` and the options of
        `RecommendationVectorEnv`.

    Version history:
        v0: first release.
    """

    def __init__(
        self, task: str = "WholeSession", response: str = "logistic", **options: Any
    ) -> None:
        super().__init__(partial(kuaisim_population, task, response=response), **options)


class KuaiSimVectorEnv(RecommendationVectorEnv):
    """`KuaiSimEnv` for many users at once, stepped by the batch engine."""

    def __init__(
        self,
        num_envs: int = 1,
        *,
        task: str = "WholeSession",
        response: str = "logistic",
        **options: Any,
    ) -> None:
        super().__init__(partial(kuaisim_population, task, response=response), num_envs, **options)
