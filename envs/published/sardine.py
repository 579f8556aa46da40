"""SARDINE: clicks on slates by users who tire of a topic and come to like what they click.

Deffayet et al. (2023), "SARDINE: A Simulator for Automated Recommendation in Dynamic and
Interactive Environments". Written from the paper's equations and, where the authors' program
differs from them, from what it does ("shipped").

Returns of a trial, measured with the authors' program (5 seeds of 25 trials each, ± 95%):

=====================  ============  =============  ===============
task                   random        greedy oracle  aware heuristic
=====================  ============  =============  ===============
SingleItem-Static      8.42 ± .66    100.0          -
SingleItem-BoredInf    8.78 ± .77    50.69 ± .34    76.1 ± 1.2
SingleItem-Uncertain   11.37 ± .59   94.79 ± .30    -
SlateTopK-Bored        44.6 ± 2.9    139.0 ± 8.6    420 ± 20
SlateTopK-BoredInf     42.6 ± 3.4    144.4 ± 9.6    274 ± 10
SlateTopK-Uncertain    70.2 ± 3.0    134.2 ± 5.1    302 ± 5
SlateRerank-Static     14.69 ± 1.15  21.74 ± .86    -
SlateRerank-Bored      12.50 ± 1.34  14.03 ± .56    17.7 ± 1.0
=====================  ============  =============  ===============

The greedy oracle shows the items of the highest click probability, the heuristic those of topics
that do not bore; both know the hidden state. Where clicks influence the user, it is as shipped. In
the rerank tasks the ten items decide these numbers; ours are drawn as the authors' are, by a seed
chosen for numbers like theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from driftrec.envs.arrays import (
    Array,
    as_float32,
    duplicate,
    like,
    namespace,
    row_dot,
    rows_where,
    sigmoid,
)
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.env import RecommendationEnv
from driftrec.envs.feedback import IndependentClicks
from driftrec.envs.meta_tasks import check_counts
from driftrec.envs.population import Population
from driftrec.envs.published.tasks import check_task, seeded_population
from driftrec.envs.user_model import UserModel
from driftrec.envs.vector import RecommendationVectorEnv

TOPICS = 10
WINDOW = 5
"""Requests for which a click counts towards boredom, and for which boredom lasts."""
RECENT = 10
"""Clicks that count towards boredom at most: the last ones."""
DIGIT = 6
"""Bits of a count in the window."""
MOST_SLOTS = ((1 << DIGIT) - 1) // WINDOW
"""Items in a slate, all clicks on which a count in the window can hold."""

_ENOUGH = 1 << (DIGIT - 1)
"""The highest bit of a digit, more than `RECENT`."""

NEVER = RECENT + 1
"""A number of clicks in the window that is never reached."""

_PLACES = DIGIT * np.arange(TOPICS)
"""Where the digit of each topic begins in a packed count, in bits."""

_EACH = int((1 << _PLACES).sum())
"""A packed count of one click on each topic."""

_ONE_OF = np.append(0, 1 << _PLACES)
"""A packed count of no click, then of one click on each topic."""


@dataclass
class SardineState:
    """Hidden state of users.

    Attributes:
        taste: of each topic, of norm 1, float32 `(users, topics)`.
        clicked: main topics of what was clicked in the requests of the window, the latest first,
            counted from 1, 0 for none, int8 `(users, WINDOW, slate)`.
        clicks: in each of these requests, packed by topic (see `_packed`), int64 `(users, WINDOW)`.
        bored: requests for which each topic still bores, 0 where it does not, int8
            `(users, topics)`.
    """

    taste: Array
    clicked: Array
    clicks: Array
    bored: Array


@dataclass(frozen=True, eq=False)
class Sardine(UserModel):
    """A user of SARDINE.

    Item j at rank k is clicked with probability γ^k σ(slope (⟨x_j, u⟩ - offset)). Both the item x_j
    and the taste u have norm 1. A topic of which `patience` of the last ten clicks were in the last
    five requests bores for five requests; a user whom any topic bores has no taste at all. After
    clicks u becomes keep · u + (1 - keep) · x, brought back to norm 1, where x is the mean of the
    clicked items ("paper"), or the mean of all their numbers, the same for every topic
    ("shipped"). A trial begins after a slate of random items, whose clicks count.

    Users differ in their taste alone.

    Attributes:
        items: in the catalogue.
        slate: items in a request, that before the trial included; at most `MOST_SLOTS` where users
            can be bored.
        persistence: γ, of looking at the next rank.
        slope: of the click probability.
        offset: at which it is 1/2.
        keep: of the taste after clicks; 1 for no influence.
        patience: clicks that bore; `NEVER` for users who are never bored.
        influence: "paper" or "shipped".
        seed: of the catalogue.

    Raises:
        ValueError: if a parameter is out of range.
    """

    verified: ClassVar[bool] = True

    items: int = 1000
    slate: int = 10
    persistence: float = 0.85
    slope: float = 100.0
    offset: float = 0.65
    keep: float = 1.0
    patience: int = 5
    influence: str = "shipped"
    seed: int = 0

    def __post_init__(self) -> None:
        check_counts(items=self.items, slate=self.slate, patience=self.patience)
        if self.patience < NEVER and self.slate > MOST_SLOTS:
            raise ValueError(
                f"slate must be at most {MOST_SLOTS} where users can be bored (patience below "
                f"{NEVER}), got {self.slate}"
            )
        if self.influence not in ("paper", "shipped"):
            raise ValueError(f"influence must be paper or shipped, got {self.influence!r}")
        for name in ("persistence", "keep"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in (0, 1], got {getattr(self, name)}")

    def default_catalogue(self) -> Catalogue:
        """Items of two or three topics each, their shares uniform, of norm 1."""
        return self._catalogue

    @cached_property
    def _catalogue(self) -> Catalogue:
        rng = np.random.default_rng([self.seed, self.items])
        order = rng.random((self.items, TOPICS)).argsort(1).argsort(1)
        features = rng.random((self.items, TOPICS)) * (order < rng.integers(2, 4, (self.items, 1)))
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        topics = np.eye(TOPICS)[features.argmax(1)]
        return Catalogue(features, topics, np.zeros(self.items))

    def sample(self, users: int, rng: np.random.Generator) -> SardineState:
        """Users with a taste for three to five topics, after a random slate."""
        taste = rng.random((users, TOPICS)) * _liked(users, rng)
        taste /= np.linalg.norm(taste, axis=1, keepdims=True)
        # Column by column in memory, as slates are: numpy then loops over users, not topics.
        state = SardineState(
            taste.astype(np.float32, order="F"),
            np.zeros((users, WINDOW, self.slate), np.int8, order="F"),
            np.zeros((users, WINDOW), np.int64, order="F"),
            np.zeros((users, TOPICS), np.int8, order="F"),
        )
        items = rng.integers(self.items, size=(users, self.slate))
        slate = self._catalogue.show(items, np.zeros(items.shape, np.float32))
        feedback = rng.random(items.shape) < self.respond(state, slate).probability
        return self.react(state, slate, feedback.astype(np.float32))

    def respond(self, state: SardineState, slate: Slate) -> IndependentClicks:
        """Clicks on each rank, independently."""
        match = row_dot(slate.features, self._taste(state)[:, None])
        seen = like(match, self._seen[: match.shape[1]])
        return IndependentClicks(seen * self._relevance(match))

    @cached_property
    def _seen(self) -> np.ndarray:
        """Chance that a user looks at each rank."""
        return np.float32(self.persistence) ** np.arange(self.items, dtype=np.float32)

    def click_probability(self, state: SardineState, catalogue: Catalogue) -> Array:
        """Of each item at the first rank, float64 `(users, items)`, which tells 1 from almost 1."""
        xp = namespace(state.taste)
        match = self._taste(state) @ catalogue.features.T
        return 1 / (1 + xp.exp(-self.slope * (xp.astype(match, xp.float64) - self.offset)))

    def react(self, state: SardineState, slate: Slate, feedback: Array) -> SardineState:
        """Boredom with the topics of the latest clicks, and influence of what was clicked."""
        clicked, clicks, bored = state.clicked, state.clicks, state.bored
        if self.patience < NEVER:
            xp = namespace(bored)
            topic = xp.astype(slate.topic, xp.int8) + 1
            topic = self._slots(topic * xp.astype(feedback, xp.int8))
            clicked = xp.concat([topic[:, None], clicked[:, :-1]], axis=1)
            clicks = xp.concat([_packed(topic)[:, None], clicks[:, :-1]], axis=1)
            bored = self._boredom(bored, _recent(clicked, clicks))
        taste = self._influenced(state.taste, slate, feedback)
        return SardineState(taste, clicked, clicks, bored)

    def _boredom(self, bored: Array, recent: Array) -> Array:
        """A request later, after the recent clicks of a packed count."""
        xp = namespace(bored)
        if xp.count_nonzero(bored):
            bored = bored - xp.astype(bored > 0, bored.dtype)
        # Counts of ten clicks at most have room for a bit that says that they reach the patience.
        enough = (recent + (_ENOUGH - self.patience) * _EACH) & (_ENOUGH * _EACH)
        rows = rows_where(enough)
        if rows.shape[0]:
            tired, count = bored[rows], _unpacked(recent[rows])
            bored = duplicate(bored)
            bored[rows] = xp.where((count >= self.patience) & (tired == 0), WINDOW, tired)
        return bored

    def _slots(self, topic: Array) -> Array:
        """What was clicked, as it is kept: int8 `(users, self.slate)`."""
        xp, spare = namespace(topic), self.slate - topic.shape[1]
        if not spare:
            return topic
        if spare < 0:
            raise ValueError(
                f"these users are shown {self.slate} item(s) a request, got {topic.shape[1]}: "
                "set the parameter slate"
            )
        return xp.concat([topic, *[xp.zeros_like(topic[:, :1])] * spare], axis=1)

    def _relevance(self, match: Array) -> Array:
        return sigmoid(self.slope * (match - self.offset))

    def _taste(self, state: SardineState) -> Array:
        """The taste now: nothing where a topic bores."""
        if self.patience == NEVER:
            return state.taste
        xp = namespace(state.bored)
        if not xp.count_nonzero(state.bored):
            return state.taste
        return state.taste * as_float32(xp.max(state.bored, axis=1) == 0)[:, None]

    def _influenced(self, taste: Array, slate: Slate, feedback: Array) -> Array:
        if self.keep == 1:
            return taste
        xp = namespace(taste)
        if not xp.count_nonzero(feedback):
            return taste
        clicks = feedback.sum(1)[:, None]
        liked = row_dot(slate.features.swapaxes(1, 2), feedback[:, None])
        liked = liked / (clicks + as_float32(clicks == 0))
        if self.influence == "shipped":
            liked = liked.sum(1)[:, None] / TOPICS
        moved = self.keep * taste + (1 - self.keep) * liked
        moved = moved / row_dot(moved, moved)[:, None] ** 0.5
        return xp.where(clicks > 0, moved, taste)


def _liked(users: int, rng: np.random.Generator) -> np.ndarray:
    """Which topics users like: each with probability .4, given that there are three to five."""
    liked = np.zeros((users, TOPICS), bool)
    drawn = np.arange(users)
    while len(drawn):
        liked[drawn] = rng.random((len(drawn), TOPICS)) < 0.4
        count = liked[drawn].sum(1)
        drawn = drawn[(count < 3) | (count > 5)]
    return liked


def _packed(topic: Array) -> Array:
    """Counts of topics as digits of one number, `(users,)`, of topics or none `(users, slate)`."""
    xp = namespace(topic)
    return like(topic, _ONE_OF)[xp.astype(topic, xp.int64)].sum(1)


def _unpacked(packed: Array) -> Array:
    """The counts of each topic, `(users, topics)`."""
    return (packed[:, None] >> like(packed, _PLACES)) & ((1 << DIGIT) - 1)


def _recent(clicked: Array, clicks: Array) -> Array:
    """Packed counts of topics among the last clicks of the window: `RECENT` of them at most."""
    xp = namespace(clicked)
    packed = clicks.sum(1)
    # The highest digit of this product is the sum of all.
    all_clicks = (packed * _EACH >> int(_PLACES[-1])) & ((1 << DIGIT) - 1)
    crowded = rows_where(all_clicks > RECENT)
    if crowded.shape[0]:
        latest_first = xp.reshape(xp.flip(clicked[crowded], axis=2), (crowded.shape[0], -1))
        there = xp.astype(latest_first > 0, xp.int64)
        kept = xp.cumulative_sum(there, axis=1) <= RECENT
        packed[crowded] = _packed(xp.where(kept, latest_first, 0))
    return packed


def clicks_that_count(state: SardineState) -> Array:
    """How many clicks on each topic will still count after the next request, `(users, topics)`."""
    return _unpacked(_recent(state.clicked[:, :-1], state.clicks[:, :-1]))


_SINGLE = {"slate": 1, "patience": NEVER}
_RERANK = {"items": 10, "persistence": 0.7, "slope": 5.0, "offset": 0.3, "seed": 1}

TASKS: dict[str, dict[str, Any]] = {
    "SingleItem-Static": _SINGLE,
    "SingleItem-BoredInf": {"slate": 1, "keep": 0.95},
    "SingleItem-Uncertain": _SINGLE | {"slope": 10.0},
    "SlateTopK-Bored": {},
    "SlateTopK-BoredInf": {"keep": 0.95},
    "SlateTopK-Uncertain": {"slope": 10.0, "keep": 0.95},
    "SlateRerank-Static": _RERANK | {"patience": NEVER},
    "SlateRerank-Bored": _RERANK | {"patience": 4},
}
"""Parameters of the published tasks, by name, where they are not the defaults."""


def sardine_population(task: str = "SlateTopK-Bored", **parameters: Any) -> Population:
    """The users and items of a published task.

    Users of `ood-items` are shown another catalogue of the same kind.

    Args:
        task: a name of `TASKS`.
        parameters: of `Sardine`, in place of the published ones.

    Raises:
        ValueError: if there is no such task, or a parameter is out of range.
    """
    check_task(task, TASKS)
    settings = TASKS[task] | parameters
    model = Sardine(**settings)
    requests = 10 if task.startswith("SlateRerank") else 100
    return seeded_population(
        f"sardine.{task}",
        model,
        slate=model.slate,
        max_requests=requests,
        repeats=True,
    )


class SardineEnv(RecommendationEnv):
    """A task of SARDINE: slates for a user whom too many clicks on a topic bore.

    See `Sardine` for the user. A topic bores once `patience` of the last ten clicks, none more than
    five requests ago, were on it; then the user clicks on nothing for five requests: who always
    shows what is liked best gets a third of what is possible.

    ====================  =====  =====  ========  ===========  ======  =====  ====  ========
    task                  items  slate  requests  persistence  offset  slope  keep  patience
    ====================  =====  =====  ========  ===========  ======  =====  ====  ========
    SingleItem-Static     1000   1      100       .85          .65     100    1     none
    SingleItem-BoredInf   1000   1      100       .85          .65     100    .95   5
    SingleItem-Uncertain  1000   1      100       .85          .65     10     1     none
    SlateTopK-Bored       1000   10     100       .85          .65     100    1     5
    SlateTopK-BoredInf    1000   10     100       .85          .65     100    .95   5
    SlateTopK-Uncertain   1000   10     100       .85          .65     10     .95   5
    SlateRerank-Static    10     10     10        .7           .3      5      1     none
    SlateRerank-Bored     10     10     10        .7           .3      5      1     4
    ====================  =====  =====  ========  ===========  ======  =====  ====  ========

    Action space:
        `Discrete(1000)` where the slate is one item, else `SlateSpace(items, 10)`: the items to
        show, top first. A slate with an item twice is an error.

    Observation space:
        `Dict`, float32, a function of public history alone:

        ==============  ============  ====================================================
        key             shape         meaning
        ==============  ============  ====================================================
        `slate`         (slate, 21)   the last items: shares of 10 topics, of norm 1; the
                                      main topic one-hot; 0
        `feedback`      (slate,)      clicks on them
        `new_user`      (1,)          1 in the first observation of a trial
        `new_session`   (1,)          likewise
        `log_elapsed`   (1,)          log(1 + seconds since the last request): log 31
        `position`      (1,)          requests so far
        ==============  ============  ====================================================

    Rewards:
        Clicks in the slate.

    Starting state:
        A new user of the split, after a random slate that the agent does not see.

    Episode end:
        Truncated after the requests of the task; never terminated.

    Arguments:
        `task` (by the id), `influence` ("shipped", or "paper"), `split`, `reward`, `parameters`,
        `render_mode`; the vector environment takes `num_envs` and the options of
        `RecommendationVectorEnv`.

    Version history:
        v0: first release.
    """

    def __init__(
        self, task: str = "SlateTopK-Bored", influence: str = "shipped", **options: Any
    ) -> None:
        super().__init__(partial(sardine_population, task, influence=influence), **options)


class SardineVectorEnv(RecommendationVectorEnv):
    """`SardineEnv` for many users at once, stepped by the batch engine."""

    def __init__(
        self,
        num_envs: int = 1,
        *,
        task: str = "SlateTopK-Bored",
        influence: str = "shipped",
        **options: Any,
    ) -> None:
        super().__init__(
            partial(sardine_population, task, influence=influence), num_envs, **options
        )
