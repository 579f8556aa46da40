"""An estimate with its interval, and the bootstrap over users that gives the interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 200
"""Bootstrap draws of an interval."""


@dataclass(frozen=True)
class Estimate:
    """A parameter as a log gives it.

    Attributes:
        value: the estimate.
        low: lower end of the 95% interval.
        high: upper end of it.
        note: what the log says or does not say, in a few words.
    """

    value: float
    low: float
    high: float
    note: str = ""

    def __str__(self) -> str:
        if np.isnan(self.low):
            return f"{self.value:.3g}"
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"

    def scaled(self, factor: float, note: str) -> Estimate:
        """The estimate times a factor, with `note` put behind its own."""
        value, low, high = (factor * end for end in (self.value, self.low, self.high))
        return Estimate(value, low, high, f"{self.note}; {note}")

    @property
    def interval(self) -> str:
        """The interval in brackets, or a dash where there is none."""
        return "-" if np.isnan(self.low) else f"[{self.low:.3g}, {self.high:.3g}]"


def assumed(value: float, note: str) -> Estimate:
    """A value that the log does not identify: no interval, and a note of where it comes from."""
    return Estimate(value, float("nan"), float("nan"), note)


def user_weights(users: int, seed: int = 0, draws: int = DRAWS) -> NDArray[np.float64]:
    """Poisson(1) weights of a bootstrap over users, `(draws, users)`.

    Poisson weights are the multinomial ones with the total left free, which is as good for
    ratios of sums (Hanley and MacGibbon 2006, "Creating non-parametric bootstrap samples using
    Poisson frequencies").
    """
    return np.random.default_rng([seed, users]).poisson(1.0, (draws, users)).astype(np.float64)


def from_user_sums(
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    sums: NDArray[np.float64],
    note: str = "",
    seed: int = 0,
) -> Estimate:
    """Estimate a function of sums over users, with a bootstrap interval.

    Args:
        statistic: maps totals `(draws, k)` to values `(draws,)`.
        sums: what each user adds to the totals, `(users, k)`.
        note: kept in the estimate.
        seed: of the bootstrap.
    """
    value = statistic(sums.sum(0)[None])
    return summary(float(value[0]), statistic(user_weights(len(sums), seed) @ sums), note)


def summary(value: float, draws: NDArray[np.float64], note: str = "") -> Estimate:
    """The estimate `value` with the 2.5% and 97.5% quantiles of its bootstrap draws."""
    low, high = np.nanquantile(draws, [0.025, 0.975])
    return Estimate(value, float(low), float(high), note)
