"""Meta-training on tasks that can be played again reaches what is known to be reachable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from driftrec.envs.navigation import Navigation2DVectorEnv
from driftrec.meta.maml.bandits import BanditConfig, BanditTasks, measure_bandit, train_bandit
from driftrec.meta.maml.families import Categorical, Gaussian
from driftrec.meta.maml.navigation import (
    NavigationConfig,
    NavigationTasks,
    measure_navigation,
    train_navigation,
)
from driftrec.meta.maml.policies import Perceptron
from driftrec.meta.maml.task_training import TaskConfig, TaskTraining


def bandit(**changes) -> BanditConfig:
    config = BanditConfig()
    return replace(config, training=replace(config.training, **changes))


def test_ten_pulls_and_one_step_exploit_bandits_nearly_as_well_as_can_be():
    # The best arm by posterior mean after ten pulls in turn earns .7217.
    before, after = measure_bandit(train_bandit(bandit()))
    assert before[0] == pytest.approx(0.5, abs=4 * before[1])
    assert 0.70 < after[0] < 0.7217 + 3 * after[1]


@pytest.mark.parametrize("outer", ["ppo", "trpo"])
@pytest.mark.parametrize("adapted", ["head", "context"])
def test_every_part_that_can_adapt_does(outer, adapted):
    torch.manual_seed(0)
    network = Perceptron(1, 5, (16,), context=4)
    config = bandit(
        outer=outer, adapted=adapted, tasks=200, iterations=8, inner_rate=5.0, learning_rate=0.01
    ).training
    training = TaskTraining(network, Categorical(), BanditTasks(), config)
    before = measure_bandit(training_step(training), 5000)
    training.run()
    after = measure_bandit(training, 5000)
    assert after[1][0] > after[0][0] + 0.02
    assert after[1][0] > before[1][0]


def training_step(training: TaskTraining) -> TaskTraining:
    """The units of advantages are measured, and nothing is learnt yet."""
    training.play(training.tasks.sample(500, np.random.default_rng(5)), learn=True)
    return training


def test_the_last_step_of_an_episode_is_rewarded_and_none_after_it():
    def straight(inputs):
        actions = 10 * (torch.from_numpy(goals)[:, None] - 0.5 * inputs)
        return actions, torch.zeros(actions.shape[:2]), torch.zeros(*actions.shape[:2], 4)

    goals = np.array([[0.05, 0.02], [0.25, -0.4]], np.float32)
    played = NavigationTasks().play(goals, 3, straight)
    assert played.alive.sum(2).tolist() == [[1] * 3, [4] * 3]
    env = Navigation2DVectorEnv(1, autoreset_mode="Disabled")
    env.reset(options={"goal": goals[1:]})
    expected = []
    while not env.over.all():
        expected.append(env.step(goals[1:] - env.position)[1][0])
    assert played.rewards[1, 0, :4].tolist() == pytest.approx(expected, abs=1e-6)
    assert (played.rewards[:, :, 4:] == 0).all()
    assert played.rewards[0, 0, 0].item() == pytest.approx(0.0, abs=1e-6)


def test_each_round_is_played_anew_and_a_task_alone_adapts_as_among_others():
    torch.manual_seed(0)
    config = TaskConfig(tasks=4, episodes=5, inner_steps=2)
    network = Perceptron(2, 2, (8,), spread=2)
    training = TaskTraining(network, Gaussian(), NavigationTasks(), config)
    goals = NavigationTasks().sample(4, np.random.default_rng(0))
    played = training.play(goals, learn=True)
    assert len(played) == 3
    assert not torch.equal(played[0].actions, played[1].actions)
    assert not torch.equal(played[1].actions, played[2].actions)
    scale = training.scale
    training.play(goals[:1])
    assert training.scale == scale > 0


def test_where_the_best_return_is_known_a_step_is_in_proportion_to_what_a_task_falls_short():
    config = TaskConfig(tasks=3, episodes=4, best_return=0.0)
    torch.manual_seed(0)
    network = Perceptron(2, 2, (), spread=2, log_sd=-4.0)
    training = TaskTraining(network, Gaussian(), NavigationTasks(), config)
    goals = np.array([[0.1, 0.0], [0.2, 0.0], [0.4, 0.0]], np.float32)
    first = training.play(goals, learn=True, steps=0)[0]
    ones = torch.ones_like(first.rewards)
    scaled = training._inner(ones, first)[:, 0, 0]
    # Hardly moving at first, all are as far as their goals: on the average .7 / 3.
    expected = torch.tensor([0.1, 0.2, 0.4]) / (0.7 / 3) / training.scale
    torch.testing.assert_close(scaled, expected, rtol=0.15, atol=0.0)


@pytest.mark.slow
def test_navigation_meets_the_published_returns():
    # Finn et al. 2017: -40.41, -11.68, -3.33, -3.23 after 0 to 3 gradient steps.
    found = measure_navigation(train_navigation(NavigationConfig()))
    for (mean, _), published in zip(found, (-40.41, -11.68, -3.33, -3.23), strict=True):
        assert mean >= published


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inner_steps": 4}, "inner_steps must lie in"),
        ({"estimator": "reinforce"}, "estimator must be one of"),
        ({"round_weights": (1.0,)}, "round_weights must be 2 numbers"),
        ({"round_weights": (0.0, 0.0)}, "round_weights must sum to more than 0"),
        ({"outer": "foo"}, "outer must be one of .*, got 'foo'"),
        ({"adapted": "foo"}, "adapted must be one of .*, got 'foo'"),
        ({"baseline": "foo"}, "baseline must be one of .*, got 'foo'"),
        ({"schedule": "adaptive"}, "one of constant, linear, inverse-time, cosine"),
        ({"schedule": "foo"}, "unknown learning-rate schedule"),
        ({"tasks": 0}, "tasks must be at least 1, got 0"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"clip": -1.0}, "clip must be positive"),
        ({"inner_rate": float("nan")}, "inner_rate must not be negative, got nan"),
        ({"gamma": 1.5}, "gamma must lie in"),
    ],
)
def test_bad_config_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        TaskConfig(**change)


def test_a_network_without_a_context_cannot_adapt_one():
    with pytest.raises(ValueError, match="nothing to adapt under 'context'"):
        TaskTraining(
            Perceptron(2, 2, (4,), spread=2),
            Gaussian(),
            NavigationTasks(),
            TaskConfig(adapted="context"),
        )
