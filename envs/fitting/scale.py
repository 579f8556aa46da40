"""The scale of logits of a log: how much the logit of a click varies, everything included."""

from __future__ import annotations

from driftrec.envs.fitting.clicks import ClickCovariance, estimate_level_sd
from driftrec.envs.fitting.logit_normal import LogitNormal
from driftrec.envs.fitting.quality import estimate_quality_sd
from driftrec.envs.logs.log import InteractionLog

_ROUNDS = 4


def click_scale(log: InteractionLog, passing_variance: float) -> LogitNormal:
    """Logit-normal law of a log's clicks, by fixed point.

    Covariances of clicks are turned into logits by a scale that itself needs the variance of the
    logits. Level and quality come from the log; taste, mood and whim, which it shows less
    surely, from `passing_variance`.

    Args:
        log: the log.
        passing_variance: of taste, mood and whim together, in squared logits.
    """
    rate = float(log.feedback.mean())
    scale = LogitNormal.of_rate(rate, 1.0 + passing_variance)
    for _ in range(_ROUNDS):
        level = estimate_level_sd(ClickCovariance(log, scale, draws=2))
        quality = estimate_quality_sd(log, scale)
        variance = passing_variance + level.value**2 + quality.value**2
        scale = LogitNormal.of_rate(rate, variance)
    return scale
