"""DriftRec/meta.GaussianBandit-v0: bandits whose arms pay normally distributed rewards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from driftrec.envs.arrays import Array, namespace
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.env import RecommendationEnv
from driftrec.envs.feedback import GaussianFeedback
from driftrec.envs.meta_tasks import check_counts, check_noise, one_hot_catalogue, task_population
from driftrec.envs.population import Population
from driftrec.envs.user_model import UserModel
from driftrec.envs.vector import RecommendationVectorEnv


@dataclass
class ArmMeans:
    """Expected reward of each arm, `(users, arms)`."""

    mean: Array


@dataclass(frozen=True, eq=False)
class GaussianBandit(UserModel):
    """A user is a bandit: item j pays N(m_j, sd²) with m_j ~ U[0, 1], drawn once and for all.

    Attributes:
        arms: number of items.
        sd: standard deviation of what an arm pays.
    """

    feedback_range: ClassVar[tuple[float, float]] = (-float("inf"), float("inf"))

    arms: int = 5
    sd: float = 0.3

    def __post_init__(self) -> None:
        check_counts(arms=self.arms)
        check_noise(self.sd)

    def sample(self, users: int, rng: np.random.Generator) -> ArmMeans:
        """Arms with m ~ U[0, 1] (Lee et al. 2023, "Supervised Pretraining Can Learn…")."""
        return ArmMeans(rng.random((users, self.arms), dtype=np.float32))

    def respond(self, state: ArmMeans, slate: Slate) -> GaussianFeedback:
        """Around the mean of the arm that is shown."""
        xp = namespace(state.mean)
        return GaussianFeedback(xp.take_along_axis(state.mean, slate.items, axis=1), self.sd)

    def click_probability(self, state: ArmMeans, catalogue: Catalogue) -> Array:
        """The means of the arms, `(users, arms)`."""
        return state.mean

    def default_catalogue(self) -> Catalogue:
        """Arms that differ in nothing but their number, one-hot."""
        return one_hot_catalogue(self.arms)


def gaussian_population(arms: int = 5, pulls: int = 500, sd: float = 0.3) -> Population:
    """Gaussian bandits with a trial of `pulls` requests."""
    return task_population(f"GaussianBandit-k{arms}-n{pulls}", GaussianBandit(arms, sd), pulls)


class GaussianBanditEnv(RecommendationEnv):
    """A bandit of 5 arms, pulled 500 times: that of the decision-pretrained transformer.

    Arm j pays N(m_j, .3²), with m_j drawn from U[0, 1] for the trial (Lee et al. 2023). An arm
    may be pulled again and again. Published regrets over 500 pulls: Thompson sampling 9.54, UCB
    10.54, the best empirical mean 17.9.

    Action space:
        `Discrete(arms)`: the arm to pull.

    Observation space:
        As `BernoulliBanditEnv`, with `feedback` any real number.

    Rewards:
        What the arm paid.

    Starting state:
        A new bandit. Those of one split never appear in another.

    Episode end:
        Truncated after `pulls` pulls; never terminated.

    Arguments:
        `arms` (5), `pulls` (500), `sd` (.3), `split`, `render_mode`; the vector environment takes
        `num_envs` and the options of `RecommendationVectorEnv`.

    Version history:
        v0: first release.
    """

    def __init__(self, arms: int = 5, pulls: int = 500, sd: float = 0.3, **options: Any) -> None:
        super().__init__(partial(gaussian_population, arms=arms, pulls=pulls, sd=sd), **options)


class GaussianBanditVectorEnv(RecommendationVectorEnv):
    """`GaussianBanditEnv` for many users at once, stepped by the batch engine."""

    def __init__(
        self,
        num_envs: int = 1,
        *,
        arms: int = 5,
        pulls: int = 500,
        sd: float = 0.3,
        **options: Any,
    ) -> None:
        super().__init__(
            partial(gaussian_population, arms=arms, pulls=pulls, sd=sd), num_envs, **options
        )
