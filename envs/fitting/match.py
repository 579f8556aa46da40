"""Simulated method of moments: parameters under which a simulation looks like the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STEP = 0.08
_DAMPING = (0.0, 0.1, 1.0, 10.0)


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
    steps: int = 6,
) -> Match:
    """Minimise the squared distance of simulated from observed moments by Gauss-Newton.

    Args:
        moments: of a simulation, given the logarithms of its parameters; with common random
            numbers, so that it is nearly smooth.
        observed: moments of the log, `(moments,)`.
        sd: their standard errors.
        start: logarithms of the parameters to start from, `(k,)`.
        steps: of Gauss-Newton, each with the best of four dampings.

    Returns:
        The parameters, with standard errors from the curvature at the minimum, widened by the
        misfit where the moments cannot all be met (McFadden 1989, Econometrica 57).
    """

    def distance(point: NDArray[np.float64]) -> NDArray[np.float64]:
        return (moments(point) - observed) / sd

    point, residual = start, distance(start)
    for _ in range(steps):
        slope = _slopes(distance, point, residual)
        normal = slope.T @ slope
        scale = np.diag(np.diag(normal) + 1e-9)
        tries = [
            point
            + np.clip(-np.linalg.solve(normal + damping * scale, slope.T @ residual), -0.7, 0.7)
            for damping in (1e-6, *_DAMPING[1:])
        ]
        found = min(
            ((distance(other), other) for other in tries), key=lambda pair: pair[0] @ pair[0]
        )
        if found[0] @ found[0] > residual @ residual * 0.999:
            break
        residual, point = found
    slope = _slopes(distance, point, residual)
    excess = max(1.0, float(residual @ residual) / max(len(observed) - len(point), 1))
    covariance = np.linalg.pinv(slope.T @ slope) * excess
    return Match(point, np.sqrt(np.diag(covariance)), residual)


def _slopes(
    distance: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    point: NDArray[np.float64],
    residual: NDArray[np.float64],
) -> NDArray[np.float64]:
    columns = [(distance(point + _STEP * row) - residual) / _STEP for row in np.eye(len(point))]
    return np.stack(columns, axis=1)
