"""RECGym: users who turn towards what pleases them, and away from what does not.

Kiyohara et al. (2023), "SCOPE-RL: A Python Library for Offline Reinforcement Learning and
Off-Policy Evaluation", whose recommender RECGym has the preference dynamics of Dean and Morgenstern
(2022), "Preference Dynamics Under Personalized Recommendations": biased assimilation. Written from
the equations of its documentation and, where it says less, from what the program does ("shipped").

Returns of ten requests with the five items of the program's `RECEnv-v0`. Its hundred users are
those that its seed draws; ours are drawn anew from the law that they were drawn from. "Published"
is of a hundred trials in the authors' notebook `rec_synthetic_discrete_basic`:

================================  ======================  ===========  ============
policy                            published (95%)         their users  users anew
================================  ======================  ===========  ============
random                            -.475 (-.772 to -.174)  -.29         0
DDQN, online                      1.31 (.80 to 1.83)      -            -
CQL, offline                      1.45 (.91 to 1.95)      -            -
the item that pleases most now    -                       5.40         5.70
the best of the five, throughout  -                       5.65         6.02
================================  ======================  ===========  ============

Random items return 0 from users drawn anew, by symmetry; all columns but the published one follow
from the equations. Of the hundred items of `NoisyPreference`, which are shorter, the one that
pleases most now returns 2.11 from their users and 2.07 from users drawn anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from driftrec.envs.arrays import Array, namespace, sigmoid
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.env import RecommendationEnv
from driftrec.envs.feedback import FeedbackDistribution, GaussianFeedback, LogisticClicks
from driftrec.envs.meta_tasks import check_counts, check_noise
from driftrec.envs.population import Population
from driftrec.envs.published.tasks import check_task, seeded_population
from driftrec.envs.random import Stream
from driftrec.envs.user_model import UserModel
from driftrec.envs.vector import RecommendationVectorEnv


@dataclass
class PreferenceState:
    """State of users.

    Attributes:
        preference: float32 `(users, dimension)`; of norm 1 after the first request.
        error: of what is seen of it, in standard deviations, float32 `(users, dimension)`.
    """

    preference: Array
    error: Array


@dataclass(frozen=True, eq=False)
class RecGymUser(UserModel):
    """A user whose preference u moves along the items shown, by how much they please.

    Item x is worth ⟨u, x⟩: the feedback is that with noise, or a click with probability
    σ(⟨u, x⟩). Then u becomes u + step ⟨u, x⟩ x, brought back to norm 1: who likes an item comes to
    like it more, who dislikes it less. The preference is public, as the program has it by default,
    with an error of standard deviation `sight`, cut to [-1, 1].

    Users and items are uniform on [-1, 1]^dimension at first. Shipped, they are then divided by the
    spectral norm of the matrix of all `crowd` users, or all items: long items remain, and move
    users faster, and first preferences are short, so that the first request counts for little. With
    "unit" scaling each of them is brought to norm 1, as in the dynamics of Dean and Morgenstern.

    Users differ in their first preference alone. What fitting it in changed: the program draws its
    users once and picks from them, so that training meets the users of the test; here each is new.
    The program's rewards have no noise by default, which leaves them without a likelihood: here
    there is some. Its binary rewards end in an error, by a misspelt name; here they are clicks. The
    program shows one item at a time; of a slate, the moves add up.

    Attributes:
        items: in the catalogue.
        dimension: numbers of a preference, and of an item.
        crowd: users of the program, whose matrix sets the scale of first preferences.
        step: of preferences, from 0 to 1.
        response: "continuous" or "binary".
        noise: standard deviation of continuous feedback.
        observed: whether the preference is public.
        sight: standard deviation of the error with which it is.
        scaling: "shipped" or "unit".
        seed: of the catalogue and the scale; that of `RECEnv-v0` is 12345.

    Raises:
        ValueError: if a parameter is out of range.
    """

    verified: ClassVar[bool] = True
    feedback_range: ClassVar[tuple[float, float]] = (-float("inf"), float("inf"))

    items: int = 5
    dimension: int = 5
    crowd: int = 100
    step: float = 1.0
    response: str = "continuous"
    noise: float = 0.01
    observed: bool = True
    sight: float = 0.0
    scaling: str = "shipped"
    seed: int = 12345

    def __post_init__(self) -> None:
        check_counts(items=self.items, dimension=self.dimension, crowd=self.crowd)
        check_noise(self.noise)
        if not 0 <= self.step <= 1:
            raise ValueError(f"step must lie in [0, 1], got {self.step}")
        if not 0 <= self.sight < math.inf:
            raise ValueError(f"sight must be finite and 0 or more, got {self.sight}")
        if self.response not in ("continuous", "binary"):
            raise ValueError(f"response must be continuous or binary, got {self.response!r}")
        if self.scaling not in ("shipped", "unit"):
            raise ValueError(f"scaling must be shipped or unit, got {self.scaling!r}")
        if self.observed:
            object.__setattr__(self, "context_size", self.dimension)
        if self.response == "binary":
            object.__setattr__(self, "feedback_range", (0.0, 1.0))

    def default_catalogue(self) -> Catalogue:
        """Items of uniform features, of one topic."""
        return self._catalogue

    @cached_property
    def _catalogue(self) -> Catalogue:
        items = self._drawn[1]
        return Catalogue(items / self._scale(items), np.ones((self.items, 1)), np.zeros(self.items))

    @cached_property
    def _drawn(self) -> tuple[np.ndarray, np.ndarray]:
        """Users and items by the program's generator, in its order: from its seed, its own."""
        rng = np.random.RandomState(self.seed)
        shapes = ((self.crowd, self.dimension), (self.items, self.dimension))
        users, items = (rng.uniform(-1, 1, shape) for shape in shapes)
        return users, items

    def _scale(self, vectors: np.ndarray) -> Any:
        """What to divide vectors by, those of the crowd or the items as they were drawn."""
        if self.scaling == "unit":
            return np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.linalg.norm(vectors, 2)

    def sample(self, users: int, rng: np.random.Generator) -> PreferenceState:
        """Users of uniform preferences."""
        shape = (users, self.dimension)
        preference = rng.uniform(-1, 1, shape)
        preference /= self._scale(preference if self.scaling == "unit" else self._drawn[0])
        error = rng.standard_normal(shape, dtype=np.float32)
        return PreferenceState(preference.astype(np.float32), error)

    def respond(self, state: PreferenceState, slate: Slate) -> FeedbackDistribution:
        """How much each item pleases, independently."""
        worth = self._worth(state, slate)
        if self.response == "binary":
            return LogisticClicks(worth)
        return GaussianFeedback(worth, self.noise)

    def click_probability(self, state: PreferenceState, catalogue: Catalogue) -> Array:
        """Expected feedback on each item, `(users, items)`."""
        worth = state.preference @ catalogue.features.T
        return sigmoid(worth) if self.response == "binary" else worth

    def react(self, state: PreferenceState, slate: Slate, feedback: Array) -> PreferenceState:
        """Preferences move along what is shown, whatever the feedback says."""
        xp = namespace(state.preference)
        pull = (self._worth(state, slate)[:, None] @ slate.features)[:, 0]
        moved = state.preference + self.step * pull
        length = xp.sum(moved * moved, axis=1, keepdims=True) ** 0.5
        return PreferenceState(moved / length, state.error)

    def drift(self, state: PreferenceState, elapsed: Array, rng: Stream) -> PreferenceState:
        """Nothing changes but the error with which the preference is seen."""
        if not self.sight:
            return state
        return PreferenceState(state.preference, rng.normal(*state.preference.shape))

    def context(self, state: PreferenceState) -> Array:
        """What is seen of the preference, `(users, dimension)`, or nothing."""
        if not self.observed:
            return super().context(state)
        seen = state.preference + self.sight * state.error
        return namespace(seen).clip(seen, -1, 1)

    def _worth(self, state: PreferenceState, slate: Slate) -> Array:
        return (slate.features @ state.preference[:, :, None])[..., 0]


TASKS: dict[str, dict[str, Any]] = {
    "Preference": {},
    "NoisyPreference": {"items": 100, "noise": 0.3, "sight": 0.3},
}
"""Parameters of the published tasks, by name, where they are not the defaults: `RECEnv-v0`, and the
example of the program's documentation."""


def recgym_population(task: str = "Preference", **parameters: Any) -> Population:
    """The users and items of a published task, for 10 requests.

    Users of `ood-items` are shown another catalogue of the same kind.

    Args:
        task: a name of `TASKS`.
        parameters: of `RecGymUser`, in place of the published ones.

    Raises:
        ValueError: if there is no such task, or a parameter is out of range.
    """
    check_task(task, TASKS)
    model = RecGymUser(**TASKS[task] | parameters)
    return seeded_population(
        f"recgym.{task}",
        model,
        max_requests=10,
        repeats=True,
    )


class RecGymEnv(RecommendationEnv):
    """RECGym's preference dynamics: ten items for a user who turns towards what pleases.

    See `RecGymUser` for the user. An item that pleases a little pleases more each time that
    it is shown, and is worth its length in the end.

    ===============  =====  =========  ========  =====  =====
    task             items  dimension  requests  noise  sight
    ===============  =====  =========  ========  =====  =====
    Preference       5      5          10        .01    0
    NoisyPreference  100    5          10        .3     .3
    ===============  =====  =========  ========  =====  =====

    Action space:
        `Discrete(items)`: the item to show. Items may be shown again.

    Observation space:
        `Dict`, float32:

        ==============  ==========  ======================================================
        key             shape       meaning
        ==============  ==========  ======================================================
        `slate`         (1, 7)      the last item: 5 features, 1, 0
        `feedback`      (1,)        how much it pleased, any real number
        `new_user`      (1,)        1 in the first observation of a trial
        `new_session`   (1,)        likewise
        `log_elapsed`   (1,)        log(1 + seconds since the last request): log 31
        `position`      (1,)        requests so far
        `context`       (5,)        the preference now, with an error of `sight`, in [-1, 1]
        ==============  ==========  ======================================================

        Without `context` where `parameters={"observed": False}`.

    Rewards:
        The feedback.

    Starting state:
        A new user of the split.

    Episode end:
        Truncated after 10 requests; never terminated.

    Arguments:
        `task` (by the id), `scaling` ("shipped", or "unit"), `split`, `reward`, `parameters` (those
        of `RecGymUser`), `render_mode`; the vector environment takes `num_envs` and the
        options of `RecommendationVectorEnv`.

    Version history:
        v0: first release.
    """

    def __init__(self, task: str = "Preference", scaling: str = "shipped", **options: Any) -> None:
        super().__init__(partial(recgym_population, task, scaling=scaling), **options)


class RecGymVectorEnv(RecommendationVectorEnv):
    """`RecGymEnv` for many users at once, stepped by the batch engine."""

    def __init__(
        self,
        num_envs: int = 1,
        *,
        task: str = "Preference",
        scaling: str = "shipped",
        **options: Any,
    ) -> None:
        super().__init__(partial(recgym_population, task, scaling=scaling), num_envs, **options)
