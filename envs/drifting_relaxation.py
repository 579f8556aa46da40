"""How the default user's mood, whims, satiation, satisfaction and boredom relax with time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftrec.envs.arrays import Array, columns_of, like, namespace

if TYPE_CHECKING:
    from driftrec.envs.drifting_user import DriftingUser


class Relaxation:
    """Exact transitions of `DriftingUserState.relaxing` over any time.

    Attributes:
        columns: the column of `Traits.rate` that each column of `relaxing` relaxes by.
        transient: number of its columns that chance moves: mood, and a whim a topic.
        sd: stationary standard deviations of mood and of whims, `(2,)`.
    """

    def __init__(self, model: DriftingUser) -> None:
        topics = model.topics
        self.columns = np.array([0] + [1] * topics + [2] * topics + [3, 3, 4])
        self.transient = 1 + topics
        self.sd = np.array([model.mood_sd, model.whim_sd], np.float32)

    def over(self, relaxing: Array, rate: Array, days: Array, noise: Array) -> Array:
        """What `relaxing` has become after `days`.

        Args:
            relaxing: `(users, 4 + 2 topics)`.
            rate: `Traits.rate`, `(users, 5)`.
            days: `(users,)`.
            noise: standard normal, `(users, transient)`.
        """
        fresh, kept = self.factors(days[:, None], rate)
        after = kept * relaxing
        transient = after[:, : self.transient]
        transient += fresh * noise
        return after

    def factors(self, days: Array, rate: Array) -> tuple[Array, Array]:
        """What noise and `relaxing` are multiplied by over `days`.

        Args:
            days: `(users, 1)`, or one number.
            rate: `Traits.rate`, `(users, 5)`.

        Returns:
            `(users, transient)` and `(users, 4 + 2 topics)`.
        """
        xp, columns = namespace(rate), like(rate, self.columns)
        decay = -days * rate
        by_chance = decay[:, :2]
        gained = like(rate, self.sd) * xp.sqrt(-xp.expm1(by_chance + by_chance))
        fresh = columns_of(gained, columns[: self.transient])
        return fresh, columns_of(xp.exp(decay), columns)
