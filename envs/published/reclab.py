"""RecLab's topics: ratings by users who come to like what they are shown, and tire of it.

Krauth et al. (2020), "Do Offline Metrics Predict Online Performance in Recommender Systems?", as
their program RecLab has it in `topics-static-v1` and `topics-dynamic-v1`. Written from the
equations of the program's documentation and, where it says less, from what the program does.

Sums of 200 ratings, measured with the authors' program (400 users, ± 95%):

=============  ===========  =============
task           random       greedy oracle
=============  ===========  =============
TopicsStatic   599.5 ± 6.2  958.2 ± 3.3
TopicsDynamic  603.2 ± 6.3  960.2 ± 1.3
=============  ===========  =============

No item was shown twice. The greedy oracle shows an item of the topic that would be rated highest
now; it knows the hidden state. The mean of random items is 600 in `TopicsStatic`, by symmetry.

What fitting it in changed: the program has a thousand users at once, and recommenders learn the
topics of items from everyone's ratings. Here a policy meets one user at a time, and topics are
public. Ratings that users gave before the trial move their preferences, as in the program, but are
not shown to the policy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from driftrec.envs.arrays import Array, as_float32, like, namespace, row_dot
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.env import RecommendationEnv
from driftrec.envs.meta_tasks import check_counts, check_noise
from driftrec.envs.population import Population
from driftrec.envs.published.tasks import check_task, seeded_population
from driftrec.envs.random import Stream
from driftrec.envs.user_model import UserModel
from driftrec.envs.vector import RecommendationVectorEnv

LOWEST, HIGHEST = 1.0, 5.0
"""Ratings."""
FIRST_PREFERENCES = (0.5, 5.5)
"""Between which preferences are uniform at first."""
SATED = 5.0
"""Preference for a topic above which showing it changes nothing."""

_ERFC = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
_ERFC_SCALE = 0.3275911


@dataclass(frozen=True)
class ClippedRatings:
    """Each slot is rated by a normal draw, cut to the range of ratings, independently.

    Attributes:
        centre: mean before the cut, `(users, slate)`.
        sd: standard deviation before the cut, positive.
    """

    centre: Array
    sd: float

    @cached_property
    def mean(self) -> Array:
        """Expected ratings, `(users, slate)`.

        E clip(X, a, b) = a + sd (ψ((m - a) / sd) - ψ((m - b) / sd)) for X ~ N(m, sd²), with
        ψ(z) = z Φ(z) + φ(z): the mean of what is above a, less that of what is above b.
        """
        above = _expected_excess((self.centre - LOWEST) / self.sd)
        return LOWEST + self.sd * (above - _expected_excess((self.centre - HIGHEST) / self.sd))

    def draw(self, rng: Stream) -> Array:
        """Ratings from 1 to 5, `(users, slate)`."""
        rating = self.centre + self.sd * rng.normal(*self.centre.shape)
        return namespace(rating).clip(rating, LOWEST, HIGHEST)

    def log_likelihood(self, feedback: Array) -> Array:
        """Sum over slots, `(users,)`: log-densities, but log-probabilities at 1 and at 5."""
        xp = namespace(feedback)
        squares = ((feedback - self.centre) / self.sd) ** 2
        density = -0.5 * (squares + math.log(2 * math.pi * self.sd**2))
        lowest = _log_tail((self.centre - LOWEST) / self.sd)
        highest = _log_tail((HIGHEST - self.centre) / self.sd)
        upper = xp.where(feedback >= HIGHEST, highest, density)
        return xp.sum(xp.where(feedback <= LOWEST, lowest, upper), axis=-1)


def _expected_excess(z: Array) -> Array:
    """ψ(z) = z Φ(z) + φ(z): the mean of max(0, z + N(0, 1))."""
    xp = namespace(z)
    density = xp.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return z * xp.exp(_log_tail(-z)) + density


def _log_tail(z: Array) -> Array:
    """Logarithm of the chance that a standard normal exceeds z.

    By formula 7.1.26 of Abramowitz and Stegun (1964), "Handbook of Mathematical Functions", which
    errs by 1.5e-7 at most. In logarithms it is finite however small the chance is, and within 2% of
    it as far as eight standard deviations out.
    """
    xp = namespace(z)
    distance = abs(z)
    t = 1 / (1 + _ERFC_SCALE / math.sqrt(2) * distance)
    series = xp.zeros_like(t)
    for coefficient in reversed(_ERFC):
        series = t * (series + coefficient)
    tail = xp.log(0.5 * series) - 0.5 * distance * distance
    return xp.where(z < 0, xp.log1p(-xp.exp(tail)), tail)


@dataclass
class TopicsState:
    """Hidden state of users.

    Attributes:
        preference: for each topic, in stars, float32 `(users, topics)`.
        recent: topics of the last items shown, the latest last, -1 for none, int64
            `(users, memory)`.
    """

    preference: Array
    recent: Array


@dataclass(frozen=True, eq=False)
class Topics(UserModel):
    """A user of RecLab's topics.

    An item of topic k is rated clip(p_k - penalty · bored_k + N(0, noise²), 1, 5), where a topic
    bores once it is that of more than `patience` of the last `memory` items. To be shown it raises
    p_k by `change` and lowers all other preferences by change / (topics - 1), unless p_k is above 5
    already. Preferences have no other bounds. At first they are uniform on [.5, 5.5]; then a user
    is shown some random items, each with the chance `rated`, which move preferences and bore nobody
    (as the program does).

    Users differ in their preferences alone. The program shows one item at a time; should a slate
    hold several, they are rated as they would be alone, and taken up one after the other.

    Attributes:
        items: in the catalogue.
        topics: of one of which each item is.
        noise: standard deviation of ratings.
        change: of preferences, in stars a request.
        memory: items that count towards boredom.
        patience: items of a topic among them that do not bore yet.
        penalty: on ratings of a topic that bores, in stars.
        rated: share of the items that a user rated before the trial.
        seed: of the catalogue.

    Raises:
        ValueError: if a parameter is out of range.
    """

    verified: ClassVar[bool] = True
    feedback_range: ClassVar[tuple[float, float]] = (LOWEST, HIGHEST)

    items: int = 1700
    topics: int = 19
    noise: float = 0.5
    change: float = 0.1
    memory: int = 5
    patience: int = 2
    penalty: float = 1.0
    rated: float = 1 / 17
    seed: int = 0

    def __post_init__(self) -> None:
        check_counts(
            items=self.items, topics=self.topics, memory=self.memory, patience=self.patience
        )
        check_noise(self.noise)
        if self.topics < 2:
            raise ValueError(f"topics must be 2 or more, got {self.topics}")
        if not (math.isfinite(self.change) and math.isfinite(self.penalty)):
            raise ValueError(
                f"change and penalty must be finite, got {self.change} and {self.penalty}"
            )
        if not 0 <= self.rated <= 1:
            raise ValueError(f"rated must lie in [0, 1], got {self.rated}")

    def default_catalogue(self) -> Catalogue:
        """Items of one topic each, drawn uniformly; the features are the topic, one-hot."""
        return self._catalogue

    @cached_property
    def _catalogue(self) -> Catalogue:
        rng = np.random.default_rng([self.seed, self.items, self.topics])
        one_hot = np.eye(self.topics)[rng.integers(self.topics, size=self.items)]
        return Catalogue(one_hot, one_hot, np.zeros(self.items))

    def sample(self, users: int, rng: np.random.Generator) -> TopicsState:
        """Users with uniform preferences, moved by the items that they rated before."""
        preference = rng.uniform(*FIRST_PREFERENCES, (users, self.topics)).astype(np.float32)
        if self.change:
            preference = self._after_rating(preference, rng)
        return TopicsState(preference, np.full((users, self.memory), -1))

    def _after_rating(self, preference: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        count = rng.binomial(self.items, self.rated, len(preference))
        order = rng.random((len(preference), self.items), np.float32).argsort(1)
        for number in range(count.max(initial=0)):
            moved = self._moved(preference, self._catalogue.topics[order[:, number]])
            preference = np.where((number < count)[:, None], moved, preference)
        return preference

    def respond(self, state: TopicsState, slate: Slate) -> ClippedRatings:
        """Ratings of each slot, independently."""
        stars = (slate.topics @ self._stars(state)[:, :, None])[..., 0]
        return ClippedRatings(stars, self.noise)

    def click_probability(self, state: TopicsState, catalogue: Catalogue) -> Array:
        """Expected rating of each item, of one topic each, `(users, items)`."""
        return ClippedRatings(self._stars(state), self.noise).mean @ catalogue.topics.T

    def react(self, state: TopicsState, slate: Slate, feedback: Array) -> TopicsState:
        """Being shown an item changes preferences and is remembered, however it was rated."""
        preference, recent = state.preference, state.recent
        xp = namespace(recent)
        if self.change:
            for slot in range(slate.items.shape[1]):
                preference = self._moved(preference, slate.topics[:, slot])
        if self.penalty:
            recent = xp.concat([recent, slate.topic], axis=1)[:, -self.memory :]
        return TopicsState(preference, recent)

    def _stars(self, state: TopicsState) -> Array:
        """Ratings of each topic before noise and cut, `(users, topics)`."""
        if not self.penalty:
            return state.preference
        xp = namespace(state.recent)
        numbers = like(state.recent, np.arange(self.topics))
        count = xp.sum(xp.astype(state.recent[:, :, None] == numbers, xp.int64), axis=1)
        return state.preference - self.penalty * as_float32(count > self.patience)

    def _moved(self, preference: Array, topic: Array) -> Array:
        """Preferences after an item of a topic, one-hot `(users, topics)`."""
        open_to_it = as_float32(row_dot(preference, topic) <= SATED)[:, None]
        others = (1 - topic) / (self.topics - 1)
        return preference + self.change * open_to_it * (topic - others)


TASKS: dict[str, dict[str, Any]] = {
    "TopicsStatic": {"change": 0.0, "penalty": 0.0},
    "TopicsDynamic": {},
}
"""Parameters of the published tasks, by name, where they are not the defaults."""


def reclab_population(task: str = "TopicsDynamic", **parameters: Any) -> Population:
    """The users and items of a published task, for 200 requests.

    So many a user has in a thousand steps of the program, at each of which a fifth of the users is
    online. Its recommenders do not show an item again that was rated. Users of `ood-items` are
    shown another catalogue of the same kind.

    Args:
        task: a name of `TASKS`.
        parameters: of `Topics`, in place of the published ones.

    Raises:
        ValueError: if there is no such task, or a parameter is out of range.
    """
    check_task(task, TASKS)
    model = Topics(**TASKS[task] | parameters)
    return seeded_population(
        f"reclab.{task}",
        model,
        max_requests=200,
    )


class RecLabEnv(RecommendationEnv):
    """RecLab's topics: 200 of 1700 items, each rated with one to five stars.

    See `Topics` for the user. In `TopicsDynamic` a topic that is shown is liked better from then
    on, at the cost of all others, but is rated a star lower while it is that of more than two of
    the last five items.

    =============  =====  ======  ========  =====  ======  ======  ========  =======
    task           items  topics  requests  noise  change  memory  patience  penalty
    =============  =====  ======  ========  =====  ======  ======  ========  =======
    TopicsStatic   1700   19      200       .5     0       none    none      0
    TopicsDynamic  1700   19      200       .5     .1      5       2         1
    =============  =====  ======  ========  =====  ======  ======  ========  =======

    Action space:
        `Discrete(1700)`: the item to show. One that was shown before may be shown, but need not be.

    Observation space:
        `Dict`, float32, a function of public history alone:

        ==============  ==========  ======================================================
        key             shape       meaning
        ==============  ==========  ======================================================
        `slate`         (1, 39)     the last item: topic one-hot, the same again, 0
        `feedback`      (1,)        its rating; 0 before the first
        `new_user`      (1,)        1 in the first observation of a trial
        `new_session`   (1,)        likewise
        `log_elapsed`   (1,)        log(1 + seconds since the last request): log 31
        `position`      (1,)        requests so far
        ==============  ==========  ======================================================

    Rewards:
        The rating, from 1 to 5.

    Starting state:
        A new user of the split, who rated about a hundred random items before, unseen by the agent.

    Episode end:
        Truncated after 200 requests; never terminated.

    Arguments:
        `task` (by the id), `split`, `reward`, `parameters` (those of `Topics`), `render_mode`; the
        vector environment takes `num_envs` and the options of `RecommendationVectorEnv`.

    Version history:
        v0: first release.
    """

    def __init__(self, task: str = "TopicsDynamic", **options: Any) -> None:
        super().__init__(partial(reclab_population, task), **options)


class RecLabVectorEnv(RecommendationVectorEnv):
    """`RecLabEnv` for many users at once, stepped by the batch engine."""

    def __init__(self, num_envs: int = 1, *, task: str = "TopicsDynamic", **options: Any) -> None:
        super().__init__(partial(reclab_population, task), num_envs, **options)
