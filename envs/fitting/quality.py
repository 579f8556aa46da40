"""How much items differ in their appeal to everybody, and what each item's quality may be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.fitting.estimate import Estimate, from_user_sums
from driftrec.envs.fitting.logit_normal import LogitNormal
from driftrec.envs.fitting.residuals import on_items
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
    log: InteractionLog, items: NDArray[np.int64], variance: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Quality of some items in logits at a given user and mood, drawn from its posterior.

    The posterior mean alone would spread too little where items are thinly observed: mean + sd *
    noise has the true spread. `item_quality_posterior` speaks of logits averaged over users and
    moods; at a given user they are larger by sqrt(1 + 0.35 variance).

    Args:
        log: the log; the items' own events alone say how much they differ.
        items: codes of the items.
        variance: of the logit of a click on a given item.
        rng: draws the noise.

    Returns:
        `(items,)`, 0 at the click rate of the whole log.
    """
    own = on_items(log, items)
    posterior = item_quality_posterior(own)
    drawn = posterior.mean[items] + posterior.sd[items] * rng.standard_normal(len(items))
    above = _logit(float(own.feedback.mean())) - _logit(float(log.feedback.mean()))
    return np.asarray((drawn + above) * np.sqrt(1 + 0.35 * variance), np.float32)


def _logit(rate: float) -> float:
    return float(np.log(rate / (1 - rate)))
