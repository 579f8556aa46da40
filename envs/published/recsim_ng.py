"""RecSim NG's interest evolution: what is watched longest makes a user like less of it.

Mladenov et al. (2021), "RecSim NG: Toward Principled Uncertainty Modeling for Recommender
Ecosystems", as its application `recsys_partially_observable_rl` has it. Documents of low quality
are watched longer at once, and move the user's interests away from them; those of high quality are
watched less, and draw interests near. Interests are hidden. Users differ in their first interests.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from driftrec.envs.arrays import Array, namespace, row_dot, sigmoid
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.env import RecommendationEnv
from driftrec.envs.feedback import MultinomialClick, WorthOfClicks
from driftrec.envs.meta_tasks import check_counts
from driftrec.envs.population import Population
from driftrec.envs.published.tasks import check_task, seeded_population
from driftrec.envs.user_model import UserModel
from driftrec.envs.vector import RecommendationVectorEnv

TRASHY = 0.7
"""Share of the topics whose mean quality is below 0."""

QUALITY_SD = 0.1
FEATURE_SD = 0.7


@dataclass
class Interests:
    """Interest in each topic, float32 `(users, topics)`."""

    interest: Array


@dataclass(frozen=True, eq=False)
class InterestEvolution(UserModel):
    """A user whose interests move with what they watch.

    A document d with features x is chosen with the odds exp(2 - ‖u - x‖) against 1 for none of the
    slate, and watched for length · σ(-quality). Interests then become squash(u + step · quality ·
    (x - u)) where x was watched, squash(u) elsewhere, with squash(v) = 4 bound (σ(v / bound) -
    1/2).

    Attributes:
        topics: numbers of an interest.
        documents: in the catalogue.
        step: of interests towards what is watched.
        bound: scale of interests; they stay within twice of it.
        length: of documents.
        seed: of the catalogue.

    Raises:
        ValueError: if a parameter is out of range.
    """

    verified: ClassVar[bool] = True
    feedback_range: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    topics: int = 2
    documents: int = 100
    step: float = 0.1
    bound: float = 10.0
    length: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_counts(topics=self.topics, documents=self.documents)
        if not (self.bound > 0 and self.length > 0):
            raise ValueError(
                f"bound and length must be positive, got {self.bound} and {self.length}"
            )

    def default_catalogue(self) -> Catalogue:
        """Documents of one topic each: features N(one-hot, .7²), quality N(that of the topic, .1²).

        Mean qualities of the first 70% of topics go from -1 to 0, of the rest from 0 to 1.
        """
        return self._catalogue

    @cached_property
    def _catalogue(self) -> Catalogue:
        rng = np.random.default_rng([self.seed, self.topics, self.documents])
        trashy = int(self.topics * TRASHY)
        means = np.concatenate(
            [np.linspace(-1, 0, trashy), np.linspace(0, 1, self.topics - trashy)]
        )
        topic = rng.integers(self.topics, size=self.documents)
        one_hot = np.eye(self.topics)[topic]
        return Catalogue(
            rng.normal(one_hot, FEATURE_SD), one_hot, rng.normal(means[topic], QUALITY_SD)
        )

    def sample(self, users: int, rng: np.random.Generator) -> Interests:
        """Standard normal interests."""
        return Interests(rng.standard_normal((users, self.topics), dtype=np.float32))

    def respond(self, state: Interests, slate: Slate) -> WorthOfClicks:
        """At most one document is watched."""
        away = slate.features - state.interest[:, None]
        distance = row_dot(away, away) ** 0.5
        return WorthOfClicks(MultinomialClick(2 - distance), self._time(slate.quality))

    def click_probability(self, state: Interests, catalogue: Catalogue) -> Array:
        """Expected time with each document shown alone, `(users, items)`."""
        xp, interest, features = namespace(state.interest), state.interest, catalogue.features
        squares = xp.sum(interest * interest, axis=1)[:, None] + xp.sum(features**2, axis=1)
        squared = xp.clip(squares - 2 * interest @ features.T, min=0)
        return sigmoid(2 - squared**0.5) * self._time(catalogue.quality)

    def react(self, state: Interests, slate: Slate, feedback: Array) -> Interests:
        """Interests move to what was watched if it was good, away from it if it was not."""
        xp = namespace(feedback)
        watched = xp.astype(feedback > 0, xp.float32)
        pull = (watched * slate.quality)[:, None]
        to, weight = (pull @ slate.features)[:, 0], xp.sum(pull, axis=2)
        moved = state.interest + self.step * (to - weight * state.interest)
        return Interests(4 * self.bound * (sigmoid(moved / self.bound) - 0.5))

    def _time(self, quality: Array) -> Array:
        return self.length * sigmoid(-quality)


TASKS: dict[str, dict[str, Any]] = {"InterestEvolution": {}}
"""Parameters of the published tasks, by name, where they are not the defaults."""


def recsim_ng_population(task: str = "InterestEvolution", **parameters: Any) -> Population:
    """Users of the bundled application: slates of two documents, 100 requests.

    Users of `ood-items` are shown another catalogue of the same kind.

    Args:
        task: a name of `TASKS`.
        parameters: of `InterestEvolution`, in place of the published ones.

    Raises:
        ValueError: if there is no such task, or a parameter is out of range.
    """
    check_task(task, TASKS)
    model = InterestEvolution(**TASKS[task] | parameters)
    return seeded_population(
        f"recsim_ng.{task}",
        model,
        slate=2,
        max_requests=100,
        repeats=True,
    )


class RecSimNGEnv(RecommendationEnv):
    """RecSim NG's partially observable interest evolution: slates of 2 out of 100 documents.

    See `InterestEvolution` for the user. What is watched longest now is what the user turns away
    from.

    Action space:
        `SlateSpace(100, 2)`: the documents to show. A slate with a document twice is an error.

    Observation space:
        `Dict`, float32, a function of public history alone:

        ==============  ==========  ======================================================
        key             shape       meaning
        ==============  ==========  ======================================================
        `slate`         (2, 5)      the last documents: 2 features, topic one-hot, quality
        `feedback`      (2,)        time for which each was watched
        `new_user`      (1,)        1 in the first observation of a trial
        `new_session`   (1,)        likewise
        `log_elapsed`   (1,)        log(1 + seconds since the last request): log 31
        `position`      (1,)        requests so far
        ==============  ==========  ======================================================

    Rewards:
        Time for which a document of the slate was watched, 0 if none was.

    Starting state:
        A new user of the split.

    Episode end:
        Truncated after 100 requests; never terminated.

    Arguments:
        `split`, `reward`, `parameters` (those of `InterestEvolution`), `render_mode`; the vector
        environment takes `num_envs` and the options of `RecommendationVectorEnv`.

    Version history:
        v0: first release.
    """

    def __init__(self, task: str = "InterestEvolution", **options: Any) -> None:
        super().__init__(partial(recsim_ng_population, task), **options)


class RecSimNGVectorEnv(RecommendationVectorEnv):
    """`RecSimNGEnv` for many users at once, stepped by the batch engine."""

    def __init__(
        self, num_envs: int = 1, *, task: str = "InterestEvolution", **options: Any
    ) -> None:
        super().__init__(partial(recsim_ng_population, task), num_envs, **options)
