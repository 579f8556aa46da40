"""RecoGym: shoppers who view products of their own accord and are shown one every now and then.

Rohde et al. (2018), "RecoGym: A Reinforcement Learning Environment for the problem of Product
Recommendation in Online Advertising". Written from what the authors' program does, in its versions
v0 and v1, which differ in how views and clicks come about.

Click-through with the products that the program draws from its seed 42 (v1), in percent, as its
notebooks report it with 95% intervals, and here over 3000 users with these products:

====================================  ===================  =========
policy                                published            here
====================================  ===================  =========
10 products, random                   1.09 (1.01 to 1.16)  1.13
10 products, random, 1 flip           1.13 (1.11 to 1.16)  1.13
10 products, in proportion to views   1.37 (1.29 to 1.46)  1.36
100 products, random                  1.08 (1.01 to 1.15)  1.04
====================================  ===================  =========
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, replace
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
    rows_of,
    rows_where,
    sigmoid,
)
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.env import RecommendationEnv
from driftrec.envs.feedback import IndependentClicks
from driftrec.envs.meta_tasks import check_counts
from driftrec.envs.population import Population
from driftrec.envs.published.tasks import check_task, seeded_population
from driftrec.envs.random import Stream
from driftrec.envs.user_model import ReturnGap, UserModel
from driftrec.envs.vector import RecommendationVectorEnv

BITS = 24
"""Random bits of a uniform draw: they bound the longest session that can be drawn."""

BELOW_ONE = 1 - 2**-20
"""Keeps a share of a total below that total, whatever float32 makes of their product."""


@dataclass
class Shopper:
    """State of users; only `interest` and what a click leads to are hidden.

    Attributes:
        interest: `(users, factors)`; in v0 the cluster, one-hot.
        viewed: product viewed last, int64 `(users,)`.
        views: organic views since the last recommendation, float32 `(users,)`.
        seen: sum of the features of the products viewed in them, `(users, d)`.
        clicked: 1 where the last recommendation was clicked, float32 `(users,)`.
    """

    interest: Array
    viewed: Array
    views: Array
    seen: Array
    clicked: Array


@dataclass(frozen=True, eq=False)
class RecoGymUser(UserModel):
    """A shopper whose organic sessions alternate with bandit ones, by a Markov chain.

    After a view there is another one, or the next event is a recommendation (`organic_to_bandit`),
    or the user leaves for good (`leave_organic`). After a recommendation there is another one, or a
    view (`bandit_to_organic`), or the user leaves (`leave_bandit`); but a click is always followed
    by a view. A request is a recommendation. The views before it are public, as `context`: how many
    there were since the last recommendation, the sum of the features of what was viewed in them,
    and the features of what was viewed last, then or earlier. In v1 the first two are all that
    views say of an interest that does not move.

    The chain is the original's, but for users who leave before they are shown anything, one of 26:
    there is no trial of them. The views of an organic session that ends with the user leaving are
    not seen, since nobody is there to be shown anything. The program reads the chance of leaving
    after a recommendation from the setting for views; both are .01 there and here.

    Attributes:
        products: in the catalogue.
        organic_to_bandit: chance that a recommendation follows a view.
        bandit_to_organic: chance that a view follows a recommendation.
        leave_organic: chance of leaving after a view.
        leave_bandit: chance of leaving after a recommendation.
        seed: of the catalogue.

    Raises:
        ValueError: if a parameter is out of range.
    """

    verified: ClassVar[bool] = True

    products: int = 10
    organic_to_bandit: float = 0.25
    bandit_to_organic: float = 0.05
    leave_organic: float = 0.01
    leave_bandit: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        check_counts(products=self.products)
        for to, leave in (("organic_to_bandit", "organic"), ("bandit_to_organic", "bandit")):
            one, other = getattr(self, to), getattr(self, f"leave_{leave}")
            if min(one, other) < 0 or not one + other <= 1:
                raise ValueError(
                    f"{to} and leave_{leave} must be chances of at most 1 together, "
                    f"got {one} and {other}"
                )
        if self.organic_to_bandit == 0:
            raise ValueError("organic_to_bandit must be positive: there would be no requests")
        object.__setattr__(self, "context_size", 1 + 2 * self._dimension)

    @property
    @abstractmethod
    def _dimension(self) -> int:
        """Number of features."""

    @property
    @abstractmethod
    def _factors(self) -> int:
        """Number of interests."""

    @property
    def _step_sd(self) -> float:
        """Standard deviation of a step of an interest."""
        return 0.0

    @abstractmethod
    def _new_interests(self, users: int, rng: np.random.Generator) -> np.ndarray:
        """Interests of new users, float32 `(users, factors)`."""

    @abstractmethod
    def _view_weights(self, interest: Array) -> Array:
        """Chances that products are viewed, up to a factor, `(views, products)`."""

    @property
    def _lost(self) -> float:
        """Chance that an organic session ends with the user leaving."""
        return self.leave_organic / (self.leave_organic + self.organic_to_bandit)

    @property
    def _ended(self) -> float:
        """Chance that no other recommendation follows one that is not clicked."""
        return self.leave_bandit + self.bandit_to_organic * self._lost

    @cached_property
    def _log_again(self) -> float:
        """Logarithm of the chance that a view follows a view."""
        again = 1 - self.organic_to_bandit - self.leave_organic
        return math.log(again) if again > 0 else -math.inf

    @cached_property
    def _longest(self) -> int:
        """Views of the longest session that a uniform draw can stand for."""
        return 1 + math.ceil(BITS * math.log(2) / -self._log_again)

    def default_catalogue(self) -> Catalogue:
        """The products; a view of one, and a click on it, are drawn by its number."""
        return self._catalogue

    @cached_property
    @abstractmethod
    def _catalogue(self) -> Catalogue: ...

    def sample(self, users: int, rng: np.random.Generator) -> Shopper:
        """Users after their first organic session, given that they did not leave in it."""
        state = Shopper(
            self._new_interests(users, rng),
            np.zeros(users, np.int64),
            np.zeros(users, np.float32),
            np.zeros((users, self._dimension), np.float32),
            np.zeros(users, np.float32),
        )
        chance = rng.random((users, 1 + self._longest), np.float32)
        steps = None
        if self._step_sd:
            steps = rng.standard_normal((users, self._longest, self._factors), np.float32)
            steps[:, 0] = 0
        return self._after_sessions(state, np.arange(users), chance, steps)

    def react(self, state: Shopper, slate: Slate, feedback: Array) -> Shopper:
        """A click is kept in mind."""
        clicks = namespace(feedback).sum(feedback, axis=1)
        return replace(state, clicked=as_float32(clicks > 0))

    def leave(self, state: Shopper) -> Array:
        """Chance that there is no other recommendation, now or after an organic session."""
        return self._ended + state.clicked * (self._lost - self._ended)

    def return_after(self, state: Shopper) -> ReturnGap:
        """Never."""
        always = 1 + 0 * state.clicked
        return ReturnGap(never=always, median=always)

    def drift(self, state: Shopper, elapsed: Array, rng: Stream) -> Shopper:
        """The organic session, if there is one, before the next recommendation."""
        users, clicked = state.clicked.shape[0], state.clicked > 0
        chance = rng.uniform(users, 2 + self._longest)
        steps = None
        if self._step_sd:
            steps = rng.normal(users, self._longest, self._factors)
        # Given that another recommendation follows, as it does for all who have not left.
        views = self.bandit_to_organic * (1 - self._lost)
        rows = rows_where(clicked | (chance[:, 0] * (1 - self._ended) < views))
        if steps is not None:
            # The chain's own step to a view moves the interest; that after a click does not.
            steps = rows_of(steps, rows)
            steps[:, 0] = (1 - rows_of(state.clicked, rows))[:, None] * steps[:, 0]
        none = 0 * state.clicked
        state = replace(state, views=none, seen=0 * state.seen, clicked=0 * none)
        return self._after_sessions(state, rows, rows_of(chance, rows)[:, 1:], steps)

    def context(self, state: Shopper) -> Array:
        """Views since the last recommendation, sum of their features, those of the last view."""
        last = self._table("_features", state.viewed)[state.viewed]
        return namespace(last).concat([state.views[:, None], state.seen, last], axis=1)

    def _after_sessions(
        self, state: Shopper, rows: Array, chance: Array, steps: Array | None
    ) -> Shopper:
        """States after organic sessions of the users at some rows.

        Args:
            state: before them, of all users.
            rows: who has a session.
            chance: uniform draws for its length and for each view, `(rows, 1 + longest)`.
            steps: normal draws by which interests move before each view, `(rows, longest,
                factors)`, or None where they never do.
        """
        interest, viewed, views, seen = (
            duplicate(array) for array in (state.interest, state.viewed, state.views, state.seen)
        )
        if rows.shape[0]:
            xp = namespace(viewed)
            more = xp.floor(xp.log1p(-chance[:, 0]) / self._log_again)
            length = xp.astype(xp.clip(1 + more, 1, self._longest), xp.int64)
            turns = xp.arange(self._longest, dtype=xp.int64, device=viewed.device)
            row, turn = xp.nonzero(turns < length[:, None])
            last = xp.cumulative_sum(length) - 1
            now = rows_of(interest, rows)[:, None]
            path = now[row, 0]
            if steps is not None:
                path = (now + self._step_sd * xp.cumulative_sum(steps, axis=1))[row, turn]
                interest[rows] = path[last]
            product = _drawn(self._view_weights(path), chance[row, 1 + turn])
            features = xp.zeros(
                (rows.shape[0], self._longest, self._dimension),
                dtype=xp.float32,
                device=viewed.device,
            )
            features[row, turn] = self._table("_features", viewed)[product]
            viewed[rows], views[rows] = product[last], xp.astype(length, xp.float32)
            seen[rows] = xp.sum(features, axis=1)
        return Shopper(interest, viewed, views, seen, duplicate(state.clicked))

    @property
    def _features(self) -> np.ndarray:
        return np.asarray(self._catalogue.features)

    @cached_property
    def _copies(self) -> dict[tuple[str, str], Array]:
        return {}

    def _table(self, name: str, array: Array) -> Array:
        """A table of the model in the library, and on the device, of an array."""
        if type(array) is np.ndarray:
            return getattr(self, name)
        key = (name, str(array.device))
        if key not in self._copies:
            self._copies[key] = like(array, getattr(self, name))
        return self._copies[key]


def _drawn(weights: Array, chance: Array) -> Array:
    """Numbers drawn with chances proportional to weights, by inversion, int64 `(draws,)`."""
    xp = namespace(weights)
    upper = xp.cumulative_sum(weights, axis=1)
    share = (BELOW_ONE * chance)[:, None] * upper[:, -1:]
    return xp.sum(xp.astype(upper <= share, xp.int64), axis=1)


@dataclass(frozen=True, eq=False)
class RecoGymV0(RecoGymUser):
    """A shopper of version v0, who views products of one cluster only.

    Every view is of a product of the user's cluster, each as likely. Product a is clicked, when
    product v was viewed last, with probability σ(.4 · clusters · [same cluster] + φ_av - 5), where
    the φ are normal, drawn once for each pair. Features are the product's number, one-hot, and
    topics its cluster, so that a model holds some numbers for each pair of products: 10,000 of them
    take gigabytes, as in the program.

    Users differ in their cluster, and in what they happen to view. See `RecoGymUser` for the rest.

    Attributes:
        clusters: of products, of equal size.
        pair_sd: standard deviation of φ.
    """

    clusters: int = 2
    pair_sd: float = 0.1**0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(clusters=self.clusters)
        if self.products % self.clusters:
            raise ValueError(
                f"products must be a multiple of clusters, got {self.products} and {self.clusters}"
            )

    @property
    def _dimension(self) -> int:
        return self.products

    @property
    def _factors(self) -> int:
        return self.clusters

    @cached_property
    def _catalogue(self) -> Catalogue:
        return Catalogue(np.eye(self.products), self._cluster, np.zeros(self.products))

    @cached_property
    def _cluster(self) -> np.ndarray:
        """The cluster of each product, one-hot, `(products, clusters)`."""
        each = self.products // self.clusters
        return np.repeat(np.eye(self.clusters, dtype=np.float32), each, axis=0)

    @cached_property
    def _pairs(self) -> np.ndarray:
        """φ, `(viewed last, recommended)`."""
        rng = np.random.default_rng([self.seed, self.products])
        normal = rng.standard_normal((self.products, self.products), np.float32)
        return np.float32(self.pair_sd) * normal

    def _new_interests(self, users: int, rng: np.random.Generator) -> np.ndarray:
        return np.eye(self.clusters, dtype=np.float32)[rng.integers(self.clusters, size=users)]

    def _view_weights(self, interest: Array) -> Array:
        return interest @ self._table("_cluster", interest).T

    def respond(self, state: Shopper, slate: Slate) -> IndependentClicks:
        """A click on what goes with the product viewed last."""
        same = row_dot(self._table("_cluster", slate.items)[slate.items], state.interest[:, None])
        pairs = self._table("_pairs", slate.items)[state.viewed[:, None], slate.items]
        return IndependentClicks(self._click(same, pairs))

    def click_probability(self, state: Shopper, catalogue: Catalogue) -> Array:
        """Of each product, `(users, products)`."""
        same = self._view_weights(state.interest)
        return self._click(same, self._table("_pairs", state.viewed)[state.viewed])

    def _click(self, same: Array, pairs: Array) -> Array:
        return sigmoid(0.4 * self.clusters * same + pairs - 5)


@dataclass(frozen=True, eq=False)
class RecoGymV1(RecoGymUser):
    """A shopper of version v1, whose interests decide on views and clicks, and move with views.

    Products have normal features Γ and normal popularities μ. With the interest ω, product p is
    viewed with a probability proportional to exp(⟨Γ_p, ω⟩ + μ_p), and clicked with probability
    f(⟨Γ_q, ω⟩ + μ_q), f(x) = σ(5 σ(2 σ(.3 x) - 2) - 6): between .4% and 2.9%. Here q is p, unless
    p is one of `flips` pairs of products that have changed places in clicks: the two of the largest
    inner product, then the two of the largest of those left, and so on. Before each view to which
    the chain leads ω takes a normal step; the first view and that after a click come without one.
    (The program can be set to let interests move at recommendations too; by default it does not.)

    Features and quality of the catalogue are Γ and μ. Agents of the original know products by their
    number alone.

    Users differ in their interest, standard normal at first, and in how it moves. See
    `RecoGymUser` for the rest.

    Attributes:
        factors: numbers of an interest.
        interest_sd: standard deviation of first interests.
        step_sd: of their steps.
        popularity_sd: of μ.
        flips: pairs of products whose clicks are exchanged.
    """

    factors: int = 5
    interest_sd: float = 1.0
    step_sd: float = 0.1
    popularity_sd: float = 3.0
    flips: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(factors=self.factors)
        for name in ("interest_sd", "step_sd", "popularity_sd"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if not 0 <= self.flips <= self.products // 2:
            raise ValueError(
                f"flips must lie in [0, {self.products // 2}] (pairs of products), got {self.flips}"
            )

    @property
    def _dimension(self) -> int:
        return self.factors

    @property
    def _factors(self) -> int:
        return self.factors

    @property
    def _step_sd(self) -> float:
        return self.step_sd

    @cached_property
    def _catalogue(self) -> Catalogue:
        rng = np.random.default_rng([self.seed, self.products])
        features = rng.standard_normal((self.products, self.factors))
        popularity = self.popularity_sd * rng.standard_normal(self.products)
        return Catalogue(features, np.ones((self.products, 1)), popularity)

    @property
    def _popularity(self) -> np.ndarray:
        return np.asarray(self._catalogue.quality)

    @cached_property
    def _flipped(self) -> np.ndarray:
        """The product by which each is clicked, int64 `(products,)`."""
        by, features = np.arange(self.products), self._features
        if self.flips:
            alike = features @ features.T
            np.fill_diagonal(alike, 0)
            for _ in range(self.flips):
                one, other = np.unravel_index(alike.argmax(), alike.shape)
                by[one], by[other] = other, one
                alike[[one, other]] = alike[:, [one, other]] = -np.inf
        return by

    @cached_property
    def _click_features(self) -> Array:
        return self._features[self._flipped]

    @cached_property
    def _click_popularity(self) -> Array:
        return self._popularity[self._flipped]

    def _new_interests(self, users: int, rng: np.random.Generator) -> np.ndarray:
        return self.interest_sd * rng.standard_normal((users, self.factors), np.float32)

    def _view_weights(self, interest: Array) -> Array:
        logits = interest @ self._table("_features", interest).T
        logits = logits + self._table("_popularity", interest)
        xp = namespace(logits)
        return xp.exp(logits - xp.max(logits, axis=1, keepdims=True))

    def respond(self, state: Shopper, slate: Slate) -> IndependentClicks:
        """A click on what meets the interest."""
        features = self._table("_click_features", slate.items)[slate.items]
        popularity = self._table("_click_popularity", slate.items)[slate.items]
        return IndependentClicks(_click(row_dot(features, state.interest[:, None]) + popularity))

    def click_probability(self, state: Shopper, catalogue: Catalogue) -> Array:
        """Of each product, `(users, products)`."""
        match = state.interest @ self._table("_click_features", state.interest).T
        return _click(match + self._table("_click_popularity", state.interest))


def _click(match: Array) -> Array:
    return sigmoid(5 * sigmoid(2 * sigmoid(0.3 * match) - 2) - 6)


TASKS: dict[str, type[RecoGymUser]] = {"v0": RecoGymV0, "v1": RecoGymV1}
"""The users of the published versions, by name."""


def recogym_population(task: str = "v1", **parameters: Any) -> Population:
    """The users and products of a version, shown one product at a time.

    A trial is cut off after 500 recommendations, which one user of 500 reaches; the original knows
    no limit. Users of `ood-items` are shown other products of the same kind.

    Args:
        task: a name of `TASKS`.
        parameters: of its users, in place of the published ones.

    Raises:
        ValueError: if there is no such version, or a parameter is out of range.
    """
    check_task(task, TASKS)
    model = TASKS[task](**parameters)
    return seeded_population(
        f"recogym.{task}",
        model,
        slate=1,
        max_requests=500,
        repeats=True,
    )


class RecoGymEnv(RecommendationEnv):
    """A version of RecoGym: one product at a time, between the user's own views of products.

    See `RecoGymV0` and `RecoGymV1` for the users. Clicks are rare, 1% to 3%, and the views, of
    which there are about four in each organic session, say what a user is interested in. d is the
    number of features: the number of products in v0, 5 in v1.

    Action space:
        `Discrete(products)`: the product to recommend.

    Observation space:
        `Dict`, float32, a function of public history alone:

        ===============  ===========  ==========================================================
        key              shape        meaning
        ===============  ===========  ==========================================================
        `slate` (v0)     (1, d + 3)   the last product: number one-hot, cluster one-hot of 2, 0
        `slate` (v1)     (1, d + 2)   the last product: features, 1, popularity
        `feedback`       (1,)         whether it was clicked
        `new_user`       (1,)         1 in the first observation of a trial
        `new_session`    (1,)         likewise
        `log_elapsed`    (1,)         log(1 + seconds since the last request): log 31
        `position`       (1,)         recommendations so far
        `context`        (1 + 2d,)    number of organic views since the last recommendation; sum
                                      of the features of what was viewed in them; features of
                                      what was viewed last
        ===============  ===========  ==========================================================

    Rewards:
        1 for a click.

    Starting state:
        A new user of the split, after a first organic session.

    Episode end:
        Terminated when the user leaves, after 82 recommendations in the mean; truncated after 500.

    Arguments:
        `task` (by the id), `products` (10, to 10,000), `split`, `reward`, `parameters`,
        `render_mode`; the vector environment takes `num_envs` and the options of
        `RecommendationVectorEnv`.

    Version history:
        v0: first release.
    """

    def __init__(self, task: str = "v1", products: int = 10, **options: Any) -> None:
        super().__init__(partial(recogym_population, task, products=products), **options)


class RecoGymVectorEnv(RecommendationVectorEnv):
    """`RecoGymEnv` for many users at once, stepped by the batch engine."""

    def __init__(
        self, num_envs: int = 1, *, task: str = "v1", products: int = 10, **options: Any
    ) -> None:
        super().__init__(partial(recogym_population, task, products=products), num_envs, **options)
