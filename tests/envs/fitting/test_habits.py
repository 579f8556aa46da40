"""Satiation, repeats and quality: known truth is recovered."""

import numpy as np
import pytest

from driftrec.envs.fitting import (
    draw_quality,
    estimate_quality_sd,
    estimate_repeat_penalty,
    estimate_satiation,
)
from driftrec.envs.fitting.habits import met_before, recent_exposure


def test_satiation_is_recovered(worlds):
    held = 0
    for seed in range(6):
        log = worlds.world(
            users=2500, session_requests=2.0, satiation=0.2, satiation_hours=6.0, seed=seed
        )
        held += worlds.holds(estimate_satiation(log, worlds.scale(log, 0.03), hours=6.0), 0.2)
    # Each 95% interval may miss; that three of six do has a chance of 2 in 1000.
    assert held >= 4


def test_users_who_never_tire_show_no_satiation(worlds):
    log = worlds.world(users=1500, level_sd=0.8, mood_sd=0.5)
    estimate = estimate_satiation(log, worlds.scale(log, 0.8**2 + 0.5**2))
    assert estimate.low < 0 < estimate.high


def test_recent_exposure_decays_with_the_time_since(worlds):
    log = worlds.world(users=5)
    exposure = recent_exposure(log, 6.0)
    last = log.user_offsets()[1] - 1
    earlier = np.arange(last)
    same = log.topics[log.item[earlier]] @ log.topics[log.item[last]]
    expected = same @ np.exp(-24 * (log.time[last] - log.time[earlier]) / 6.0)
    assert exposure[last] == pytest.approx(expected, rel=1e-3)
    assert (exposure[log.user_offsets()[:-1]] == 0).all()


def test_the_repeat_penalty_is_recovered(worlds):
    log = worlds.world(users=1500, items=100, repeat_penalty=1.2, level_sd=0.8, quality_sd=0.5)
    assert worlds.holds(estimate_repeat_penalty(log, worlds.scale(log, 0.8**2 + 0.5**2)), 1.2)


def test_an_item_was_met_before_when_the_same_user_met_it_earlier(worlds):
    log = worlds.world(users=20, items=50)
    known = set()
    expected = []
    for pair in zip(log.user.tolist(), log.item.tolist(), strict=True):
        expected.append(pair in known)
        known.add(pair)
    assert met_before(log).tolist() == expected


def test_the_spread_of_quality_is_recovered(worlds):
    log = worlds.world(users=800, quality_sd=0.9, level_sd=0.6)
    assert worlds.holds(estimate_quality_sd(log, worlds.scale(log, 0.9**2 + 0.6**2)), 0.9)


@pytest.mark.parametrize("users", [150, 2000])
def test_drawn_quality_has_the_true_spread_however_thin_the_log(worlds, users):
    log = worlds.world(users=users, days=2.0, quality_sd=0.9, level_sd=0.6)
    true = worlds.catalogue(quality_sd=0.9).quality
    drawn = draw_quality(log, np.arange(400), 0.6**2, np.random.default_rng(0))
    assert drawn.std() == pytest.approx(true.std(), rel=0.12)
    assert np.corrcoef(drawn, true)[0, 1] > (0.35 if users == 150 else 0.9)
