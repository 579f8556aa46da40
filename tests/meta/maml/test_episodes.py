"""Advantages: closed forms, the reward that ends an episode, and no normalisation by task."""

from __future__ import annotations

import pytest
import torch

from driftrec.meta.maml.episodes import Episodes, advantages


def episodes(rewards: torch.Tensor, lengths: torch.Tensor) -> Episodes:
    tasks, count, steps = rewards.shape
    alive = torch.arange(steps) < lengths[..., None]
    inputs = torch.randn(tasks, count, steps, 2, generator=torch.Generator().manual_seed(0))
    nothing = torch.zeros(tasks, count, steps)
    return Episodes(inputs, nothing, nothing, nothing[..., None], rewards * alive, alive)


def test_without_a_baseline_advantages_are_discounted_sums_the_last_reward_included():
    rewards = torch.tensor([[[1.0, 2.0, 4.0], [8.0, 16.0, 99.0]]])
    found = advantages(episodes(rewards, torch.tensor([[3, 2]])), 0.5, 1.0, "none")
    assert found.tolist() == [[[3.0, 4.0, 4.0], [16.0, 16.0, 0.0]]]


def test_the_mean_baseline_leaves_each_tasks_steps_centred():
    torch.manual_seed(0)
    rewards = torch.randn(3, 8, 5) + torch.tensor([0.0, 10.0, -10.0])[:, None, None]
    found = advantages(episodes(rewards, torch.full((3, 8), 5)), 0.9, 1.0, "mean")
    torch.testing.assert_close(found.mean(1), torch.zeros(3, 5), atol=1e-5, rtol=0)


def test_the_linear_baseline_explains_a_return_that_is_linear_in_the_inputs():
    one = episodes(torch.zeros(2, 40, 1), torch.ones(2, 40, dtype=torch.long))
    slope = torch.tensor([[1.0, -2.0], [0.5, 3.0]])
    one.rewards = torch.einsum("tesi,ti->tes", one.inputs, slope) + 7.0
    assert advantages(one, 0.9, 1.0, "linear").abs().max() < 1e-3


@pytest.mark.parametrize("baseline", ["mean", "linear"])
def test_a_task_that_is_louder_stays_louder(baseline):
    torch.manual_seed(0)
    rewards = torch.randn(1, 50, 3).repeat(2, 1, 1)
    rewards[1] *= 10
    one = episodes(rewards, torch.full((2, 50), 3))
    one.inputs[1] = one.inputs[0]
    found = advantages(one, 0.9, 0.7, baseline)
    torch.testing.assert_close(found[1], 10 * found[0], atol=1e-3, rtol=1e-3)
