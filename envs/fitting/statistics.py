"""What a log shows: the statistics that a simulated log is held against."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.fitting.habits import (
    recent_exposure,
    repeat_rates,
    repeat_sums,
    within_user_sums,
)
from driftrec.envs.fitting.pairs import PairSums, pair_sums
from driftrec.envs.fitting.residuals import click_residuals
from driftrec.envs.fitting.sessions import visits_of
from driftrec.envs.fitting.visit_moments import VisitTable
from driftrec.envs.logs.log import InteractionLog

Weights = NDArray[np.float64]

FEED_LAGS = {"<1 min": 1, "1-10 min": 10, "10-60 min": 60, "1-6 h": 360, ">6 h": 1e6}
RATING_LAGS = {"<1 day": 1440, "1-14 days": 14 * 1440, "14-60 days": 60 * 1440, ">60 days": 1e6}
_GAPS = {"p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9}
_ACTIVITY = {"p10": 0.1, "p50": 0.5, "p90": 0.9}


class LogStatistics:
    """The statistics of one log, weighted by user so that a bootstrap costs little.

    Args:
        log: the log.
        forgotten_hours: time in which an exposure is forgotten, for satiation.
    """

    def __init__(self, log: InteractionLog, forgotten_hours: float = 12.0) -> None:
        self.log = log
        self._hours = forgotten_hours
        self._visits = VisitTable(visits_of(log))
        self._lags = FEED_LAGS if log.has_skips else RATING_LAGS
        self._spans = (1, 7, 13) if log.has_skips else (1, 7, 30, 90)

    def on_items(self, weights: Weights) -> dict[str, float]:
        """Statistics of what was clicked, with the users counted `weights` times, `(users,)`."""
        return self._clicks(weights) | self._covariances(weights) | self._popularity(weights)

    def on_visits(self, weights: Weights) -> dict[str, float]:
        """Statistics of when users were there, likewise."""
        return self._timing(weights) | self._retention(weights)

    def _clicks(self, weights: Weights) -> dict[str, float]:
        counted = weights[self.log.user]
        found = {
            "click rate": float(counted @ self.log.feedback / counted.sum()),
            "item effect, SD": self._item_sd(counted),
            "satiation per exposure": _ratio(weights @ self._satiation),
        }
        if self.log.has_skips:
            first, later = repeat_rates((weights @ self._repeats)[None])[0]
            found["repeat effect"] = float(later - first)
        return found

    def _item_sd(self, counted: Weights) -> float:
        """SD of the click rate over items: excess of its variance over chance."""
        n, squares, clicks = (
            np.bincount(self.log.item, weights=values, minlength=self.log.num_items)
            for values in (counted, counted**2, counted * self.log.feedback)
        )
        p = clicks.sum() / n.sum()
        seen = n > 0
        noise = p * (1 - p) * squares[seen]
        excess = ((clicks - n * p)[seen] ** 2 - noise).sum() / (n[seen] ** 2 - squares[seen]).sum()
        return float(np.sqrt(max(excess, 0.0)))

    def _covariances(self, weights: Weights) -> dict[str, float]:
        shared, topical, _ = self._pairs.regress(weights[None])[0].T
        found = {
            f"covariance of clicks, {name}": float(value)
            for name, value in zip(self._lags, shared, strict=True)
        }
        if self.log.has_skips:
            lasting = self._lasting.regress(weights[None])[0]
            short = self._short.regress(weights[None])[0]
            found["user effect, SD"] = float(np.sqrt(max(lasting[0, 0], 0.0)))
            found["same topic more, <10 min"] = float(short[0, 1])
            found["same topic more, >1 day"] = float(lasting[0, 1])
            return found
        names = (f"same topic more, {name}" for name in self._lags)
        return found | dict(zip(names, topical.tolist(), strict=True))

    def _timing(self, weights: Weights) -> dict[str, float]:
        gaps = self._visits.gap_quantiles(np.array(list(_GAPS.values())), weights)
        activity = self._visits.activity_quantiles(np.array(list(_ACTIVITY.values())), weights)
        events, sessions = weights @ self._visits.events, weights @ self._visits.sessions
        user, size = self._visits.sizes
        return {
            **{f"gap {name}, days": float(gap) for name, gap in zip(_GAPS, gaps, strict=True)},
            **{
                f"events a user {name}": float(count)
                for name, count in zip(_ACTIVITY, activity, strict=True)
            },
            "events a user, mean": float(events / weights.sum()),
            "events a session, mean": float(events / sessions),
            "sessions of one event": float(weights[user] @ (size == 1) / weights[user].sum()),
        }

    def _retention(self, weights: Weights) -> dict[str, float]:
        days = np.array(self._spans, dtype=np.float64)
        spans = self._visits.span_shares(days, weights)
        found = {
            f"last - first >= {day} days": float(share)
            for day, share in zip(self._spans, spans, strict=True)
        }
        if self.log.has_skips:
            for after, sums in self._active_again.items():
                found[f"active {after} days after an active day"] = _ratio(weights @ sums)
        return found

    def _popularity(self, weights: Weights) -> dict[str, float]:
        counts = np.sort(
            np.bincount(self.log.item, weights=weights[self.log.user], minlength=self.log.num_items)
        )
        ranks = np.arange(1, len(counts) + 1)
        gini = 2 * (ranks @ counts) / (len(counts) * counts.sum()) - 1 - 1 / len(counts)
        return {
            "Gini of items": float(gini),
            "events of the top 10% of items": float(
                counts[-(len(counts) // 10) :].sum() / counts.sum()
            ),
        }

    @cached_property
    def _pairs(self) -> PairSums:
        return pair_sums(self.log, np.array([0.0, *self._lags.values()]))

    @cached_property
    def _lasting(self) -> PairSums:
        return pair_sums(self.log, np.array([1440.0, 1e6]))

    @cached_property
    def _short(self) -> PairSums:
        return pair_sums(self.log, np.array([0.0, 10.0]))

    @cached_property
    def _repeats(self) -> Weights:
        return repeat_sums(self.log)

    @cached_property
    def _satiation(self) -> Weights:
        exposure = recent_exposure(self.log, self._hours)
        return within_user_sums(self.log, exposure, click_residuals(self.log))

    @cached_property
    def _active_again(self) -> dict[int, Weights]:
        """Active days with another one k days after, and active days with such a day, by user."""
        days = int(self.log.time.max()) + 1
        active = np.zeros((self.log.num_users, days), bool)
        active[self.log.user, self.log.time.astype(np.int64)] = True
        sums = {}
        for after in (1, 7):
            before, later = active[:, :-after], active[:, after:]
            sums[after] = np.stack([(before & later).sum(1), before.sum(1)], 1).astype(np.float64)
        return sums


def _ratio(sums: Weights) -> float:
    return float(sums[0] / max(sums[1], 1e-12))
