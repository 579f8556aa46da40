"""How good an item is for everybody, in logits, shrunk by how little is known of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.logs.log import InteractionLog

# However much items differ, the prior counts as one event, which keeps rates off 0 and 1.
_WEAKEST = 1.0


@dataclass(frozen=True, eq=False)
class QualityPosterior:
    """What a log says of its items' quality.

    Attributes:
        mean: `(items,)` float32, logits above the rate expected where the item was shown.
        sd: `(items,)` float32, posterior standard deviation in logits (delta method).
        strength: a, the prior's weight in events: an item with a events is shrunk half-way.
            Infinite where items differ no more than chance makes them.
        prior_sd: standard deviation of quality over items, in logits (delta method).
    """

    mean: NDArray[np.float32]
    sd: NDArray[np.float32]
    strength: float
    prior_sd: float


def item_quality(log: InteractionLog) -> NDArray[np.float32]:
    """Estimate each item's quality, `(items,)` float32 in logits; see `item_quality_posterior`."""
    return item_quality_posterior(log).mean


def item_quality_posterior(log: InteractionLog) -> QualityPosterior:
    """Estimate the items' quality with empirical-Bayes shrinkage (beta-binomial).

    With n events of an item, c of them clicked, and p the mean rate of the surfaces it was shown
    on, the posterior rate is r = (c + a p) / (n + a), and

        quality = logit(r) - logit(p),    sd = 1 / sqrt((n + a + 1) r (1 - r)).

    The prior's weight a comes from the moments: for a beta-binomial Var(c) = v (1 + (n - 1) rho),
    v = sum of p (1 - p) over the item's events and rho = 1 / (a + 1), hence

        rho = sum over items of [(c - n p)^2 / v - 1] / sum over items of (n - 1)

    (Williams, "Extra-binomial variation in logistic linear models", Applied Statistics 31, 1982).
    Quality is averaged over users and moods: at one user's given level and mood it is larger, by
    about sqrt(1 + 0.35 (variance of those in logits)).

    Args:
        log: the log; where it has surfaces, an item is compared with others on the same surface.
    """
    expected = _expected_rate(log)
    n = log.events_per_item()
    clicks = _sum_by_item(log, log.feedback)
    base = _sum_by_item(log, expected)
    noise = _sum_by_item(log, _variance(expected))
    rate = np.where(n > 0, base / np.maximum(n, 1), log.feedback.mean())
    strength = _prior_strength(clicks - base, noise, n)
    # Written as a weight so that an infinite strength leaves the rate at its prior.
    weight = n / (n + strength)
    posterior = (1 - weight) * rate + weight * clicks / np.maximum(n, 1)
    return QualityPosterior(
        mean=(_logit(posterior) - _logit(rate)).astype(np.float32),
        sd=(1 / np.sqrt((n + strength + 1) * _variance(posterior))).astype(np.float32),
        strength=strength,
        prior_sd=float(1 / np.sqrt((strength + 1) * _variance(expected).mean())),
    )


def _sum_by_item(log: InteractionLog, values: NDArray[np.floating]) -> NDArray[np.float64]:
    total = np.bincount(log.item, weights=values, minlength=log.num_items)
    return total.astype(np.float64)


def _expected_rate(log: InteractionLog) -> NDArray[np.float64]:
    """Return each event's rate by surface; half a click and half a skip keep it off 0 and 1."""
    surface = np.zeros(log.num_events, dtype=np.int64) if log.surface is None else log.surface
    _, group = np.unique(surface, return_inverse=True)
    clicks = np.bincount(group, weights=log.feedback)
    rate: NDArray[np.float64] = ((clicks + 0.5) / (np.bincount(group) + 1))[group]
    return rate


def _prior_strength(
    surplus: NDArray[np.float64], noise: NDArray[np.float64], n: NDArray[np.int64]
) -> float:
    seen = n > 0
    excess = float(np.sum(surplus[seen] ** 2 / noise[seen] - 1))
    freedom = float(np.sum(n[seen] - 1))
    return max(freedom / excess - 1, _WEAKEST) if min(excess, freedom) > 0 else float("inf")


def _logit(rate: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log(rate) - np.log1p(-rate)


def _variance(rate: NDArray[np.float64]) -> NDArray[np.float64]:
    return rate * (1 - rate)
