"""Evolution strategies learn, start from a checkpoint, and do not mind who plays what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from driftrec.agents.harness import evaluate
from driftrec.envs import DriftingUser, Population, bernoulli_population, synthetic_catalogue
from driftrec.meta import RL2, RL2Config, load
from driftrec.meta.evolution import ES, ESConfig
from driftrec.meta.evolution.run import ESRun, trial_rewards
from driftrec.meta.gathering import gather
from driftrec.meta.workers import Worker

SMALL = ESConfig(
    iterations=3, users=32, hidden=6, pairs=4, at_once=2, validate_every=2, validation_users=8
)


def small_population():
    catalogue = synthetic_catalogue(30, np.random.default_rng(0), dimension=4, topics=3)
    personas = np.random.default_rng(1).standard_normal((3, 4))
    return Population("Small", DriftingUser(personas=personas, topics=3), catalogue, max_requests=6)


def weights(policy):
    return policy.network.state_dict()


def same(first, second):
    return all(
        torch.equal(tensor, weights(second)[name]) for name, tensor in weights(first).items()
    )


def test_the_bandit_is_learnt_close_to_the_best_greedy_rule_and_never_beyond_the_optimum():
    # Bernoulli, 5 arms, 10 pulls: random 5, Thompson 5.83, greedy on the posterior mean 6.63,
    # exact optimum 6.660.
    config = ESConfig(iterations=50, unseen_only=False, validate_every=20, validation_users=4000)
    population = bernoulli_population(arms=5, pulls=10)
    policy = ES(config).fit(population)
    played = evaluate(lambda env: policy, population, users=20_000, batch=10_000, regret=True)
    reward = played.expected.sum(1)
    assert reward.mean() > 6.5
    assert reward.mean() < 6.660 + 3 * reward.std() / np.sqrt(len(reward))


def test_both_directions_meet_the_same_users_with_the_same_luck():
    for greedy in (True, False):
        config = replace(SMALL, noise=1e-12, greedy=greedy, expected_rewards=False)
        run = ESRun(Worker(), config, small_population())
        fitness, _ = run._play(0)
        assert np.array_equal(fitness[:, 0], fitness[:, 1])
        assert len(np.unique(fitness[:, 0])) > 1


def test_two_workers_do_what_one_does():
    population = small_population()
    # One look, at the end: each worker validates on users of its own.
    config = replace(SMALL, validate_every=9)
    one = ES(config).fit(population)
    two = ES(replace(config, workers=2)).fit(population)
    assert same(one, two)


def test_gathering_puts_each_workers_numbers_in_its_place():
    class Half(Worker):
        def average(self, *values):
            return [value / self.count for value in values]

    parts = [gather(Half(rank, 2), np.full((1, 3), 5.0 + rank)) for rank in (0, 1)]
    assert (parts[0] + parts[1]).tolist() == [[5.0] * 3, [6.0] * 3]


def test_resumed_run_ends_with_the_weights_of_one_that_was_never_cut(tmp_path):
    population = small_population()
    whole = ES(SMALL).fit(population)

    class KilledError(Exception):
        pass

    def kill(iteration, *_):
        if iteration == 2:
            raise KilledError

    with pytest.raises(KilledError):
        ES(SMALL).fit(population, tmp_path, progress=kill)
    resumed = ES(SMALL).fit(population, tmp_path, resume=True)
    assert same(whole, resumed)
    assert same(resumed, load(tmp_path))


def test_it_starts_from_the_policy_of_rl2_and_leaves_its_critic_alone(tmp_path):
    population = small_population()
    trained = RL2(
        RL2Config(iterations=2, users=16, hidden=5, probes=4, memory="lstm", validation_users=8)
    ).fit(population, tmp_path)
    config = replace(SMALL, start_from=str(tmp_path), learning_rate=1e-3, iterations=1)
    run = ESRun(Worker(), config, population)
    for name, tensor in run.network.state_dict().items():
        assert torch.equal(tensor, weights(trained)[name])
    run.iterate()
    moved = {
        name
        for name, tensor in run.network.state_dict().items()
        if not torch.equal(tensor, weights(trained)[name])
    }
    assert any(name.startswith("trunk.memory") for name in moved)
    assert any(name.startswith("belief") for name in moved)
    assert not any(name.startswith("value") for name in moved)
    policy = ES(config).fit(population, tmp_path / "es")
    assert policy.about["config"]["memory"] == "lstm"
    assert same(policy, load(tmp_path / "es"))


def test_weight_decay_shrinks_weights_that_nothing_else_moves():
    config = replace(SMALL, weight_decay=0.5, learning_rate=0.1, schedule="constant")
    run = ESRun(Worker(), config, small_population())
    before = {name: weight.clone() for name, weight in run.network.named_parameters()}
    run.perturbed.set_gradients(torch.zeros(run.perturbed.size))
    run.optimiser.step()
    for name, weight in run.network.named_parameters():
        factor = 1.0 if name.startswith("value") else 0.95
        assert torch.allclose(weight, factor * before[name])


def test_what_comes_after_a_loss_counts_by_the_chance_that_the_user_is_there():
    class Played:
        rewards = torch.tensor([[1.0], [10.0], [100.0]])
        survival = torch.tensor([[0.5], [0.2], [0.9]])

    assert trial_rewards(Played).tolist() == [1 + 0.5 * 10 + 0.5 * 0.2 * 100]


def test_every_size_is_a_config():
    for size in ("smoke", "standard", "full"):
        assert ESConfig.of_size(size).pairs in (8, 64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pairs": 5, "at_once": 2}, r"pairs \(5\) must divide into batches of 2"),
        ({"users": 36}, "must divide among the 8 perturbed networks"),
        ({"noise": 0.0}, "noise must be positive"),
        ({"schedule": "adaptive"}, "measure no KL"),
        ({"at_once": 0}, "at_once must be at least 1"),
    ],
)
def test_bad_config_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **change)
