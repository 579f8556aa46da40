"""RecSim's three environments: interest evolution, interest exploration, long-term satisfaction.

Ie et al. (2019), "RecSim: A Configurable Simulation Platform for Recommender Systems"; interest
evolution is that of Ie et al. (2019), "SlateQ". For each request ten documents are drawn anew, from
which the slate is made. The original draws them from a law without end, here they come from 1000
documents that stand at the quantiles of that law, each with a number of its own.

Interest evolution, slates of three (returns of random slates, of the user's favourite topics, of
the best topics; measured with the original): 160.4, 168.1, 264.5; SlateQ's best 174.6. Long-term
satisfaction by sensitivity .01 / .1 / .3 / .5: random 952 / 965 / 999 / 1062, the most clickbait
1121 / 854 / 486 / 314, the least 789 / 1007 / 1657 / 2494. Interest exploration, slates of two:
random 22.98 clicks, the best quality 38.54, the best for a known user 39.11.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from statistics import NormalDist
from typing import Any, ClassVar

import numpy as np

from driftrec.envs.arrays import Array, as_float32, like, namespace, row_dot, sigmoid
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.env import RecommendationEnv
from driftrec.envs.feedback import LogNormalFeedback, MultinomialClick, WorthOfClicks
from driftrec.envs.meta_tasks import check_counts
from driftrec.envs.population import Population
from driftrec.envs.published.tasks import check_task
from driftrec.envs.random import Stream
from driftrec.envs.user_model import ReturnGap, UserModel
from driftrec.envs.vector import RecommendationVectorEnv

CANDIDATES = 10
"""Documents from which a slate is made."""

TRASHY = 0.7
"""Share of the topics whose mean quality is below 0."""

WORST, BEST = -3.0, 3.0
"""Mean quality of the worst topic, and of the best."""

QUALITY_SD = 0.1

LEAST = 1e-12
"""Weight of a document that a user abhors; next to any other it is nothing."""


def _quantiles(count: int) -> np.ndarray:
    """Of the standard normal distribution, in the middle of `count` equal parts of it."""
    law = NormalDist()
    return np.array([law.inv_cdf((part + 0.5) / count) for part in range(count)])


@dataclass
class Viewer:
    """The first axis of every array is the user.

    Attributes:
        interest: in each topic, in [-1, 1], `(users, topics)`.
        budget: minutes left, `(users,)`.
        watched: 1 at the topic that was just watched, `(users, topics)`.
    """

    interest: Array
    budget: Array
    watched: Array


@dataclass(frozen=True, eq=False)
class InterestEvolution(UserModel):
    """A user with a budget of time, whose interests are seen and move with what is watched.

    A document in whose topic interest is u is watched with odds u + 1, against 2 for none of the
    slate, for four minutes or what is left of the budget. The budget falls by this, and rises by
    regain · minutes · quality; a request without a click costs a penalty. Interest in the topic
    watched then moves by .3 (1 - abs(u)) (1 - u), up with chance (u + 1) / 2, else down. The user
    leaves for good when the budget is spent. Quality is hidden, but goes with the topic.

    Attributes:
        topics: numbers of an interest.
        documents: in the catalogue, a multiple of the topics.
        budget: minutes at first.
        length: of a document, minutes.
        regain: share of the minutes that a document of quality 1 gives back.
        penalty: minutes that a request without a click costs.
        step: of interests, at 0.
        none: weight of watching nothing.

    Raises:
        ValueError: if a parameter is out of range.
    """

    verified: ClassVar[bool] = True
    feedback_range: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    topics: int = 20
    documents: int = 1000
    budget: float = 200.0
    length: float = 4.0
    regain: float = 0.9 / 3.4
    penalty: float = 0.5
    step: float = 0.3
    none: float = 2.0

    def __post_init__(self) -> None:
        check_counts(topics=self.topics, documents=self.documents)
        if self.documents % self.topics:
            raise ValueError(
                f"documents ({self.documents}) must be a multiple of topics ({self.topics})"
            )
        for name in ("budget", "length", "penalty", "none"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")

    @property
    def context_size(self) -> int:  # type: ignore[override]  # by the number of topics
        """Interests are seen."""
        return self.topics

    @cached_property
    def hidden_quality(self) -> np.ndarray:
        """Of each document, N(that of its topic, .1²), float32 `(documents,)`.

        Mean qualities of the first 70% of topics go from -3 to 0, of the rest from 0 to 3.
        """
        trashy = int(self.topics * TRASHY)
        means = np.concatenate(
            [np.linspace(WORST, 0, trashy), np.linspace(0, BEST, self.topics - trashy)]
        )
        each = self.documents // self.topics
        quality = means[:, None] + QUALITY_SD * _quantiles(each)
        return quality.astype(np.float32).ravel()

    def default_catalogue(self) -> Catalogue:
        """Documents of one topic each, which is all that is seen of them; none is better known."""
        return self._catalogue

    @cached_property
    def _catalogue(self) -> Catalogue:
        topics = np.repeat(np.eye(self.topics), self.documents // self.topics, axis=0)
        nothing = np.zeros((self.documents, 0))
        return Catalogue(nothing, topics, np.zeros(self.documents))

    def sample(self, users: int, rng: np.random.Generator) -> Viewer:
        """Interests uniform on [-1, 1]."""
        # Column by column in memory, as slates are: numpy then loops over users, not topics.
        interest = np.asfortranarray(2 * rng.random((users, self.topics), np.float32) - 1)
        budget = np.full(users, self.budget, np.float32)
        return Viewer(interest, budget, np.zeros_like(interest))

    def respond(self, state: Viewer, slate: Slate) -> WorthOfClicks:
        """At most one document is watched, for its length or what is left of the budget."""
        xp = namespace(state.interest)
        interest = row_dot(slate.topics, state.interest[:, None])
        logits = xp.log((interest + 1 + LEAST) / self.none)
        minutes = self._minutes(state)[:, None] + 0 * interest
        return WorthOfClicks(MultinomialClick(logits), minutes)

    def click_probability(self, state: Viewer, catalogue: Catalogue) -> Array:
        """Expected minutes with each document shown alone, `(users, items)`."""
        weight = (state.interest + 1) @ catalogue.topics.T
        return weight / (weight + self.none) * self._minutes(state)[:, None]

    def react(self, state: Viewer, slate: Slate, feedback: Array) -> Viewer:
        """The budget falls, and rises by quality; the topic that was watched is kept in mind."""
        minutes = feedback.sum(1)
        quality = like(feedback, self.hidden_quality)[slate.items]
        back = self.regain * row_dot(feedback, quality)
        none = as_float32(minutes == 0)
        budget = state.budget - minutes + back - self.penalty * none
        watched = row_dot(slate.topics.swapaxes(1, 2), as_float32(feedback > 0)[:, None])
        return Viewer(state.interest, budget, watched)

    def drift(self, state: Viewer, elapsed: Array, rng: Stream) -> Viewer:
        """Interest in what was watched moves, up or down."""
        interest = state.interest
        now = row_dot(interest, state.watched)
        up = as_float32(rng.uniform(now.shape[0], 1)[:, 0] < 0.5 * (now + 1))
        move = self.step * (1 - abs(now)) * (1 - now) * (2 * up - 1)
        moved = interest + state.watched * move[:, None]
        return Viewer(moved.clip(-1.0, 1.0), state.budget, state.watched)

    def leave(self, state: Viewer) -> Array:
        """For sure, once the budget is spent."""
        return as_float32(state.budget <= 0)

    def return_after(self, state: Viewer) -> ReturnGap:
        """Nobody comes back."""
        one = 0 * state.budget + 1
        return ReturnGap(never=one, median=one)

    def context(self, state: Viewer) -> Array:
        """Interests, `(users, topics)`."""
        return state.interest

    def _minutes(self, state: Viewer) -> Array:
        """For which a document is watched now, `(users,)`."""
        return namespace(state.budget).clip(state.budget, min=0.0, max=self.length)


@dataclass
class Affinities:
    """Affinity to each topic, float32 `(users, topics)`."""

    affinity: Array


@dataclass(frozen=True, eq=False)
class InterestExploration(UserModel):
    """A user of a type that is hidden, whose affinities never change.

    A document of topic t and quality q is clicked with odds exp(affinity_t + q), against
    exp(none) for none of the slate. Affinities are lognormal around those of the type.

    Attributes:
        documents: in the catalogue, a multiple of five.
        none: logit of clicking nothing.
        sd: of the logarithm of affinities, and of qualities.

    Raises:
        ValueError: if a parameter is out of range.
    """

    verified: ClassVar[bool] = True

    documents: int = 1000
    none: float = 5.0
    sd: float = 0.1

    TYPES: ClassVar[tuple[float, float]] = (0.3, 0.7)
    AFFINITIES: ClassVar[tuple[tuple[float, float], ...]] = ((0.1, 0.7), (0.7, 0.1))
    TOPICS: ClassVar[tuple[float, float]] = (0.2, 0.8)
    QUALITIES: ClassVar[tuple[float, float]] = (0.8, 0.2)

    def __post_init__(self) -> None:
        check_counts(documents=self.documents)
        if self.documents % 5:
            raise ValueError(f"documents must be a multiple of five, got {self.documents}")
        if not self.sd >= 0:
            raise ValueError(f"sd must not be negative, got {self.sd}")

    def default_catalogue(self) -> Catalogue:
        """A fifth of topic 0, which is better; topic and quality are seen."""
        return self._catalogue

    @cached_property
    def _catalogue(self) -> Catalogue:
        counts = [round(share * self.documents) for share in self.TOPICS]
        quality = np.concatenate(
            [
                np.exp(mean + self.sd * _quantiles(count))
                for mean, count in zip(self.QUALITIES, counts, strict=True)
            ]
        )
        topics = np.repeat(np.eye(len(counts)), counts, axis=0)
        return Catalogue(np.zeros((self.documents, 0)), topics, quality)

    def sample(self, users: int, rng: np.random.Generator) -> Affinities:
        """A type, and affinities around those of the type."""
        kind = (rng.random(users) >= self.TYPES[0]).astype(int)
        means = np.array(self.AFFINITIES)[kind]
        return Affinities(rng.lognormal(means, self.sd).astype(np.float32, order="F"))

    def respond(self, state: Affinities, slate: Slate) -> MultinomialClick:
        """At most one document is clicked."""
        affinity = row_dot(slate.topics, state.affinity[:, None])
        return MultinomialClick(affinity + slate.quality - self.none)

    def click_probability(self, state: Affinities, catalogue: Catalogue) -> Array:
        """Of each document shown alone, `(users, items)`."""
        return sigmoid(state.affinity @ catalogue.topics.T + catalogue.quality - self.none)


@dataclass
class Exposure:
    """What the user was exposed to, the good net of the bad, float32 `(users,)`."""

    net: Array


@dataclass(frozen=True, eq=False)
class LongTermSatisfaction(UserModel):
    """A user who clicks whatever is shown, and is sated by clickbait ("choc") and not by "kale".

    A document of clickbait score c is engaged with for exp(N((choc · c + kale · (1 - c)) ·
    satisfaction, 1)), where satisfaction = σ(sensitivity · exposure). Exposure becomes memory ·
    exposure - 2 (c - 1/2) + N(0, noise²). It is hidden, the clickbait score is seen. At the
    shipped sensitivity of .01 nothing is to be gained by foresight; .3 is where it pays.

    Attributes:
        sensitivity: of satisfaction to exposure.
        documents: in the catalogue.
        memory: share of exposure that is kept.
        noise: in exposure, standard deviation.
        choc: log engagement of a satisfied user with clickbait.
        kale: likewise without.

    Raises:
        ValueError: if a parameter is out of range.
    """

    verified: ClassVar[bool] = True
    feedback_range: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    sensitivity: float = 0.01
    documents: int = 1000
    memory: float = 0.7
    noise: float = 0.05
    choc: float = 5.0
    kale: float = 4.0

    SD: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        check_counts(documents=self.documents)
        if not 0 <= self.memory < 1:
            raise ValueError(f"memory must lie in [0, 1), got {self.memory}")
        for name in ("sensitivity", "noise"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")

    @cached_property
    def hidden_quality(self) -> np.ndarray:
        """What a document does for the user in the long run: 1 - c, float32 `(documents,)`."""
        return 1 - np.asarray(self._catalogue.features[:, 0])

    def default_catalogue(self) -> Catalogue:
        """Documents whose clickbait scores, the only feature, are evenly spread over [0, 1]."""
        return self._catalogue

    @cached_property
    def _catalogue(self) -> Catalogue:
        scores = (np.arange(self.documents)[:, None] + 0.5) / self.documents
        return Catalogue(scores, np.ones((self.documents, 1)), np.zeros(self.documents))

    def sample(self, users: int, rng: np.random.Generator) -> Exposure:
        """Exposure uniform over 1 / (1 - memory) around 0."""
        return Exposure((rng.random(users, np.float32) - np.float32(0.5)) / (1 - self.memory))

    def respond(self, state: Exposure, slate: Slate) -> LogNormalFeedback:
        """Engagement with each document."""
        score = slate.features[..., 0]
        mean = (self.kale + (self.choc - self.kale) * score) * self._satisfaction(state)[:, None]
        return LogNormalFeedback(mean, self.SD)

    def click_probability(self, state: Exposure, catalogue: Catalogue) -> Array:
        """Expected engagement with each document, `(users, items)`."""
        score = catalogue.features[:, 0][None]
        mean = (self.kale + (self.choc - self.kale) * score) * self._satisfaction(state)[:, None]
        return namespace(mean).exp(mean + self.SD**2 / 2)

    def react(self, state: Exposure, slate: Slate, feedback: Array) -> Exposure:
        """What was shown counts."""
        score = slate.features[..., 0]
        bad = score.sum(1) / score.shape[1]
        return Exposure(self.memory * state.net - 2 * (bad - 0.5))

    def drift(self, state: Exposure, elapsed: Array, rng: Stream) -> Exposure:
        """Chance adds to it."""
        return Exposure(state.net + self.noise * rng.normal(state.net.shape[0], 1)[:, 0])

    def _satisfaction(self, state: Exposure) -> Array:
        return sigmoid(self.sensitivity * state.net)


@dataclass(frozen=True)
class Task:
    """Attributes: users, items in a slate, and requests after which a trial is truncated."""

    users: type[UserModel]
    slate: int
    max_requests: int


TASKS: dict[str, Task] = {
    "InterestEvolution": Task(InterestEvolution, 3, 500),
    "InterestExploration": Task(InterestExploration, 2, 100),
    "LongTermSatisfaction": Task(LongTermSatisfaction, 1, 60),
}
"""The published tasks, by name. No policy is known that makes a budget last for 500 requests."""


def recsim_population(task: str = "InterestEvolution", **parameters: Any) -> Population:
    """The users and documents of a published task.

    What differs between users: interests, type and affinities, or exposure at the start. Users of
    all splits see the same documents.

    Args:
        task: a name of `TASKS`.
        parameters: of its users, in place of the published ones, such as `sensitivity`.

    Raises:
        ValueError: if there is no such task, or a parameter is out of range.
    """
    check_task(task, TASKS)
    one = TASKS[task]
    model = one.users(**parameters)
    return Population(
        f"recsim.{task}",
        model,
        model.default_catalogue(),
        slate=one.slate,
        max_requests=one.max_requests,
        repeats=True,
        candidates=CANDIDATES,
    )


class RecSimEnv(RecommendationEnv):
    """A task of RecSim: a slate of one to three, out of ten documents that are drawn anew.

    `InterestEvolution`: interests are seen, and a user has 200 minutes, which good documents make
    last; what is liked is seldom good. `InterestExploration`: the user's type is hidden.
    `LongTermSatisfaction`: clickbait engages, and wears satisfaction out. See the users in this
    module.

    Action space:
        `SlateSpace(10, 3)`, `SlateSpace(10, 2)`, `Discrete(10)`: places among the candidates. A
        slate with a document twice is an error.

    Observation space:
        `Dict`, float32, a function of public history and of what is offered. The width of a
        document is 21 in interest evolution (topic one-hot, a constant 0), 3 in interest
        exploration (topic one-hot, quality) and 3 in long-term satisfaction (clickbait score, two
        constants):

        ==============  =============  ====================================================
        key             shape          meaning
        ==============  =============  ====================================================
        `slate`         (3, width)     the last documents; 2 or 1 in the other tasks
        `feedback`      (3,)           minutes watched, clicks, or engagement
        `new_user`      (1,)           1 in the first observation of a trial
        `new_session`   (1,)           likewise
        `log_elapsed`   (1,)           log(1 + seconds since the last request): log 31
        `position`      (1,)           requests so far
        `context`       (20,)          interests now; in interest evolution alone
        `candidates`    (10, width)    the documents on offer
        ==============  =============  ====================================================

    Rewards:
        The sum of feedback on the slate.

    Starting state:
        A new user of the split.

    Episode end:
        `InterestEvolution`: terminated when the budget is spent. The others: truncated after 100
        and 60 requests.

    Arguments:
        `task` (by the id), `split`, `reward`, `parameters` (those of its users, such as
        `{"sensitivity": 0.3}`), `render_mode`; the vector environment takes `num_envs` and the
        options of `RecommendationVectorEnv`.

    Version history:
        v0: first release.
    """

    def __init__(self, task: str = "InterestEvolution", **options: Any) -> None:
        super().__init__(partial(recsim_population, task), **options)


class RecSimVectorEnv(RecommendationVectorEnv):
    """`RecSimEnv` for many users at once, stepped by the batch engine."""

    def __init__(
        self, num_envs: int = 1, *, task: str = "InterestEvolution", **options: Any
    ) -> None:
        super().__init__(partial(recsim_population, task), num_envs, **options)
