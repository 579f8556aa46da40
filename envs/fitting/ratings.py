"""Fitting a log of ratings: what users chose to consume, from their first contact on."""

from __future__ import annotations

import numpy as np

from driftrec.envs.fitting import reference
from driftrec.envs.fitting.clicks import estimate_clicks
from driftrec.envs.fitting.estimate import assumed
from driftrec.envs.fitting.recipe import FittedUsers
from driftrec.envs.fitting.scale import click_scale
from driftrec.envs.fitting.sessions import estimate_visits
from driftrec.envs.fitting.simulate import Observation
from driftrec.envs.fitting.visits import Window
from driftrec.envs.logs.log import InteractionLog

HABITS = {
    "satiation": assumed(0.06, "KuaiRand-Pure: a log of what was chosen shows none"),
    "satiation_hours": reference.SATIATION_HOURS,
    "repeat_penalty": assumed(20.0, "nobody rates a film twice"),
}


def fit_ratings(log: InteractionLog, seed: int = 0) -> FittedUsers:
    """Fit users to a log in which every event was chosen, and liked or not.

    Args:
        log: the log, from each user's first contact on.
        seed: of bootstraps and simulations.
    """
    scale = click_scale(log, reference.PASSING)
    first = log.time[log.user_offsets()[:-1]] - log.time.min()
    window = Window(float(np.ptp(log.time)), arrivals=first)
    parameters = {
        **estimate_clicks(log, scale, seed, shared_decay=False),
        **HABITS,
        **estimate_visits(log, seed),
        **reference.LIVES,
    }
    return FittedUsers(
        parameters, scale, Observation(window, log.events_per_item().astype(np.float64))
    )
