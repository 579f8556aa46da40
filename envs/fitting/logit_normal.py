"""From covariances of clicks to covariances of logits, when logits are Gaussian."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

_ORDER = 24
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(96)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(frozen=True)
class LogitNormal:
    """Clicks whose logit is N(mean, variance) over users, items and moments.

    With f(z) = sigmoid(mean + sqrt(variance) z) and h_k = E[f(z) He_k(z)] / sqrt(k!) its
    coefficients over the normalised Hermite polynomials, two logits with correlation r have

        Cov(click, click') = sum over k >= 1 of h_k^2 r^k

    (Mehler's formula). It rises in r, so a covariance of clicks gives back that of the logits.

    Attributes:
        mean: of the logit.
        variance: of the logit, everything included.
    """

    mean: float
    variance: float

    @staticmethod
    def of_rate(rate: float, variance: float) -> LogitNormal:
        """The one with this variance whose click rate is `rate`."""
        low, high = -30.0, 30.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (
                (middle, high) if LogitNormal(middle, variance).rate < rate else (low, middle)
            )
        return LogitNormal((low + high) / 2, variance)

    @cached_property
    def _coefficients(self) -> NDArray[np.float64]:
        """Squares of h_0 .. h_24."""
        value = _sigmoid(self.mean + self.variance**0.5 * _NODES)
        before, now, squares = np.zeros_like(_NODES), np.ones_like(_NODES), []
        for k in range(_ORDER + 1):
            squares.append(float(_WEIGHTS @ (value * now)) ** 2)
            before, now = now, (_NODES * now - k**0.5 * before) / (k + 1) ** 0.5
        return np.array(squares)

    @property
    def rate(self) -> float:
        """Click rate."""
        return float(_WEIGHTS @ _sigmoid(self.mean + self.variance**0.5 * _NODES))

    @property
    def slope(self) -> float:
        """Mean rise of the click probability per logit, E[p (1 - p)]."""
        p = _sigmoid(self.mean + self.variance**0.5 * _NODES)
        return float(_WEIGHTS @ (p * (1 - p)))

    def click_covariance(self, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Covariance of two clicks whose logits have this covariance."""
        correlation = np.asarray(covariance) / max(self.variance, 1e-12)
        powers = correlation[..., None] ** np.arange(1, _ORDER + 1)
        return np.asarray(powers @ self._coefficients[1:])

    def logit_covariance(self, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Covariance of two logits whose clicks have this covariance; clipped to +-variance."""
        grid = np.linspace(-self.variance, self.variance, 801)
        return np.interp(covariance, self.click_covariance(grid), grid)

    def shift_between(self, rate: float, other: float) -> float:
        """Logits by which users and items of click rate `rate` fall to reach `other`."""
        start = LogitNormal.of_rate(rate, self.variance).mean
        return start - LogitNormal.of_rate(other, self.variance).mean


def _sigmoid(logit: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-logit)))
