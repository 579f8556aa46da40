"""How much items differ in their appeal to everybody, and what each item's quality may be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.fitting.estimate import Estimate, from_user_sums
from driftrec.envs.fitting.logit_normal import LogitNormal
from driftrec.envs.logs.log import InteractionLog
from driftrec.envs.logs.quality import item_quality_posterior


def estimate_quality_sd(log: InteractionLog, scale: LogitNormal, seed: int = 0) -> Estimate:
    """Standard deviation of quality over items in logits, with a bootstrap over items.

    The covariance of two users' clicks on the same item is rho p (1 - p), with rho by the moments
    of `item_quality_posterior`; `scale` turns it into logits.
    """
    n = log.events_per_item()
    seen = n > 1
    clicks = np.bincount(log.item, weights=log.feedback, minlength=log.num_items)[seen]
    n, p = n[seen], float(log.feedback.mean())
    excess = (clicks - n * p) ** 2 / (p * (1 - p) * n) - 1

    def sd(s: NDArray[np.float64]) -> NDArray[np.float64]:
        covariance = np.maximum(s[:, 0] / s[:, 1], 0) * p * (1 - p)
        return np.sqrt(scale.logit_covariance(covariance))

    return from_user_sums(sd, np.stack([excess, n - 1], axis=1), "spread over items, shrunk", seed)


def draw_quality(
    log: InteractionLog, scale: LogitNormal, quality_sd: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Quality of each item in logits at a given user and mood, drawn from its posterior.

    The posterior mean alone would spread too little where items are thinly observed: mean + sd *
    noise has the true spread. `item_quality_posterior` speaks of logits averaged over users and
    moods; at a given user they are larger by sqrt(1 + 0.35 v), v the variance of all the rest.
    """
    posterior = item_quality_posterior(log)
    drawn = posterior.mean + posterior.sd * rng.standard_normal(log.num_items)
    rest = max(scale.variance - quality_sd**2, 0.0)
    return np.asarray(drawn * np.sqrt(1 + 0.35 * rest), np.float32)
