"""An approximation of the Gittins index for Bernoulli bandits."""

from __future__ import annotations

import numpy as np

from driftrec.agents.references.arms import ArmCounts
from driftrec.agents.references.bernoulli import BernoulliPolicy
from driftrec.envs.arrays import Array


class BernoulliGittins(BernoulliPolicy):
    r"""Pulls the arm of greatest Gittins index, by the approximation of Chick and Gans (2009).

    With posterior mean m and variance v, the index of an arm for the discount B is about

        m + sqrt(v) psi(v / (-ln(B) m (1 - m))),

    the form of Brezzi and Lai (2002, "Optimal learning and experimentation in bandit problems"),
    with psi as in `boundary`. With r pulls left the discount is B = (r - 1) / (r + 1), under which
    rewards lie as far ahead on average as the pulls that are left do; the last pull is greedy.

    Sums of clicks are taken for normal, so that indices of arms that were hardly pulled are too
    large, by .05 to .15: see `BernoulliIndex` for exact ones. It does best with few arms.

    Args:
        arms: number of arms.
        pulls: in a whole trial.
    """

    def beta_scores(self, a: Array, b: Array, state: ArmCounts) -> Array:
        """Indices, `(users, arms)`."""
        left = self.remaining(state)
        # ln(0) at the last pull: the rate is infinite, and psi(0) is 0.
        rate = np.where(left > 1, np.log((left + 1) / np.maximum(left - 1, 1)), np.inf)
        mean = a / (a + b)
        # v / (m (1 - m)) of a Beta(a, b) is 1 / (a + b + 1).
        spread = np.sqrt(mean * (1 - mean) / (a + b + 1))
        return mean + spread * boundary(1 / ((a + b + 1) * rate))


def boundary(s: Array) -> Array:
    """The free boundary of optimal stopping over sqrt(s), psi(s), with psi(0) = 0.

    A fit by Chick and Gans (2009, "Economic analysis of simulation selection problems") in the
    middle, with the limits of Brezzi and Lai (2002) below 1/7 and above 100.
    """
    log = np.log(np.maximum(s, 1 / 7))
    fit = np.exp(-0.02645 * log**2 + 0.89106 * log - 0.4873 - log / 2)
    log = np.log(np.maximum(s, 100))
    limit = np.sqrt(2 * log - np.log(log) - np.log(16 * np.pi))
    return np.select([s <= 1 / 7, s <= 100], [np.sqrt(s / 2), fit], limit)
