"""DriftRec/meta.LinearBandit-v0: bandits whose arms share a few hidden numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from driftrec.envs.arrays import Array, namespace
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.env import RecommendationEnv
from driftrec.envs.feedback import GaussianFeedback
from driftrec.envs.meta_tasks import check_counts, check_noise, task_population
from driftrec.envs.population import Population
from driftrec.envs.user_model import UserModel
from driftrec.envs.vector import RecommendationVectorEnv

ARMS_SEED = 22
"""Of arms on which LinUCB and Thompson sampling lose about what is published."""


@dataclass
class Taste:
    """What a user likes, `(users, dimension)`."""

    weights: Array


@dataclass(frozen=True, eq=False)
class LinearBandit(UserModel):
    """A user is a linear bandit: item j pays N(<w, x_j>, sd²), with w ~ N(0, I/d) for the user.

    Attributes:
        arms: number of items.
        dimension: d, of the features x and of the weights w.
        sd: standard deviation of what an arm pays.
        arms_seed: of the features, which are the same for all users.
    """

    feedback_range: ClassVar[tuple[float, float]] = (-float("inf"), float("inf"))

    arms: int = 10
    dimension: int = 2
    sd: float = 0.3
    arms_seed: int = ARMS_SEED

    def __post_init__(self) -> None:
        check_counts(arms=self.arms, dimension=self.dimension)
        check_noise(self.sd)

    def sample(self, users: int, rng: np.random.Generator) -> Taste:
        """Weights from N(0, I/d) (Lee et al. 2023, "Supervised Pretraining Can Learn…")."""
        weights = rng.standard_normal((users, self.dimension), dtype=np.float32)
        return Taste(weights / np.float32(np.sqrt(self.dimension)))

    def respond(self, state: Taste, slate: Slate) -> GaussianFeedback:
        """Around the inner product of weights and features."""
        xp = namespace(state.weights)
        means = xp.sum(slate.features * state.weights[:, None, :], axis=-1)
        return GaussianFeedback(means, self.sd)

    def click_probability(self, state: Taste, catalogue: Catalogue) -> Array:
        """The means of the arms, `(users, arms)`."""
        return state.weights @ catalogue.features.T

    def default_catalogue(self) -> Catalogue:
        """Arms with features from N(0, I/d), drawn once."""
        rng = np.random.default_rng([self.arms, self.dimension, self.arms_seed])
        features = rng.standard_normal((self.arms, self.dimension)) / np.sqrt(self.dimension)
        return Catalogue(features, np.ones((self.arms, 1)), np.zeros(self.arms))


def linear_population(
    arms: int = 10,
    pulls: int = 200,
    dimension: int = 2,
    sd: float = 0.3,
    arms_seed: int = ARMS_SEED,
) -> Population:
    """Linear bandits with a trial of `pulls` requests, all with the same arms."""
    model = LinearBandit(arms, dimension, sd, arms_seed)
    return task_population(f"LinearBandit-k{arms}-n{pulls}", model, pulls)


class LinearBanditEnv(RecommendationEnv):
    """A linear bandit of 10 arms, pulled 200 times: that of the decision-pretrained transformer.

    Arm j pays N(<w, x_j>, .3²): the features x of the arms are drawn from N(0, I/d), once for all
    trials and splits, and are the catalogue's; w is drawn from N(0, I/d) for the trial (Lee et al.
    2023). Published regrets over 200 pulls: LinUCB 3.97, linear Thompson sampling
    4.00. They depend on the arms, which were not published: over the seeds 0 to 11 of the arms the
    regret of Thompson sampling lies between 3.2 and 4.7. The default arms were chosen among 60
    since both lose about as much on them (4.0 and 3.9).

    Action space:
        `Discrete(arms)`: the arm to pull.

    Observation space:
        As `BernoulliBanditEnv`, with `slate` (1, dimension + 2): the features of the last arm, one
        topic and no quality; and `feedback` any real number.

    Rewards:
        What the arm paid.

    Starting state:
        A new bandit. Those of one split never appear in another.

    Episode end:
        Truncated after `pulls` pulls; never terminated.

    Arguments:
        `arms` (10), `pulls` (200), `dimension` (2), `sd` (.3), `arms_seed` (22), `split`,
        `render_mode`; the vector environment takes `num_envs` and the options of
        `RecommendationVectorEnv`.

    Version history:
        v0: first release.
    """

    def __init__(
        self,
        arms: int = 10,
        pulls: int = 200,
        dimension: int = 2,
        sd: float = 0.3,
        arms_seed: int = ARMS_SEED,
        **options: Any,
    ) -> None:
        population = partial(
            linear_population, arms=arms, pulls=pulls, dimension=dimension, sd=sd,
            arms_seed=arms_seed,
        )  # fmt: skip
        super().__init__(population, **options)


class LinearBanditVectorEnv(RecommendationVectorEnv):
    """`LinearBanditEnv` for many users at once, stepped by the batch engine."""

    def __init__(
        self,
        num_envs: int = 1,
        *,
        arms: int = 10,
        pulls: int = 200,
        dimension: int = 2,
        sd: float = 0.3,
        arms_seed: int = ARMS_SEED,
        **options: Any,
    ) -> None:
        population = partial(
            linear_population, arms=arms, pulls=pulls, dimension=dimension, sd=sd,
            arms_seed=arms_seed,
        )  # fmt: skip
        super().__init__(population, num_envs, **options)
