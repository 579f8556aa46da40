from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from driftrec.envs import RecommendationVectorEnv, feed_population
from driftrec.meta.amortised import AmortisedPolicy
from driftrec.meta.calibration import Calibration, calibration, plot_reliability, predicted_clicks
from driftrec.meta.network import BeliefNetwork, feature_scale
from driftrec.meta.track import NetworkShape


def test_clicks_drawn_from_the_predictions_are_calibrated_and_sharpened_ones_are_not():
    rng = np.random.default_rng(0)
    logits = rng.standard_normal(200_000)
    chance = 1 / (1 + np.exp(-logits))
    clicks = (rng.random(200_000) < chance).astype(float)
    assert Calibration.of(chance, clicks).error < 0.006
    too_sure = 1 / (1 + np.exp(-3 * logits))
    expected = np.abs(too_sure - chance).mean()
    assert Calibration.of(too_sure, clicks).error == pytest.approx(expected, abs=0.006)


def test_bins_hold_as_many_predictions_each_and_the_error_is_as_by_hand():
    one = Calibration.of(np.array([0.9, 0.1, 0.2, 0.8]), np.array([1.0, 0, 0, 1]), bins=2)
    np.testing.assert_allclose(one.predicted, [0.15, 0.85])
    np.testing.assert_array_equal(one.clicked, [0, 1])
    np.testing.assert_array_equal(one.count, [2, 2])
    assert one.error == pytest.approx(0.15)


def belief_policy(memory: str = "gru") -> AmortisedPolicy:
    """Knows quality alone, and is unsure of it."""
    population = feed_population()
    table = torch.from_numpy(np.array(population.catalogue.table))
    torch.manual_seed(0)
    shape = NetworkShape.of(population, hidden=4, memory=memory, window=4)
    network = BeliefNetwork(shape, feature_scale(table))
    return AmortisedPolicy(network, table)


MEMORIES = pytest.mark.parametrize("memory", ["gru", "lstm", "transformer"])


@MEMORIES
def test_predictions_are_the_mean_of_the_logistic_under_the_belief(memory):
    policy, users = belief_policy(memory), 3
    one = np.ones((users, 1), np.float32)
    observation = {
        "slate": np.zeros((users, 1, policy.table.shape[1]), np.float32), "feedback": 0 * one,
        "new_user": one, "new_session": one, "log_elapsed": 0 * one, "position": 0 * one,
    }  # fmt: skip
    state = policy.start(users)
    found = predicted_clicks(policy, observation, state)
    _, known, track = policy.network.know(observation, policy.network.start(users))
    mean = policy.network.means(known, policy.table).detach().numpy()
    sd = policy.network.sds(known, track, policy.table).detach().numpy()
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    logistic = 1 / (1 + np.exp(-(mean[..., None] + sd[..., None] * nodes)))
    np.testing.assert_allclose(found, logistic @ weights / weights.sum(), atol=0.01)


@MEMORIES
def test_predicting_changes_nothing_that_is_remembered(memory):
    policy, users = belief_policy(memory), 3
    observation, _ = RecommendationVectorEnv(feed_population(), users).reset(seed=0)
    state = policy.start(users)
    for _ in range(2):
        before = {item.name: getattr(state, item.name).copy() for item in fields(state)}
        found = predicted_clicks(policy, observation, state)
        for name, array in before.items():
            assert np.array_equal(getattr(state, name), array), name
        assert np.array_equal(predicted_clicks(policy, observation, state), found)
        _, state = policy.act(observation, state)


@MEMORIES
def test_every_request_that_took_place_is_counted_once(memory, tmp_path):
    population = replace(feed_population(), max_requests=7)
    one = calibration(belief_policy(memory), population, users=60, bins=5)
    assert 5 * 60 < one.count.sum() <= 7 * 60
    assert (np.diff(one.predicted) > 0).all()
    plot_reliability({"untrained": one}, tmp_path / "reliability.png")
    assert (tmp_path / "reliability.png").read_bytes().startswith(b"\x89PNG")


def test_slates_and_too_few_predictions_are_refused():
    with pytest.raises(ValueError, match="got a slate of 3"):
        calibration(belief_policy(), replace(feed_population(), slate=3))
    with pytest.raises(ValueError, match=r"no fewer than 20 bins, got 2 and 2"):
        Calibration.of(np.ones(2), np.ones(2))
