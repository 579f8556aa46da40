"""Departing bandits: users who leave for good when they are shown what they do not like.

Ben-Porat, Cohen, Leqi, Lipton and Mansour (2022), "Modeling Attrition in Recommender Systems with
Departing Bandits". A user of type x clicks on category a with probability P[a, x]; without a click
the user departs with probability L[a, x], never to return. The type is hidden, drawn from a known
prior. The reward is the number of clicks until departure.

A category that is shown to a type for ever is lost with probability (1 - P) L at each request, and
brings P / ((1 - P) L) clicks: each of the requests, of which there are 1 / ((1 - P) L) on average,
brings P. That is what is best for a type that is known, and often not what is clicked most now.

The matrices of the tasks are ours, chosen so that short sight costs:

==========  =====  ==========  ==========  ====================================================
task        types  categories  departures  clicks
==========  =====  ==========  ==========  ====================================================
SingleType  1      3           .1, .2, .5  .5, .6, .7: worth 10, 7.5 and 4.67 if shown for ever
TwoTypes    2      2           1           (.95, .1) and (.9, .6); prior (.1, .9)
ManyTypes   10     10          .25         uniform on [.05, .9], drawn once; prior uniform
==========  =====  ==========  ==========  ====================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from driftrec.envs.arrays import Array, like, namespace
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.env import RecommendationEnv
from driftrec.envs.feedback import IndependentClicks
from driftrec.envs.meta_tasks import one_hot_catalogue, task_population
from driftrec.envs.population import Population
from driftrec.envs.published.tasks import check_task
from driftrec.envs.user_model import ReturnGap, UserModel
from driftrec.envs.vector import RecommendationVectorEnv

Matrix = tuple[tuple[float, ...], ...]
"""A number for each category, a row, and each type, a column."""

REQUESTS = 200
"""After which a trial is truncated. The paper has no limit; nearly all users depart before this."""


@dataclass
class TypedUser:
    """Hidden state of users.

    Attributes:
        kind: number of the type, int64 `(users,)`.
        leaving: probability of departing now, float32 `(users,)`.
    """

    kind: Array
    leaving: Array


@dataclass(frozen=True, eq=False)
class Attrition(UserModel):
    """A user of one of several types, whom every recommendation without a click may drive away.

    Users differ in their type alone, which says how likely they click on each category, and how
    likely they depart if they do not. Where several categories are shown at once, which is ours,
    they are clicked, and drive away, independently.

    Attributes:
        clicks: P, a row for each category, a column for each type.
        departures: L, likewise.
        prior: probability of each type.

    Raises:
        ValueError: if shapes disagree or a parameter is out of range.
    """

    verified: ClassVar[bool] = True

    clicks: Matrix = ((0.5,), (0.6,), (0.7,))
    departures: Matrix = ((0.1,), (0.2,), (0.5,))
    prior: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        shape = (len(self.clicks), len(self.prior))
        for name in ("clicks", "departures"):
            rows = getattr(self, name)
            if 0 in shape or len(rows) != shape[0] or {len(row) for row in rows} != {shape[1]}:
                raise ValueError(
                    f"{name} must have a row for each of {shape[0]} categories and a column for "
                    f"each of {shape[1]} types, at least one, got {rows}"
                )
        if not (self._clicks.min() >= 0 and self._clicks.max() < 1):
            raise ValueError(f"clicks must lie in [0, 1), got {self.clicks}")
        if not (self._departures.min() > 0 and self._departures.max() <= 1):
            raise ValueError(f"departures must lie in (0, 1], got {self.departures}")
        if min(self.prior) < 0 or not math.isclose(sum(self.prior), 1, abs_tol=1e-6):
            raise ValueError(f"prior must be non-negative and sum to one, got {self.prior}")

    @cached_property
    def _clicks(self) -> np.ndarray:
        """For each type, `(types, categories)`."""
        return np.array(self.clicks, np.float32).T

    @cached_property
    def _departures(self) -> np.ndarray:
        """For each type, `(types, categories)`."""
        return np.array(self.departures, np.float32).T

    @cached_property
    def values(self) -> np.ndarray:
        """Clicks that each category brings if it is shown for ever, `(types, categories)`."""
        worth: np.ndarray = self._clicks / ((1 - self._clicks) * self._departures)
        return worth

    def sample(self, users: int, rng: np.random.Generator) -> TypedUser:
        """Users of types that are drawn from the prior."""
        reach = np.cumsum(self.prior)[:-1]
        kind = np.searchsorted(reach, rng.random(users), side="right")
        return TypedUser(kind.astype(np.int64), np.zeros(users, np.float32))

    def respond(self, state: TypedUser, slate: Slate) -> IndependentClicks:
        """Clicks by the type of the user."""
        return IndependentClicks(_of_slate(self._clicks, state, slate))

    def react(self, state: TypedUser, slate: Slate, feedback: Array) -> TypedUser:
        """Whatever is not clicked may drive the user away."""
        xp = namespace(feedback)
        stays = 1 - (1 - feedback) * _of_slate(self._departures, state, slate)
        return replace(state, leaving=1 - xp.prod(stays, axis=1))

    def leave(self, state: TypedUser) -> Array:
        """The chance of departing after the last request."""
        return state.leaving

    def return_after(self, state: TypedUser) -> ReturnGap:
        """Never."""
        nothing = state.leaving * 0
        return ReturnGap(never=nothing + 1, median=nothing + 1)

    def click_probability(self, state: TypedUser, catalogue: Catalogue) -> Array:
        """Of each category, `(users, categories)`."""
        return like(state.leaving, self._clicks)[state.kind]

    def item_values(self, state: TypedUser, catalogue: Catalogue) -> Array:
        """Clicks until departure if a category is shown now, and then the best one for ever.

        That is optimal for a known type, without a limit to the requests, `(users, categories)`.
        """
        stays = 1 - (1 - self._clicks) * self._departures
        worth = self._clicks + stays * self.values.max(1, keepdims=True)
        return like(state.leaving, worth)[state.kind]

    def default_catalogue(self) -> Catalogue:
        """Categories that differ in nothing but their number, one-hot."""
        return one_hot_catalogue(len(self.clicks))


def _of_slate(table: np.ndarray, state: TypedUser, slate: Slate) -> Array:
    """Entries of a table `(types, categories)` for the user's type and what is shown."""
    return like(state.leaving, table)[state.kind[:, None], slate.items]


def _many_clicks() -> Matrix:
    """Click probabilities of ten types on ten categories, uniform on [.05, .9]."""
    drawn = np.random.default_rng(0).uniform(0.05, 0.9, (10, 10))
    return tuple(tuple(row) for row in drawn.round(2).tolist())


TASKS: dict[str, dict[str, Any]] = {
    "SingleType": {},
    "TwoTypes": {
        "clicks": ((0.95, 0.1), (0.9, 0.6)),
        "departures": ((1.0, 1.0), (1.0, 1.0)),
        "prior": (0.1, 0.9),
    },
    "ManyTypes": {
        "clicks": _many_clicks(),
        "departures": ((0.25,) * 10,) * 10,
        "prior": (0.1,) * 10,
    },
}
"""Parameters of the tasks, by name, where they are not the defaults."""


def attrition_population(task: str = "TwoTypes", **parameters: Any) -> Population:
    """Users of the same types in all splits.

    Args:
        task: a name of `TASKS`.
        parameters: of `Attrition`, in place of the task's.

    Raises:
        ValueError: if there is no such task, or a parameter is out of range.
    """
    check_task(task, TASKS)
    model = Attrition(**TASKS[task] | parameters)
    return task_population(f"attrition.{task}", model, REQUESTS)


class AttritionEnv(RecommendationEnv):
    """Departing bandits: a user who may leave for good after any recommendation without a click.

    See `Attrition` for the user, and its module for the matrices. In `SingleType` what is clicked
    most drives users away most. In `TwoTypes` they depart as soon as they do not click, and it is
    best to show what both types like for four requests, then what only the few who are left by
    then are likely to be fond of. In `ManyTypes` clicks tell the type, and finding out is a risk.

    ==========  ==========  =====  =================================
    task        categories  types  departs without a click
    ==========  ==========  =====  =================================
    SingleType  3           1      .1, .2 or .5, by the category
    TwoTypes    2           2      always
    ManyTypes   10          10     .25
    ==========  ==========  =====  =================================

    Action space:
        `Discrete(categories)`: the category to show.

    Observation space:
        `Dict`, float32, a function of public history alone:

        ==============  ===================  =================================================
        key             shape                meaning
        ==============  ===================  =================================================
        `slate`         (1, categories + 2)  the last category one-hot, one topic, no quality
        `feedback`      (1,)                 1 if it was clicked, else 0
        `new_user`      (1,)                 1 in the first observation of a trial
        `new_session`   (1,)                 likewise, and after departure
        `log_elapsed`   (1,)                 log(1 + seconds since the last request): log 31,
                                             0 after departure
        `position`      (1,)                 requests so far, 0 after departure
        ==============  ===================  =================================================

    Rewards:
        1 for a click.

    Starting state:
        A new user of the split, of a type drawn from the prior.

    Episode end:
        Terminated when the user departs; truncated after 200 requests.

    Arguments:
        `task` (by the id), `split`, `reward`, `parameters` (those of `Attrition`),
        `render_mode`; the vector environment takes `num_envs` and the options of
        `RecommendationVectorEnv`.

    Version history:
        v0: first release.
    """

    def __init__(self, task: str = "TwoTypes", **options: Any) -> None:
        super().__init__(partial(attrition_population, task), **options)


class AttritionVectorEnv(RecommendationVectorEnv):
    """`AttritionEnv` for many users at once, stepped by the batch engine."""

    def __init__(self, num_envs: int = 1, *, task: str = "TwoTypes", **options: Any) -> None:
        super().__init__(partial(attrition_population, task), num_envs, **options)
