"""Level, mood, whims and taste: known truth is recovered, and chance shows nothing."""

import numpy as np
import pytest

from driftrec.envs.fitting import (
    ClickCovariance,
    click_scale,
    estimate_clicks,
    estimate_level_sd,
    estimate_mood,
    estimate_topic_taste_sd,
    estimate_whim,
)
from driftrec.envs.fitting.estimate import Estimate
from driftrec.envs.fitting.pairs import pair_sums
from driftrec.envs.fitting.reference import MOOD_SD, combined

TRUTH = {
    "level_sd": 0.8, "mood_sd": 0.7, "mood_hours": 2.0,
    "whim_sd": 1.0, "whim_minutes": 10.0, "taste_sd": 0.6,
}  # fmt: skip
VISITS = {"session_requests": 5.0, "return_days": 0.15, "return_shape": 2.0}
VARIANCE = sum(TRUTH[name] ** 2 for name in ("level_sd", "mood_sd", "whim_sd", "taste_sd"))


@pytest.fixture(scope="module")
def log(worlds):
    return worlds.world(users=1200, days=6.0, seed=3, **VISITS, **TRUTH)


@pytest.fixture(scope="module")
def covariance(worlds, log):
    return ClickCovariance(log, worlds.scale(log, VARIANCE))


def test_the_level_is_recovered(worlds, covariance):
    assert worlds.holds(estimate_level_sd(covariance), TRUTH["level_sd"])


def test_the_mood_and_its_time_are_recovered(worlds, covariance):
    sd, hours = estimate_mood(covariance)
    assert worlds.holds(sd, TRUTH["mood_sd"])
    assert worlds.holds(hours, TRUTH["mood_hours"])


def test_whims_and_their_time_are_recovered(worlds, covariance):
    sd, minutes = estimate_whim(covariance)
    assert worlds.holds(sd, TRUTH["whim_sd"])
    assert worlds.holds(minutes, TRUTH["whim_minutes"])


def test_lasting_taste_for_topics_is_recovered(worlds, covariance):
    # With one feature a topic, taste for a topic is `taste_sd` times that feature's core.
    assert worlds.holds(estimate_topic_taste_sd(covariance), TRUTH["taste_sd"])


def test_a_permuted_log_has_the_same_level_and_no_mood_or_whim(worlds, log, covariance):
    permuted = log.permuted_within_user(np.random.default_rng(0))
    shuffled = ClickCovariance(permuted, worlds.scale(log, VARIANCE))
    assert estimate_mood(covariance)[0].low > 0.4
    assert estimate_whim(covariance)[0].low > 0.6
    assert estimate_mood(shuffled)[0].low < 0.15
    assert estimate_mood(shuffled)[0].value < 0.25
    assert estimate_whim(shuffled)[0].low < 0.15
    assert estimate_whim(shuffled)[0].value < 0.35
    # What changes within a day is now spread over all lags, so the level can only seem larger.
    assert estimate_level_sd(shuffled).value > estimate_level_sd(covariance).value - 0.02


def test_users_who_differ_by_chance_alone_show_nothing(worlds):
    chance = worlds.world(users=600)
    covariance = ClickCovariance(chance, worlds.scale(chance, 1.0))
    assert estimate_level_sd(covariance).low < 0.05
    assert estimate_level_sd(covariance).high < 0.25
    assert estimate_mood(covariance)[0].low < 0.15
    assert estimate_topic_taste_sd(covariance).high < 0.35


def test_the_scale_finds_the_variance_of_the_logit(worlds):
    log = worlds.world(users=800, level_sd=0.9, quality_sd=0.8, mood_sd=0.6)
    assert click_scale(log, 0.6**2).variance == pytest.approx(0.9**2 + 0.8**2 + 0.6**2, rel=0.12)


def test_the_pair_sums_are_those_of_all_pairs_one_by_one(log):
    few = log.subset_users(np.arange(log.num_users) < 3)
    edges = np.array([0.0, 10.0, 1440.0])
    from driftrec.envs.fitting.residuals import click_residuals

    residual = click_residuals(few)
    expected = np.zeros((few.num_users, 2, 6))
    for i in range(few.num_events):
        for j in range(i + 1, few.num_events):
            lag = (few.time[j] - few.time[i]) * 1440
            if few.user[i] != few.user[j] or few.item[i] == few.item[j] or lag >= edges[-1]:
                continue
            same, product = (
                few.topics[few.item[i]] @ few.topics[few.item[j]],
                residual[i] * residual[j],
            )
            expected[few.user[i], int(lag >= 10)] += [
                1,
                lag,
                same,
                same**2,
                product,
                product * same,
            ]
    expected /= few.events_per_user()[:, None, None]
    np.testing.assert_allclose(pair_sums(few, edges).sums, expected, atol=1e-6)


def test_estimates_are_the_same_for_the_same_seed_and_named(worlds, log):
    law = worlds.scale(log, VARIANCE)
    first, second = estimate_clicks(log, law, 3), estimate_clicks(log, law, 3)
    assert first == second
    assert set(first) == {
        "level_sd", "mood_sd", "mood_hours", "whim_sd", "whim_minutes", "topic_taste_sd"
    }  # fmt: skip


def test_a_sure_estimate_speaks_for_itself_and_a_vague_one_gives_way():
    sure, vague = Estimate(0.3, 0.29, 0.31), Estimate(0.3, 0.0, 40.0)
    assert combined(sure, MOOD_SD, 0.2).value == pytest.approx(0.3, abs=0.01)
    assert combined(vague, MOOD_SD, 0.2).value == pytest.approx(MOOD_SD.value, abs=0.01)
