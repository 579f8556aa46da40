"""Fitting a log of a feed: exposures with clicks and skips, of which the log holds a share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.fitting import reference
from driftrec.envs.fitting.clicks import ClickCovariance, estimate_clicks, estimate_level_sd
from driftrec.envs.fitting.estimate import assumed
from driftrec.envs.fitting.habits import estimate_repeat_penalty, estimate_satiation
from driftrec.envs.fitting.quality import estimate_quality_sd
from driftrec.envs.fitting.recipe import FittedUsers
from driftrec.envs.fitting.residuals import on_items
from driftrec.envs.fitting.scale import click_scale
from driftrec.envs.fitting.sessions import estimate_thinned_visits
from driftrec.envs.fitting.simulate import Observation
from driftrec.envs.fitting.visits import Window
from driftrec.envs.logs.log import InteractionLog

WARM_UP_DAYS = 7.0
INFLUENCE = assumed(0.0001, "no log says: clicks of a day move a core by less than a hundredth")
LIVES = {
    "churn": assumed(
        0.02,
        "no user of the log is new, none is seen to go: with `churn_spread`, .40 stay 30 days as "
        "in MovieTweetings and CDNOW",
    ),
    "churn_spread": assumed(2.0, "users differ: .82 stay a day, .63 a week"),
    "leave_boredom": assumed(0.005, "no log says: 100 recent exposures, .5 logits"),
    "churn_boredom": assumed(0.02, "no log says"),
}


def fit_feed(log: InteractionLog, items: NDArray[np.int64], seed: int = 0) -> FittedUsers:
    """Fit users to a log of exposures.

    Args:
        log: events of the feed alone; its window is the time from first to last event.
        items: codes of the catalogue's items. Level, quality, sessions and the share of requests
            that is logged are asked of their events; what is rare, of all events.
        seed: of bootstraps and simulations.
    """
    own = on_items(log, items)
    scale = click_scale(own, reference.passing_variance(own))
    visits = estimate_thinned_visits(own, seed)
    parameters = {
        **estimate_clicks(log, scale, seed),
        "level_sd": estimate_level_sd(ClickCovariance(own, scale, seed)),
        "quality_sd": estimate_quality_sd(own, scale, seed),
        "satiation": estimate_satiation(log, scale, reference.SATIATION_HOURS.value, seed),
        "satiation_hours": reference.SATIATION_HOURS,
        "repeat_penalty": estimate_repeat_penalty(log, scale, seed),
        **visits,
        "session_spread": reference.SESSION_SPREAD,
        **LIVES,
        **reference.LIVES,
        "influence": INFLUENCE,
    }
    window = Window(float(np.ptp(log.time)), warm_up=WARM_UP_DAYS)
    popularity = log.events_per_item()[items].astype(np.float64)
    return FittedUsers(parameters, scale, Observation(window, popularity, visits["share"].value))
