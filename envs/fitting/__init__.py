"""Fitting populations to real logs: estimators with intervals, and simulated logs to test them."""

from driftrec.envs.fitting.calibrate import calibrated
from driftrec.envs.fitting.clicks import (
    ClickCovariance,
    estimate_clicks,
    estimate_level_sd,
    estimate_mood,
    estimate_topic_taste_sd,
    estimate_whim,
)
from driftrec.envs.fitting.estimate import Estimate
from driftrec.envs.fitting.from_log import Fit, fit, fit_population
from driftrec.envs.fitting.habits import estimate_repeat_penalty, estimate_satiation
from driftrec.envs.fitting.logit_normal import LogitNormal
from driftrec.envs.fitting.quality import draw_quality, estimate_quality_sd
from driftrec.envs.fitting.realism import Comparison, realism, simulate_like
from driftrec.envs.fitting.recipe import FittedUsers
from driftrec.envs.fitting.residuals import most_exposed, on_feed, on_items
from driftrec.envs.fitting.scale import click_scale
from driftrec.envs.fitting.sessions import estimate_thinned_visits, estimate_visits
from driftrec.envs.fitting.simulate import Observation, simulated_log
from driftrec.envs.fitting.split import split_users
from driftrec.envs.fitting.visits import VisitLaw, Window

__all__ = [
    "ClickCovariance",
    "Comparison",
    "Estimate",
    "Fit",
    "FittedUsers",
    "LogitNormal",
    "Observation",
    "VisitLaw",
    "Window",
    "calibrated",
    "click_scale",
    "draw_quality",
    "estimate_clicks",
    "estimate_level_sd",
    "estimate_mood",
    "estimate_quality_sd",
    "estimate_repeat_penalty",
    "estimate_satiation",
    "estimate_thinned_visits",
    "estimate_topic_taste_sd",
    "estimate_visits",
    "estimate_whim",
    "fit",
    "fit_population",
    "most_exposed",
    "on_feed",
    "on_items",
    "realism",
    "simulate_like",
    "simulated_log",
    "split_users",
]
