"""DriftRec/meta.BernoulliBandit-v0: the standard task of meta-reinforcement learning."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from driftrec.envs.arrays import Array, namespace
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.env import RecommendationEnv
from driftrec.envs.feedback import IndependentClicks
from driftrec.envs.meta_tasks import check_counts, one_hot_catalogue, task_population
from driftrec.envs.population import Population
from driftrec.envs.user_model import UserModel
from driftrec.envs.vector import RecommendationVectorEnv


@dataclass
class Arms:
    """Success probability of each arm, `(users, arms)`."""

    probability: Array


@dataclass(frozen=True, eq=False)
class BernoulliBandit(UserModel):
    """A user is a bandit: item j is clicked with a probability drawn uniformly, once and for all.

    Attributes:
        arms: number of items.
    """

    arms: int = 5

    def __post_init__(self) -> None:
        check_counts(arms=self.arms)

    def sample(self, users: int, rng: np.random.Generator) -> Arms:
        """Arms with p ~ U[0, 1] (Duan et al. 2016, section 3.1)."""
        return Arms(rng.random((users, self.arms), dtype=np.float32))

    def respond(self, state: Arms, slate: Slate) -> IndependentClicks:
        """A click with the probability of the arm that is shown."""
        xp = namespace(state.probability)
        return IndependentClicks(xp.take_along_axis(state.probability, slate.items, axis=1))

    def click_probability(self, state: Arms, catalogue: Catalogue) -> Array:
        """The probabilities of the arms, `(users, arms)`."""
        return state.probability

    def default_catalogue(self) -> Catalogue:
        """Arms that differ in nothing but their number, one-hot."""
        return one_hot_catalogue(self.arms)


def bernoulli_population(arms: int = 5, pulls: int = 10) -> Population:
    """Bernoulli bandits with a trial of `pulls` requests."""
    return task_population(f"BernoulliBandit-k{arms}-n{pulls}", BernoulliBandit(arms), pulls)


class BernoulliBanditEnv(RecommendationEnv):
    """A bandit of k arms, pulled n times: the first task of Duan et al. (2016, section 3.1).

    Arm j pays 1 with a probability drawn from U[0, 1] for the trial, else 0. An arm may be pulled
    again and again. The exact Bayes-adaptive optimum for n = 10 is 6.660 (k = 5) and 6.714
    (k = 10 and more).

    Action space:
        `Discrete(arms)`: the arm to pull.

    Observation space:
        `Dict`, float32, a function of public history alone:

        ==============  =============  ===================================================
        key             shape          meaning
        ==============  =============  ===================================================
        `slate`         (1, arms + 2)  the last arm one-hot, one topic, no quality
        `feedback`      (1,)           what it paid
        `new_user`      (1,)           1 in the first observation of a trial
        `new_session`   (1,)           likewise
        `log_elapsed`   (1,)           log(1 + seconds since the last pull): log 31
        `position`      (1,)           pulls so far
        ==============  =============  ===================================================

    Rewards:
        What the arm paid, 0 or 1.

    Starting state:
        A new bandit. Those of one split never appear in another.

    Episode end:
        Truncated after `pulls` pulls; never terminated.

    Arguments:
        `arms` (5), `pulls` (10), `split`, `render_mode`; the vector environment takes
        `num_envs` and the options of `RecommendationVectorEnv`.

    Version history:
        v0: first release.
    """

    def __init__(self, arms: int = 5, pulls: int = 10, **options: Any) -> None:
        super().__init__(partial(bernoulli_population, arms=arms, pulls=pulls), **options)


class BernoulliBanditVectorEnv(RecommendationVectorEnv):
    """`BernoulliBanditEnv` for many users at once, stepped by the batch engine."""

    def __init__(
        self, num_envs: int = 1, *, arms: int = 5, pulls: int = 10, **options: Any
    ) -> None:
        super().__init__(partial(bernoulli_population, arms=arms, pulls=pulls), num_envs, **options)
