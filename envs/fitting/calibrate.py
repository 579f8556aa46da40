"""Setting what follows from many parts at once, so that simulated users do what the log's do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from driftrec.envs.catalogue import Catalogue
from driftrec.envs.drifting_user import DriftingUser
from driftrec.envs.fitting.habits import recent_exposure, within_user_sums
from driftrec.envs.fitting.logit_normal import LogitNormal
from driftrec.envs.fitting.simulate import Observation, Run, Totals, as_log
from driftrec.envs.fitting.visits import Window

_USERS = 1000
_STEADY_DAYS = Window(4.0, warm_up=3.0)
_WHOLE_USERS = 4000
_THINNED_USERS = 3000
_ROUNDS = 2
_RARE = 1e-4


def calibrated(
    model: DriftingUser,
    catalogue: Catalogue,
    observation: Observation,
    click_rate: float,
    seed: int = 0,
) -> DriftingUser:
    """Set the intercept and the expectation, and move the lengths of sessions and lives.

    The click rate of a log, the length of its sessions and the share that stays are those under
    its policy, satiation and disappointments included; the parameters of `DriftingUser` are those
    of a rested and content user. The intercept is set so that the click rate is met, the
    expectation so that on average users get under the log's policy what they expect, and
    `session_requests` and `churn` so that their means under that policy are what they are in
    `model`.

    Args:
        model: all other parameters.
        catalogue: what the log's users were shown.
        observation: how.
        click_rate: of the log.
        seed: of the simulation.
    """
    rested = _totals(_unmoved(model), catalogue, observation, seed)
    wanted = rested.requests / rested.endings
    found = _with_click_rate(model, catalogue, observation, rested, click_rate)
    for _ in range(_ROUNDS):
        totals = _totals(found, catalogue, observation, seed)
        length = totals.requests / totals.endings
        found = _with_click_rate(found, catalogue, observation, totals, click_rate)
        found = replace(found, session_requests=max(1.0, found.session_requests * wanted / length))
    offset = totals.churn_logit / max(totals.endings, 1)
    return replace(found, churn=_moved(model.churn, -offset))


def _with_click_rate(
    model: DriftingUser,
    catalogue: Catalogue,
    observation: Observation,
    totals: Totals,
    click_rate: float,
) -> DriftingUser:
    """Intercept and expectation that give the click rate, by the law of the logit of a click.

    Its mean is intercept + quality - satiation - repeats, by exposure; its variance the sum of
    those of all parts. Satiation and repeats are as in a run.
    """
    weights = np.ones(len(catalogue))
    weights = weights if observation.popularity is None else observation.popularity
    quality = np.average(catalogue.quality, weights=weights)
    width = np.average((catalogue.topics**2).sum(1), weights=weights)
    length = np.average((catalogue.features**2).sum(1), weights=weights)
    variance = (
        model.level_sd**2
        + model.mood_sd**2
        + model.whim_sd**2 * width
        + model.taste_sd**2 * length
        + np.average((catalogue.quality - quality) ** 2, weights=weights)
    )
    lost = model.satiation * totals.sated + model.repeat_penalty * totals.repeats
    mean = LogitNormal.of_rate(click_rate, float(variance)).mean
    intercept = float(mean - quality + lost / totals.requests)
    # What users are used to: the click rate of the log, spread over users by their level.
    usual = LogitNormal.of_rate(click_rate, model.level_sd**2).mean
    return replace(model, intercept=intercept, expectation=usual - intercept)


def hidden_exposure(
    model: DriftingUser, catalogue: Catalogue, observation: Observation, seed: int = 0
) -> float:
    """Recent exposures to a topic for each of them that a log shows.

    Where a log holds a share of what was shown, an exposure in it tells of others around it. The
    slope of a regression of all on the logged exposures, with user fixed effects: what a click
    loses per logged exposure is this many times what it loses per exposure.
    """
    run = Run(
        replace(_unmoved(model), churn=0.0), catalogue, observation, _THINNED_USERS, [seed, 1]
    )
    run.finish()
    events = run.events()
    log = as_log(events, catalogue, "hidden exposure")
    sums = within_user_sums(log, recent_exposure(log, model.satiation_hours), events[4]).sum(0)
    return max(1.0, float(sums[0] / max(sums[1], 1e-12)))


def _unmoved(model: DriftingUser) -> DriftingUser:
    """The same users, staying as long whatever they are shown."""
    return replace(model, leave_boredom=0.0, leave_satisfaction=0.0)


def _totals(
    model: DriftingUser, catalogue: Catalogue, observation: Observation, seed: int
) -> Totals:
    """Totals with churn so rare that nobody goes, but its logit can be followed."""
    whole = observation.window.arrivals is not None
    users = _WHOLE_USERS if whole else _USERS
    seen = observation if whole else replace(observation, window=_STEADY_DAYS)
    run = Run(replace(model, churn=_RARE, churn_spread=0.0), catalogue, seen, users, [seed])
    run.finish()
    return run.totals


def _moved(probability: float, logits: float) -> float:
    odds = probability / (1 - probability) * np.exp(logits)
    return float(odds / (1 + odds))
