"""Learned policies say how likely a click is, and it is what their belief says."""

from __future__ import annotations

import numpy as np
import pytest

from driftrec.envs import RecommendationVectorEnv
from driftrec.envs.gaussian_bandit import gaussian_population
from driftrec.meta import Amortised, AmortisedConfig, learner_type
from driftrec.meta.calibration import predicted_clicks
from driftrec.meta.testing import small_population

TAUGHT = ("amortised", "rl2", "maml", "trees")


def trained(learner, **options):
    kind = learner_type(learner)
    return kind(kind.config_type(**{**kind.config_type.smoke, "users": 16, **options})).fit(
        small_population()
    )


def play(policy, users=5):
    """Observation, states before and after, slates, true chances and clicks of each request."""
    env = RecommendationVectorEnv(
        small_population(), users, split="test", autoreset_mode="Disabled", by_number=True
    )
    observation, _ = env.reset(seed=2)
    state = policy.start(users)
    while not env.simulation.trials.over.all():
        before, (items, state) = state, policy.act(observation, state)
        yield observation, before, state, items
        observation, *_ = env.step(items)


@pytest.mark.parametrize("learner", TAUGHT)
def test_predictions_are_probabilities_of_the_items_asked_for(learner):
    policy = trained(learner)
    for _, _, state, items in play(policy):
        both = np.concatenate([items, (items + 3) % 30], 1)
        chance = policy.predict(state, both)
        assert chance.shape == (5, 2)
        assert chance.dtype == np.float32
        assert np.all((chance > 0) & (chance < 1))
        assert np.allclose(chance[:, :1], policy.predict(state, items), rtol=1e-5)


@pytest.mark.parametrize("learner", ["amortised", "rl2"])
def test_predictions_from_the_state_are_those_of_the_belief_before_the_request(learner):
    policy = trained(learner)
    for observation, before, state, items in play(policy):
        everything = predicted_clicks(policy, observation, before)
        wanted = np.take_along_axis(everything, items, 1)
        assert np.allclose(policy.predict(state, items), wanted, atol=1e-6)


def test_trees_predict_by_their_regression_which_starts_at_quality():
    policy = trained("trees")
    _, _, state, items = next(play(policy))
    quality = policy.catalogue.quality[items]
    assert np.allclose(policy.predict(state, items), 1 / (1 + np.exp(-quality)), atol=1e-6)


@pytest.mark.parametrize(
    ("learner", "options"), [("es", {}), ("rl2", {"probes": 0, "filter": False})]
)
def test_what_learns_from_rewards_alone_predicts_nothing(learner, options):
    assert trained(learner, **options).predict is None


def test_feedback_that_is_no_click_is_not_predicted():
    config = AmortisedConfig(**{**AmortisedConfig.smoke, "users": 16})
    assert Amortised(config).fit(gaussian_population(pulls=20)).predict is None


def test_the_best_item_is_named_without_a_probability():
    assert not hasattr(trained("dpt"), "predict")
