"""Biased assimilation: users come to like more what they like, and less what they do not.

Dean and Morgenstern (2022), "Preference Dynamics Under Personalized Recommendations", whose model
of influence is that of Hązła, Jin, Mossel and Ramnarayan (2019) on opinions. The preference u of a
user and the items v lie on the unit sphere. An item is rated ⟨u, v⟩ with Gaussian noise, and moves
the user:

    u ← (u + η ⟨u, v⟩ v), brought back to norm 1.

Showing one item with rating c at first again and again makes the rating grow in size, to c
(1 + η)^n / √(c² (1 + η)^{2n} + 1 - c²) after n requests: the tangent of the angle between u and v,
or -v, shrinks by 1 + η each time. So always showing one item that is liked has bounded regret
against ratings of 1, as the paper says of a large class of policies; an item orthogonal to u leaves
the user as they are.

Ours are the numbers: how items and users are distributed, and that users differ in η.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from driftrec.envs.arrays import Array, namespace
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.env import RecommendationEnv
from driftrec.envs.feedback import GaussianFeedback
from driftrec.envs.meta_tasks import check_counts, check_noise
from driftrec.envs.population import Population
from driftrec.envs.published.tasks import check_task, seeded_population
from driftrec.envs.user_model import UserModel
from driftrec.envs.vector import RecommendationVectorEnv


@dataclass
class Preference:
    """Hidden state of users.

    Attributes:
        preference: u, of norm 1, float32 `(users, dimension)`.
        influence: η, float32 `(users,)`.
    """

    preference: Array
    influence: Array


@dataclass(frozen=True, eq=False)
class BiasedAssimilation(UserModel):
    """A user whose preference moves along what is shown, as far as it is liked.

    Users differ in their preference, uniform on the sphere, and in their influence η, uniform on a
    range. Where several items are shown at once, which is ours, their moves add up.

    Attributes:
        dimension: numbers of a preference.
        items: in the catalogue, uniform on the sphere.
        influence: the lowest and the highest η; equal for users who differ in preference alone.
        sd: standard deviation of ratings.
        seed: of the catalogue.

    Raises:
        ValueError: if a parameter is out of range.
    """

    verified: ClassVar[bool] = True
    feedback_range: ClassVar[tuple[float, float]] = (-float("inf"), float("inf"))

    dimension: int = 5
    items: int = 100
    influence: tuple[float, float] = (0.0, 0.2)
    sd: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        check_counts(dimension=self.dimension, items=self.items)
        check_noise(self.sd)
        least, most = self.influence
        if not 0 <= least <= most < float("inf"):
            raise ValueError(
                f"influence must be (lowest, highest), finite, 0 or more, got {self.influence}"
            )

    def default_catalogue(self) -> Catalogue:
        """Items uniform on the sphere, of one topic, without quality."""
        return self._catalogue

    @cached_property
    def _catalogue(self) -> Catalogue:
        rng = np.random.default_rng([self.seed, self.items, self.dimension])
        features = _on_the_sphere(rng, self.items, self.dimension)
        return Catalogue(features, np.ones((self.items, 1)), np.zeros(self.items))

    def sample(self, users: int, rng: np.random.Generator) -> Preference:
        """Preferences uniform on the sphere."""
        preference = _on_the_sphere(rng, users, self.dimension)
        return Preference(preference, rng.uniform(*self.influence, users).astype(np.float32))

    def respond(self, state: Preference, slate: Slate) -> GaussianFeedback:
        """Ratings around the inner products."""
        return GaussianFeedback(_ratings(state, slate), self.sd)

    def react(self, state: Preference, slate: Slate, feedback: Array) -> Preference:
        """The preference moves, whatever the noise of the rating was."""
        pull = (_ratings(state, slate)[:, None] @ slate.features)[:, 0]
        moved = state.preference + state.influence[:, None] * pull
        norm = namespace(moved).sum(moved * moved, axis=1, keepdims=True) ** 0.5
        return replace(state, preference=moved / norm)

    def click_probability(self, state: Preference, catalogue: Catalogue) -> Array:
        """Expected rating of each item, `(users, items)`."""
        return state.preference @ catalogue.features.T


def _ratings(state: Preference, slate: Slate) -> Array:
    """Without noise, `(users, slate)`."""
    return (slate.features @ state.preference[:, :, None])[..., 0]


def _on_the_sphere(rng: np.random.Generator, rows: int, dimension: int) -> np.ndarray:
    normal = rng.standard_normal((rows, dimension))
    unit: np.ndarray = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    return unit.astype(np.float32)


TASKS: dict[str, dict[str, Any]] = {"BiasedAssimilation": {}}
"""Parameters of the tasks, by name, where they are not the defaults."""


def preference_dynamics_population(
    task: str = "BiasedAssimilation", **parameters: Any
) -> Population:
    """Users whose preferences move with what is shown, for 100 requests.

    Users of `ood-items` are shown another catalogue of the same kind.

    Args:
        task: a name of `TASKS`.
        parameters: of `BiasedAssimilation`, in place of the task's.

    Raises:
        ValueError: if there is no such task, or a parameter is out of range.
    """
    check_task(task, TASKS)
    model = BiasedAssimilation(**TASKS[task] | parameters)
    return seeded_population(
        f"preference_dynamics.{task}",
        model,
        max_requests=100,
        repeats=True,
    )


class PreferenceDynamicsEnv(RecommendationEnv):
    """Biased assimilation: a user who grows fonder of what is liked, and less so of what is not.

    See `BiasedAssimilation` for the user. What is shown while it is not known whether the user
    likes it makes itself liked, or disliked.

    Action space:
        `Discrete(100)`: the item to show.

    Observation space:
        `Dict`, float32, a function of public history alone:

        ==============  ==========  ======================================================
        key             shape       meaning
        ==============  ==========  ======================================================
        `slate`         (1, 7)      the last item: 5 features, one topic, no quality
        `feedback`      (1,)        its rating, any real number
        `new_user`      (1,)        1 in the first observation of a trial
        `new_session`   (1,)        likewise
        `log_elapsed`   (1,)        log(1 + seconds since the last request): log 31
        `position`      (1,)        requests so far
        ==============  ==========  ======================================================

    Rewards:
        The rating, in [-1, 1] but for noise.

    Starting state:
        A new user of the split.

    Episode end:
        Truncated after 100 requests; never terminated.

    Arguments:
        `split`, `reward`, `parameters` (those of `BiasedAssimilation`), `render_mode`; the
        vector environment takes `num_envs` and the options of `RecommendationVectorEnv`.

    Version history:
        v0: first release.
    """

    def __init__(self, task: str = "BiasedAssimilation", **options: Any) -> None:
        super().__init__(partial(preference_dynamics_population, task), **options)


class PreferenceDynamicsVectorEnv(RecommendationVectorEnv):
    """`PreferenceDynamicsEnv` for many users at once, stepped by the batch engine."""

    def __init__(
        self, num_envs: int = 1, *, task: str = "BiasedAssimilation", **options: Any
    ) -> None:
        super().__init__(partial(preference_dynamics_population, task), num_envs, **options)
