"""Fitting a log of ratings: what users chose to consume, from their first contact on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.fitting import reference
from driftrec.envs.fitting.clicks import (
    ClickCovariance,
    estimate_level_sd,
    estimate_topic_taste_sd,
)
from driftrec.envs.fitting.estimate import assumed
from driftrec.envs.fitting.habits import estimate_satiation
from driftrec.envs.fitting.quality import estimate_quality_sd
from driftrec.envs.fitting.recipe import FittedUsers
from driftrec.envs.fitting.residuals import on_items
from driftrec.envs.fitting.scale import click_scale
from driftrec.envs.fitting.sessions import CHURN_SPREAD, estimate_visits
from driftrec.envs.fitting.simulate import Observation
from driftrec.envs.fitting.visits import Window
from driftrec.envs.logs.log import InteractionLog

FORGOTTEN_HOURS = 240.0
PASSING = {
    "mood_sd": assumed(0.0, "requests lie days apart: a passing mood is chance here"),
    "mood_hours": reference.MOOD_HOURS,
    "whim_sd": assumed(0.0, "as the mood"),
    "whim_minutes": reference.WHIM_MINUTES,
}
HABITS = {
    "satiation_hours": assumed(FORGOTTEN_HOURS, "ten days: no log says"),
    "repeat_penalty": assumed(20.0, "nobody rates a film twice"),
    "session_spread": reference.SESSION_SPREAD,
    "churn_spread": assumed(CHURN_SPREAD, "the end of the log hides it: 2 fits better than 1"),
    "memory_days": assumed(60.0, "a few sessions: no log says"),
}


def fit_ratings(log: InteractionLog, items: NDArray[np.int64], seed: int = 0) -> FittedUsers:
    """Fit users to a log in which every event was chosen, and liked or not.

    Args:
        log: the log, from each user's first contact on.
        items: codes of the catalogue's items, of whose events is asked how much items differ.
        seed: of bootstraps and simulations.
    """
    taste = reference.CHOSEN_TASTE
    own = on_items(log, items)
    scale = click_scale(own, taste.value**2)
    first = log.time[log.user_offsets()[:-1]] - log.time.min()
    window = Window(float(np.ptp(log.time)), arrivals=first)
    covariance = ClickCovariance(log, scale, seed)
    parameters = {
        "level_sd": estimate_level_sd(ClickCovariance(own, scale, seed)),
        "quality_sd": estimate_quality_sd(own, scale, seed),
        "topic_taste_sd": estimate_topic_taste_sd(covariance),
        **PASSING,
        "satiation": estimate_satiation(log, scale, FORGOTTEN_HOURS, seed),
        **HABITS,
        **estimate_visits(log, seed),
        **reference.LIVES,
        "taste_sd": taste,
    }
    popularity = log.events_per_item()[items].astype(np.float64)
    return FittedUsers(parameters, scale, Observation(window, popularity, only_new=True))
