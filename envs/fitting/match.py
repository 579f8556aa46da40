"""Simulated method of moments: parameters under which a simulation looks like the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STEP = 0.08
_DAMPING = (1e-6, 0.1, 1.0, 10.0)
_LONGEST = 0.7
_LEAST_GAIN = 0.999
_FARTHEST = 5.0
_WORST = 1e4

_Distance = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Match:
    """Parameters found by `match_moments`.

    Attributes:
        log_values: natural logarithms of the parameters, `(k,)`.
        log_sd: their standard errors, `(k,)`.
        residual: simulated less observed moments, in their standard errors, `(moments,)`.
    """

    log_values: NDArray[np.float64]
    log_sd: NDArray[np.float64]
    residual: NDArray[np.float64]


def match_moments(
    moments: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    observed: NDArray[np.float64],
    sd: NDArray[np.float64],
    start: NDArray[np.float64],
    steps: int = 12,
) -> Match:
    """Minimise the squared distance of simulated from observed moments by Gauss-Newton.

    Args:
        moments: of a simulation, given the logarithms of its parameters; with common random
            numbers, so that it is nearly smooth.
        observed: moments of the log, `(moments,)`.
        sd: their standard errors.
        start: logarithms of the parameters to start from, `(k,)`; the search goes no farther
            than a factor of e^5.
        steps: of Gauss-Newton at most, each with the best of four dampings.

    Returns:
        The parameters, with standard errors from the curvature at the minimum, widened by the
        misfit where the moments cannot all be met (McFadden 1989, Econometrica 57).
    """

    def within(point: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.clip(point, start - _FARTHEST, start + _FARTHEST)

    def distance(point: NDArray[np.float64]) -> NDArray[np.float64]:
        apart = (moments(within(point)) - observed) / sd
        return np.clip(np.nan_to_num(apart, nan=_WORST), -_WORST, _WORST)

    point, residual = start, distance(start)
    for _ in range(steps):
        tries = [(distance(other), other) for other in _proposals(distance, point, residual)]
        better, where = min(tries, key=lambda pair: float(pair[0] @ pair[0]))
        if better @ better > residual @ residual * _LEAST_GAIN:
            break
        residual, point = better, where
    slope = _slopes(distance, point, residual)
    excess = max(1.0, float(residual @ residual) / max(len(observed) - len(point), 1))
    covariance = np.linalg.pinv(slope.T @ slope) * excess
    return Match(within(point), np.sqrt(np.diag(covariance)), residual)


def _proposals(
    distance: _Distance, point: NDArray[np.float64], residual: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """Levenberg-Marquardt steps from a point, one a damping, of limited length."""
    slope = _slopes(distance, point, residual)
    normal = slope.T @ slope
    scale = np.diag(np.diag(normal) + 1e-9)
    steps = (np.linalg.solve(normal + much * scale, slope.T @ residual) for much in _DAMPING)
    return [point - np.clip(step, -_LONGEST, _LONGEST) for step in steps]


def _slopes(
    distance: _Distance, point: NDArray[np.float64], residual: NDArray[np.float64]
) -> NDArray[np.float64]:
    columns = [(distance(point + _STEP * row) - residual) / _STEP for row in np.eye(len(point))]
    return np.stack(columns, axis=1)
