"""Fitting a log of a feed: exposures with clicks and skips, of which the log holds a share."""

from __future__ import annotations

import numpy as np

from driftrec.envs.fitting import reference
from driftrec.envs.fitting.clicks import estimate_clicks
from driftrec.envs.fitting.estimate import assumed
from driftrec.envs.fitting.habits import estimate_repeat_penalty, estimate_satiation
from driftrec.envs.fitting.recipe import FittedUsers
from driftrec.envs.fitting.scale import click_scale
from driftrec.envs.fitting.sessions import estimate_thinned_visits
from driftrec.envs.fitting.simulate import Observation
from driftrec.envs.fitting.visits import Window
from driftrec.envs.logs.log import InteractionLog

WARM_UP_DAYS = 7.0
LIVES = {
    "churn": assumed(
        0.02,
        "no user of the log is new, none is seen to go: with `churn_spread`, .40 stay 30 days as "
        "in MovieTweetings and CDNOW",
    ),
    "churn_spread": assumed(2.0, "users differ: .82 stay a day, .63 a week"),
    "leave_boredom": assumed(
        0.01, "no log says: 50 recent exposures, .5 logits"
    ),
    "churn_boredom": assumed(0.04, "no log says"),
}


def fit_feed(log: InteractionLog, seed: int = 0) -> FittedUsers:
    """Fit users to a log of exposures.

    Args:
        log: events of the feed alone; its window is the time from first to last event.
        seed: of bootstraps and simulations.
    """
    scale = click_scale(log, reference.PASSING)
    visits = estimate_thinned_visits(log, seed)
    parameters = {
        **estimate_clicks(log, scale, seed),
        "satiation": estimate_satiation(log, scale, reference.SATIATION_HOURS.value, seed),
        "satiation_hours": reference.SATIATION_HOURS,
        "repeat_penalty": estimate_repeat_penalty(log, scale, seed),
        **visits,
        "session_spread": reference.SESSION_SPREAD,
        **LIVES,
        **reference.LIVES,
    }
    window = Window(float(np.ptp(log.time)), warm_up=WARM_UP_DAYS)
    popularity = log.events_per_item().astype(np.float64)
    return FittedUsers(parameters, scale, Observation(window, popularity, visits["share"].value))
