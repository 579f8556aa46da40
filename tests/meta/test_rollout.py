"""What is recorded of trials is what happened, and learning starts from the policy that acted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from driftrec.envs import DriftingUser, Population, RecommendationVectorEnv, synthetic_catalogue
from driftrec.envs.published.kuaisim import kuaisim_population
from driftrec.envs.tabular_mdp import tabular_population
from driftrec.meta import PPOConfig
from driftrec.meta.network import ActorCritic
from driftrec.meta.never_lost import never_lost
from driftrec.meta.ppo import Update, targets
from driftrec.meta.rl2_run import plackett_luce
from driftrec.meta.rollout import Notes, collect
from driftrec.meta.track import NetworkShape


def run(env, network, seed, probes=0, expected_rewards=None):
    table = torch.from_numpy(np.array(env.simulation.catalogue.table))
    choose = plackett_luce(network, table, seed)
    notes = Notes(probes=probes, expected_rewards=expected_rewards)
    return collect(env, network, choose, seed=seed, unseen_only=True, notes=notes)


def setting(users=40, slate=1, requests=12, reward="clicks", **parameters):
    catalogue = synthetic_catalogue(25, np.random.default_rng(0), dimension=4, topics=3)
    personas = np.random.default_rng(1).standard_normal((3, 4))
    model = DriftingUser(personas=personas, topics=3, **parameters)
    population = Population("Small", model, catalogue, slate=slate, max_requests=requests)
    env = RecommendationVectorEnv(population, users, reward=reward, autoreset_mode="Disabled")
    torch.manual_seed(0)
    network = ActorCritic(NetworkShape(slate, 8, 6), torch.ones(8))
    return env, network, torch.from_numpy(np.array(catalogue.table))


@pytest.mark.parametrize("slate", [1, 3])
def test_ratio_of_the_policy_to_itself_is_one(slate):
    env, network, table = setting(slate=slate, churn=0.5, session_requests=4)
    trials = run(env, network, 3, probes=4)
    wanted = targets(network, trials, PPOConfig(), continuing=True, return_scale=1.0)
    nothing = torch.optim.SGD(network.parameters(), lr=0.0)
    report = Update(
        network, nothing, trials, wanted, table, PPOConfig(epochs=1), 0, 0.0,
        torch.Generator().manual_seed(0), lambda module: None,
    ).run()  # fmt: skip
    assert abs(report.kl) < 1e-6
    assert report.clipped == 0


def test_trials_end_where_users_leave_and_never_show_an_item_twice():
    env, network, _ = setting(churn=0.5, session_requests=4)
    trials = run(env, network, 3)
    lengths = trials.alive.sum(0)
    assert (trials.alive.long().diff(dim=0) <= 0).all()
    assert torch.equal(lengths, torch.from_numpy(np.array(env.simulation.trials.request)).long())
    assert trials.churned.any()
    assert not trials.churned.all()
    for user, length in enumerate(lengths):
        items = trials.slates[:length, user, 0]
        assert len(items.unique()) == length
        banned = trials.banned(torch.tensor([user]))[:, 0]
        for request in range(length):
            assert set(banned[request].nonzero()[:, 0].tolist()) == set(items[:request].tolist())


@pytest.mark.parametrize("reward", ["clicks", "retention", "returns"])
def test_expected_rewards_weighed_by_survival_have_the_mean_of_rewards_and_less_variance(reward):
    env, network, _ = setting(4000, reward=reward, churn=0.2, session_requests=4)
    chance = run(env, network, 5).rewards.sum(0)
    whole = RecommendationVectorEnv(
        never_lost(env.population), 4000, reward=reward, autoreset_mode="Disabled"
    )
    trials = run(whole, network, 5, expected_rewards={reward: 1.0})
    assert trials.alive.all()
    there = trials.survival.cumprod(0)
    there = torch.cat([torch.ones(1, 4000), there[:-1]])
    expected = (there * trials.rewards).sum(0)
    difference = chance - expected
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(difference))
    assert expected.var() < chance.var()


def test_expected_rewards_need_users_who_are_never_lost():
    env, network, _ = setting()
    with pytest.raises(ValueError, match="need NeverLost users, got DriftingUser"):
        run(env, network, 5, expected_rewards={"clicks": 1.0})


def test_every_trial_begins_without_memory_of_another():
    env, network, _ = setting()
    first = run(env, network, 1)
    again = run(env, network, 1)
    run(env, network, 2)
    assert torch.equal(first.inputs, again.inputs)
    new_user = 3 * 8 + 1
    assert (first.inputs[0, :, new_user] == 1).all()
    assert (first.inputs[1:, :, new_user] == 0).all()
    assert (first.inputs[0, :, :new_user] == 0).all()


def test_value_of_what_follows_counts_after_a_cut_and_not_after_churn():
    env, network, _ = setting(200, churn=0.5, session_requests=4)
    trials = run(env, network, 3)
    options = {"return_scale": 1.0}
    config = PPOConfig(gamma=0.9, lam=1.0)
    cut = targets(network, trials, config, continuing=True, **options).returns
    ended = targets(network, trials, config, continuing=False, **options).returns
    last = trials.alive.sum(0) - 1
    gap = (cut - ended).gather(0, last[None])[0]
    values = network.value(network.relive(trials.inputs), trials.hint).gather(0, last[None] + 1)[0]
    expected = torch.where(trials.churned, torch.zeros(200), 0.9 * values)
    torch.testing.assert_close(gap, expected.detach(), atol=1e-5, rtol=1e-4)


def test_inputs_hold_the_context_of_the_last_request_and_the_present_one():
    population = tabular_population(episodes=2, states=4, actions=3, steps=5)
    env = RecommendationVectorEnv(never_lost(population), 6, autoreset_mode="Disabled")
    torch.manual_seed(0)
    shape = NetworkShape.of(population, hidden=6)
    assert (shape.context, shape.clicks) == (4, False)
    network = ActorCritic(shape, torch.ones(5))
    trials = run(env, network, 1, probes=3)
    now = network.trunk.contexts(trials.inputs)
    assert (now.sum(-1) == 1).all()
    assert (now[::5, :, 0] == 1).all(), "an episode begins in state 0"
    before = trials.inputs[..., network.trunk.public - 8 : network.trunk.public - 4]
    assert torch.equal(before[1:], now[:-1])
    assert not before[0].any()


def test_labels_of_a_decision_process_are_values_and_what_the_critic_sees_is_feedback():
    population = never_lost(tabular_population(episodes=1, states=4, actions=3, steps=3))
    env = RecommendationVectorEnv(population, 6, autoreset_mode="Disabled")
    torch.manual_seed(0)
    network = ActorCritic(NetworkShape.of(population, hidden=6), torch.ones(5))
    trials = run(env, network, 1, probes=3)
    order = trials.probe_items[-2].argsort()
    expected, values = trials.probe_expected[-1], trials.probe_values[-1]
    # In the last step of an episode the two differ by a constant: nothing follows.
    torch.testing.assert_close(values, expected - expected.mean(1, keepdim=True))
    gap = (trials.probe_values[-2] - trials.probe_expected[-2])[:, order]
    assert gap.std(1).min() > 1e-3


def test_users_who_are_never_lost_return_by_the_law_of_their_own_model():
    users = never_lost(kuaisim_population("CrossSession"))
    env = RecommendationVectorEnv(users, 50, autoreset_mode="Disabled")
    env.reset(seed=0)
    days = []
    for request in range(15):
        env.step(np.full(50, request) if users.slate == 1 else np.arange(users.slate) + [[0]] * 50)
        trials = env.simulation.trials
        days += trials.elapsed[trials.returned].tolist()
    assert len(days) >= 50
    assert set(days) <= set(range(1, 11))
    assert len(set(days)) > 3
