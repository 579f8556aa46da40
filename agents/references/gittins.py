"""An approximation of the Gittins index for Bernoulli bandits."""

from __future__ import annotations

import numpy as np

from driftrec.agents.references.arms import ArmCounts
from driftrec.agents.references.bernoulli import BernoulliPolicy
from driftrec.envs.arrays import Array


class BernoulliGittins(BernoulliPolicy):
    r"""Pulls the arm of greatest Gittins index, by the approximation of Brezzi and Lai (2002).

    With posterior mean m and variance v, the index of an arm for the discount B is about

        m + sqrt(v) psi(v / (-ln(B) m (1 - m))),

    with psi as in `boundary` ("Optimal learning and experimentation in bandit problems", equation
    16 and the one before it). The discount is that with the horizon which is left,
    B = 1 - 1 / (pulls that are left): the last pull is greedy. The approximation is one for many
    pulls; unknown arms get less than their index where B is moderate.

    Args:
        arms: number of arms.
        pulls: in a whole trial.
    """

    def beta_scores(self, a: Array, b: Array, state: ArmCounts) -> Array:
        """Indices, `(users, arms)`."""
        left = self.remaining(state).astype(np.float64)
        # ln(0) at the last pull: the rate is infinite, and psi(0) is 0.
        rate = np.where(left > 1, -np.log1p(-1 / np.maximum(left, 2)), np.inf)
        mean = a / (a + b)
        # v / (m (1 - m)) of a Beta(a, b) is 1 / (a + b + 1).
        spread = np.sqrt(mean * (1 - mean) / (a + b + 1))
        return mean + spread * boundary(1 / ((a + b + 1) * rate))


def boundary(s: Array) -> Array:
    """The function psi of Brezzi and Lai (2002), a fit to a free boundary; psi(0) = 0."""
    large = np.maximum(s, 15.0)
    root = np.sqrt(np.maximum(s, 0.1))
    tail = np.sqrt(2 * np.log(large) - np.log(np.log(large)) - np.log(16 * np.pi))
    pieces = [np.sqrt(s / 2), 0.49 - 0.11 / root, 0.63 - 0.26 / root, 0.77 - 0.58 / root, tail]
    return np.select([s <= 0.2, s <= 1, s <= 5, s <= 15], pieces[:4], pieces[4])
