"""Learners where a slate is chosen among candidates that are drawn for each request."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from driftrec.agents.harness import evaluate
from driftrec.envs import RecommendationVectorEnv, recsim_population
from driftrec.meta import RL2, RL2Config, learner_names, learner_type
from driftrec.meta.never_lost import never_lost
from driftrec.meta.ppo import PPOConfig
from driftrec.meta.rl2_run import plackett_luce
from driftrec.meta.rollout import Notes, collect, not_offered
from driftrec.meta.testing import check_policy

SMALL = replace(recsim_population("InterestExploration", documents=20), max_requests=6)


# The curriculum generates drifting users, and there are none here.
@pytest.mark.parametrize("name", [name for name in learner_names() if name != "curriculum"])
def test_every_learner_shows_what_is_offered(name):
    learner = learner_type(name)
    policy = learner(learner.config_type.of_size("smoke")).fit(SMALL)
    check_policy(policy.on(SMALL.catalogue, SMALL.slate), SMALL)


def test_training_trials_keep_to_what_is_offered():
    config = RL2Config(iterations=1, users=8, hidden=4, probes=2, validation_users=4)
    network = RL2(config).fit(SMALL).network
    env = RecommendationVectorEnv(never_lost(SMALL), 8, autoreset_mode="Disabled", by_number=True)
    table = torch.as_tensor(np.array(SMALL.catalogue.table))
    trials = collect(
        env, network, plackett_luce(network, table, 0), seed=0, unseen_only=False, notes=Notes(2)
    )
    assert trials.offered.shape == (6, 8, 10)
    among = (trials.slates[..., None] == trials.offered[:, :, None]).any(-1)
    assert among.all()
    users = torch.tensor([1, 5])
    banned = trials.banned(users)
    assert banned.shape == (6, 2, 20)
    assert (~banned).sum(-1).eq(10).all()
    assert not banned.gather(-1, trials.slates[:, users]).any()


def test_all_but_what_is_offered_is_banned():
    banned = not_offered(torch.tensor([[0, 2], [3, 1]]), 4)
    assert banned.tolist() == [[False, True, False, True], [True, False, True, False]]


def test_who_is_lost_for_sure_is_lost_in_training_too():
    population = recsim_population("InterestEvolution", topics=2, documents=20, budget=5.0)
    env = RecommendationVectorEnv(never_lost(population), 40, autoreset_mode="Disabled")
    env.reset(seed=0)
    over = np.zeros(40, bool)
    for _ in range(60):
        *_, terminated, _truncated, _ = env.step(np.tile([0, 1, 2], (40, 1)))
        over |= terminated
    assert over.all()
    assert (env.simulation.trials.request < 60).all()


def test_rl2_learns_that_clickbait_wears_out():
    population = recsim_population("LongTermSatisfaction", sensitivity=0.5, documents=50)
    config = RL2Config(
        iterations=12, users=64, hidden=8, filter=False, belief=False, probes=0,
        continuing=False, learning_rate=1e-2, validate_every=4, validation_users=100,
        validate_by="trial", ppo=PPOConfig(gamma=1.0, lam=0.95, minibatches=2),
    )  # fmt: skip
    policy = RL2(config).fit(population)
    played = evaluate(lambda env: policy.on(env.simulation.catalogue), population, users=300)
    # At random 1062, the most clickbait 314, the least 2494.
    assert played.reward.sum(1).mean() > 2000


def test_validation_is_by_request_or_by_trial():
    with pytest.raises(ValueError, match="validate_by must be request or trial"):
        RL2Config(validate_by="day")
    config = RL2Config(iterations=1, users=8, hidden=4, probes=2, validation_users=20)
    by_request = RL2(config).fit(SMALL).about["validation"]
    by_trial = RL2(replace(config, validate_by="trial")).fit(SMALL).about["validation"]
    assert by_trial == pytest.approx(6 * by_request)
