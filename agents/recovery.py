"""How long it takes to be back after tastes have jumped."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from driftrec.agents.evaluation import Evaluation
from driftrec.agents.metrics import METRICS, Metric, pooled
from driftrec.agents.statistics import ratio


def recovery(
    evaluation: Evaluation,
    weights: np.ndarray,
    jump: int,
    share: float = 0.9,
    window: int = 5,
    before: int = 20,
) -> np.ndarray:
    """Requests after a jump until CTR is back at a share of what it was, `(draws,)`.

    What it was is the CTR of the last requests before the jump. What it is, is pooled over
    `window` requests around each that follow the jump, and never over those before it.

    Args:
        evaluation: of users whose tastes jump.
        weights: `(draws, users)`.
        jump: requests before the jump, that is, the first one after it counted from 0.
        share: of the CTR before.
        window: requests (odd) that are pooled.
        before: requests that say what CTR was.

    Returns:
        1 where it never was lower; where it never came back, one more than the requests that
        there are after the jump. NaN where nobody was there at the jump.

    Raises:
        ValueError: if there are no requests before the jump, or none after it.
    """
    if not 0 < jump < evaluation.requests:
        raise ValueError(f"jump must lie in [1, {evaluation.requests - 1}], got {jump}")
    shown = evaluation.active * np.float32(evaluation.slate)
    early, late = slice(max(jump - before, 0), jump), slice(jump, None)
    level = ratio(weights @ evaluation.feedback[:, early].sum(1), weights @ shown[:, early].sum(1))
    curve = ratio(
        pooled(weights @ evaluation.feedback[:, late], window),
        pooled(weights @ shown[:, late], window),
    )
    back = curve >= share * level[:, None]
    first = np.where(back.any(1), back.argmax(1) + 1.0, back.shape[1] + 1.0)
    return np.where(np.isnan(curve[:, 0]) | np.isnan(level), np.nan, first)


def recovery_metrics(jump: int) -> dict[str, Metric]:
    """The metric "recovery" for users whose tastes jump at a request."""
    return {"recovery": replace(METRICS["recovery"], measure=partial(recovery, jump=jump))}
