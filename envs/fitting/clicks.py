"""Level, mood, whims and taste by topic, from the covariance of a user's clicks over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.fitting import reference
from driftrec.envs.fitting.estimate import DRAWS, Estimate, summary, user_weights
from driftrec.envs.fitting.logit_normal import LogitNormal
from driftrec.envs.fitting.pairs import pair_sums
from driftrec.envs.logs.log import InteractionLog

LASTING_DAYS = 1.0
"""Lag from which moods and whims are over."""

MOOD_HOURS = np.geomspace(0.25, 24, 60)
WHIM_MINUTES = np.geomspace(1.0, 120, 60)


class ClickCovariance:
    """The covariances of a log's clicks, on the scale of logits, with bootstrap draws.

    Args:
        log: the log.
        scale: turns covariances of clicks into those of logits.
        seed: of the bootstrap.
        draws: of the bootstrap.

    Attributes:
        lag: mean lag of each bin, in minutes, `(bins,)`.
        shared: covariance of the logits of different topics; row 0 is the estimate, the others
            are bootstrap draws, `(1 + draws, bins)`.
        topical: what two events on the same topic have more, likewise.
    """

    def __init__(
        self, log: InteractionLog, scale: LogitNormal, seed: int = 0, draws: int = DRAWS
    ) -> None:
        pairs = pair_sums(log)
        weights = user_weights(log.num_users, seed, draws)
        fit = pairs.regress(np.concatenate([np.ones((1, log.num_users)), weights]))
        self.lag = fit[0, :, 2]
        self.shared = scale.logit_covariance(fit[..., 0])
        self.topical = scale.logit_covariance(fit[..., 0] + fit[..., 1]) - self.shared
        self._counts = pairs.sums[:, :, 0].sum(0)

    @property
    def lasting(self) -> NDArray[np.bool_]:
        """Bins at which moods and whims are over, `(bins,)`."""
        return np.asarray(np.nan_to_num(self.lag) >= LASTING_DAYS * 1440)

    def plateau(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean of `shared` or `topical` over the lasting bins, by pairs, `(1 + draws,)`."""
        weight = np.where(self.lasting & np.isfinite(values).all(0), self._counts, 0)
        if not weight.any():
            return np.zeros(len(values))
        return np.asarray(np.nan_to_num(values) @ weight / weight.sum())

    def decay(
        self, values: NDArray[np.float64], times: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Fit `amplitude * exp(-lag / time)` to what `values` have above their plateau.

        Weighted least squares over the bins before the plateau, the amplitude in closed form and
        not below 0, the time by search over `times` (minutes).

        Returns:
            Amplitude and time in minutes, `(1 + draws,)` each.
        """
        excess = values - self.plateau(values)[:, None]
        noise = np.nanvar(excess[1:], axis=0)
        used = ~self.lasting & np.isfinite(excess).all(0) & (noise > 0) & (self._counts > 5)
        if not used.any():
            return np.zeros(len(values)), np.full(len(values), np.nan)
        shape = np.exp(-self.lag[used] / times[:, None])
        weighted = shape / noise[used]
        power = (weighted * shape).sum(1)
        amplitude = np.maximum(excess[:, used] @ weighted.T / power, 0)
        best = np.argmax(amplitude**2 * power, axis=1)
        rows = np.arange(len(values))
        return amplitude[rows, best], times[best]


def estimate_level_sd(covariance: ClickCovariance) -> Estimate:
    """Standard deviation of the user's level in logits: what clicks share after a day or more."""
    variance = np.maximum(covariance.plateau(covariance.shared), 0)
    return summary(float(variance[0] ** 0.5), variance[1:] ** 0.5, "lags of a day and more")


def estimate_mood(covariance: ClickCovariance) -> tuple[Estimate, Estimate]:
    """Standard deviation of the mood in logits, and its relaxation time in hours.

    The covariance of a user's clicks on different topics falls from level^2 + mood^2 to level^2
    as exp(-lag / time).
    """
    variance, time = covariance.decay(covariance.shared, MOOD_HOURS * 60)
    return (
        summary(float(variance[0] ** 0.5), variance[1:] ** 0.5, "decay within a day, all topics"),
        summary(float(time[0] / 60), time[1:] / 60, "of that decay"),
    )


def estimate_whim(covariance: ClickCovariance) -> tuple[Estimate, Estimate]:
    """Standard deviation of a topic's whim in logits, and its relaxation time in minutes.

    As the mood, from what two events on the same topic share beyond those on different ones.
    """
    variance, time = covariance.decay(covariance.topical, WHIM_MINUTES)
    return (
        summary(float(variance[0] ** 0.5), variance[1:] ** 0.5, "decay within a day, same topic"),
        summary(float(time[0]), time[1:], "of that decay"),
    )


def estimate_topic_taste_sd(covariance: ClickCovariance) -> Estimate:
    """Standard deviation of the lasting taste for a topic in logits.

    From what events on the same topic share beyond others after a day or more.
    """
    variance = np.maximum(covariance.plateau(covariance.topical), 0)
    return summary(float(variance[0] ** 0.5), variance[1:] ** 0.5, "same topic after a day")


def estimate_clicks(log: InteractionLog, scale: LogitNormal, seed: int = 0) -> dict[str, Estimate]:
    """Level, mood, whims and taste by topic, by name.

    Mood and whim are combined with the reference figures, which speak where the log is thin.

    Args:
        log: the log.
        scale: turns covariances of clicks into those of logits.
        seed: of the bootstrap.
    """
    covariance = ClickCovariance(log, scale, seed)
    whim_sd, whim_minutes = estimate_whim(covariance)
    mood_sd, mood_hours = estimate_mood(covariance)
    return {
        "level_sd": estimate_level_sd(covariance),
        "mood_sd": reference.combined(mood_sd, reference.MOOD_SD, 0.1),
        "mood_hours": reference.combined(mood_hours, reference.MOOD_HOURS, 1.0),
        "whim_sd": reference.combined(whim_sd, reference.WHIM_SD, 0.2),
        "whim_minutes": reference.combined(whim_minutes, reference.WHIM_MINUTES, 5.0),
        "topic_taste_sd": estimate_topic_taste_sd(covariance),
    }
