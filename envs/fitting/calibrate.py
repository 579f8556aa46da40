"""Setting what follows from many parts at once, so that simulated users do what the log's do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from driftrec.envs.catalogue import Catalogue
from driftrec.envs.drifting_user import DriftingUser
from driftrec.envs.fitting.habits import recent_exposure, within_user_sums
from driftrec.envs.fitting.logit_normal import LogitNormal
from driftrec.envs.fitting.simulate import Observation, Run, Totals, as_log

_USERS = 600
_THINNED_USERS = 3000
_ROUNDS = 3
_RARE = 1e-4


def calibrated(
    model: DriftingUser,
    catalogue: Catalogue,
    observation: Observation,
    click_rate: float,
    variance: float,
    seed: int = 0,
) -> DriftingUser:
    """Move the intercept, the expectation, and the lengths of sessions and lives.

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
        variance: of the logit of a click.
        seed: of the simulation.
    """
    wanted = model.session_requests
    found = model
    for _ in range(_ROUNDS):
        found = replace(found, expectation=_expectation(found, click_rate))
        totals = _totals(found, catalogue, observation, seed)
        got = totals.clicks / totals.requests
        rise = LogitNormal.of_rate(click_rate, variance).mean - LogitNormal.of_rate(got, variance).mean
        length = totals.requests / totals.endings
        found = replace(
            found,
            intercept=found.intercept + rise,
            session_requests=max(1.0, found.session_requests * wanted / length),
        )
    offset = totals.churn_logit / max(totals.endings, 1)
    return replace(
        found,
        expectation=_expectation(found, click_rate),
        churn=_moved(model.churn, -offset),
    )


def hidden_exposure(
    model: DriftingUser, catalogue: Catalogue, observation: Observation, seed: int = 0
) -> float:
    """Recent exposures to a topic for each of them that a log shows.

    Where a log holds a share of what was shown, an exposure in it tells of others around it. The
    slope of a regression of all on the logged exposures, with user fixed effects: what a click
    loses per logged exposure is this many times what it loses per exposure.
    """
    steady = replace(model, churn=0.0, leave_boredom=0.0, leave_satisfaction=0.0)
    run = Run(steady, catalogue, observation, _THINNED_USERS, [seed, 1])
    run.finish()
    events = run.events()
    log = as_log(events, catalogue, "hidden exposure")
    sums = within_user_sums(log, recent_exposure(log, model.satiation_hours), events[4]).sum(0)
    return max(1.0, float(sums[0] / max(sums[1], 1e-12)))


def _totals(
    model: DriftingUser, catalogue: Catalogue, observation: Observation, seed: int
) -> Totals:
    """Totals with churn so rare that nobody goes, but its logit can be followed."""
    run = Run(replace(model, churn=_RARE, churn_spread=0.0), catalogue, observation, _USERS, [seed])
    run.finish()
    return run.totals


def _expectation(model: DriftingUser, click_rate: float) -> float:
    """Logits above the level at which users expect, on average, the click rate."""
    return LogitNormal.of_rate(click_rate, model.level_sd**2).mean - model.intercept


def _moved(probability: float, logits: float) -> float:
    odds = probability / (1 - probability) * np.exp(logits)
    return float(odds / (1 + odds))
