"""The outer optimisers of RL²: each learns a bandit, and TRPO keeps to its trust region."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from driftrec.agents.pseudo_reward import pseudo_rewards
from driftrec.envs.bernoulli_bandit import bernoulli_population
from driftrec.meta import RL2, PPOConfig, RL2Config
from driftrec.meta.plackett_luce import slate_log_probability as fast_log_probability
from driftrec.meta.rl2_trust_region import slate_log_probability

BANDIT = RL2Config(
    users=512, hidden=32, unseen_only=False, continuing=False, filter=True, probes=3,
    validation_users=10, validate_every=100, learning_rate=1e-2, belief=False,
)  # fmt: skip
PPO = PPOConfig(gamma=1.0, lam=0.95)


def score(policy, population, users=8000):
    return pseudo_rewards(lambda env: policy.on(env.simulation.catalogue), population, users, 1)


@pytest.mark.parametrize(
    ("objective", "iterations"),
    [
        (replace(PPO, epochs=2, minibatches=4), 12),
        (replace(PPO, objective="a2c", epochs=1, minibatches=1), 40),
        (replace(PPO, objective="trpo", epochs=2, minibatches=4, max_divergence=0.03), 30),
    ],
    ids=["ppo", "a2c", "trpo"],
)
def test_each_objective_learns_to_adapt(objective, iterations):
    # Three arms, four pulls: without memory none gets more than 2; the exact optimum is 2.347.
    population = bernoulli_population(3, 4)
    policy = RL2(replace(BANDIT, iterations=iterations, ppo=objective)).fit(population)
    assert score(policy, population).mean() > 2.2


@pytest.mark.parametrize("belief", [True, False])
def test_trust_region_steps_stay_inside_and_move(belief, tmp_path):
    ppo = replace(PPO, objective="trpo", epochs=1, minibatches=2, max_divergence=0.002)
    divergences = []

    def progress(iteration, iterations, metrics):
        divergences.append(metrics["kl"])

    config = replace(BANDIT, iterations=4, users=64, belief=belief, ppo=ppo)
    RL2(config).fit(bernoulli_population(3, 4), progress=progress)
    assert max(divergences) <= 0.002
    assert max(divergences) > 0.0005


def test_slates_have_the_probability_of_the_faster_path():
    rng = torch.Generator().manual_seed(0)
    query, table = torch.randn(6, 3, generator=rng), torch.randn(9, 3, generator=rng)
    slates = torch.stack([torch.randperm(9, generator=rng)[:4] for _ in range(6)])
    fast, _ = fast_log_probability(query, table, slates)
    torch.testing.assert_close(slate_log_probability(query @ table.T, slates), fast)


def test_memory_without_gradients_is_not_learnt_by_the_value_of_a_trust_region_policy():
    # The value head alone learns beside the step: memory moved by it would move the policy.
    ppo = replace(PPO, objective="trpo", epochs=1, minibatches=2, max_divergence=1e-12)
    population = bernoulli_population(3, 4)
    config = replace(BANDIT, iterations=1, users=64, filter=False, ppo=ppo)
    policy = RL2(config).fit(population)
    untrained = RL2(replace(config, learning_rate=1e-12)).fit(population)
    assert np.array_equal(score(policy, population, 200), score(untrained, population, 200))
    one, other = (
        dict(item.network.value.named_parameters())["value.0.weight"]
        for item in (policy, untrained)
    )
    assert not torch.allclose(one, other)
