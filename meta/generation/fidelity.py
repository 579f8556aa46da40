"""How like real users generated ones are, and whether they are copies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftrec.meta.generation.generator import Standardiser

NEIGHBOURS = 5
"""Neighbours that span the ball around a real user in `Fidelity.coverage`."""


@dataclass(frozen=True)
class Fidelity:
    """Generated users beside real ones that the generator was not trained on.

    All is measured on numbers that vary, in units of the training users' standard deviations.

    Attributes:
        mean_error: largest difference of a mean, in standard deviations.
        sd_ratio: the standard deviation's ratio to the real one, furthest from 1.
        correlation_error: root mean square difference of correlations.
        ks: largest Kolmogorov-Smirnov statistic of a marginal.
        neighbour_accuracy: share of users whose nearest neighbour in the union of as many of
            both is of their own kind: .5 if nothing tells them apart, 1 if all does (Lopez-Paz
            and Oquab 2017, "Revisiting classifier two-sample tests").
        coverage: share of real users with a generated one among their nearest real neighbours
            (Naeem et al. 2020, "Reliable fidelity and diversity metrics", equation 5).
        copying: how often a generated user lies nearer to a training user than a held-out real one
            does: .5 for new users of the same kind, 1 for copies (Meehan et al. 2020, "A
            non-parametric test to detect data-copying", section 3).
    """

    mean_error: float
    sd_ratio: float
    correlation_error: float
    ks: float
    neighbour_accuracy: float
    coverage: float
    copying: float


def fidelity(training: np.ndarray, held_out: np.ndarray, generated: np.ndarray) -> Fidelity:
    """Compare generated users with real ones.

    Args:
        training: vectors of the users whom the generator was trained on, `(users, size)`.
        held_out: of other real users.
        generated: as many as `held_out`.

    Raises:
        ValueError: if the last two differ in shape, or there are too few.
    """
    if held_out.shape != generated.shape or len(held_out) <= NEIGHBOURS:
        raise ValueError(
            f"held_out and generated must be more than {NEIGHBOURS} users each and as many, got "
            f"shapes {held_out.shape} and {generated.shape}"
        )
    units = Standardiser.of(training)
    known, real, made = (units.apply(vectors) for vectors in (training, held_out, generated))
    ratios = made.std(0) / real.std(0)
    correlations = np.corrcoef(made.T) - np.corrcoef(real.T)
    return Fidelity(
        mean_error=float(abs(made.mean(0) - real.mean(0)).max()),
        sd_ratio=float(ratios[abs(np.log(ratios)).argmax()]),
        correlation_error=float(np.sqrt(np.square(correlations).mean())),
        ks=max(ks_statistic(a, b) for a, b in zip(made.T, real.T, strict=True)),
        neighbour_accuracy=neighbour_accuracy(real, made),
        coverage=coverage(real, made),
        copying=copying(known, real, made),
    )


def ks_statistic(first: np.ndarray, second: np.ndarray) -> float:
    """Largest difference of two samples' distribution functions (Kolmogorov-Smirnov)."""
    points = np.concatenate([first, second])
    functions = [
        np.searchsorted(np.sort(sample), points, side="right") / len(sample)
        for sample in (first, second)
    ]
    return float(abs(functions[0] - functions[1]).max())


def neighbour_accuracy(real: np.ndarray, made: np.ndarray) -> float:
    """Leave-one-out accuracy of telling two equally large samples apart by nearest neighbours."""
    union = np.concatenate([real, made])
    kind = np.arange(len(union)) >= len(real)
    distance = squared_distances(union, union)
    np.fill_diagonal(distance, np.inf)
    return float((kind[distance.argmin(1)] == kind).mean())


def coverage(real: np.ndarray, made: np.ndarray) -> float:
    """Share of real users with a generated one no further than their k-th real neighbour."""
    among = squared_distances(real, real)
    np.fill_diagonal(among, np.inf)
    radius = np.partition(among, NEIGHBOURS - 1, axis=1)[:, NEIGHBOURS - 1]
    return float((squared_distances(real, made).min(1) <= radius).mean())


def copying(known: np.ndarray, real: np.ndarray, made: np.ndarray) -> float:
    """Chance that a generated user lies nearer to the training users than a real one, ties half."""
    near_made = np.sort(squared_distances(made, known).min(1))
    near_real = squared_distances(real, known).min(1)
    below = np.searchsorted(near_made, near_real, side="left")
    up_to = np.searchsorted(near_made, near_real, side="right")
    return float((below + up_to).mean() / (2 * len(made)))


def squared_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances of all pairs, `(first, second)`."""
    ours, theirs = np.square(first).sum(1)[:, None], np.square(second).sum(1)
    distances: np.ndarray = np.maximum(ours + theirs - 2 * first @ second.T, 0)
    return distances
