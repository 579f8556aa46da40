"""Advantages against their closed form."""

from __future__ import annotations

import torch

from driftrec.meta.gae import generalised_advantages


def advantages(rewards, values, alive, bootstrap, gamma=0.9, lam=0.8):
    columns = [torch.tensor(x)[:, None] for x in (rewards, values, alive)]
    discounts = torch.as_tensor(gamma).expand(len(rewards))[:, None]
    return generalised_advantages(*columns, torch.tensor([bootstrap]), discounts, lam)[:, 0]


def discounted_sum(deltas, rate):
    return sum(delta * rate**power for power, delta in enumerate(deltas))


def test_truncated_trial_is_the_discounted_sum_of_errors_with_its_bootstrap():
    rewards, values, after = [1.0, 0.0, 2.0], [0.5, 0.3, 0.7], 4.0
    deltas = [1.0 + 0.9 * 0.3 - 0.5, 0.0 + 0.9 * 0.7 - 0.3, 2.0 + 0.9 * after - 0.7]
    expected = [discounted_sum(deltas[start:], 0.9 * 0.8) for start in range(3)]
    got = advantages(rewards, values, [True] * 3, after)
    torch.testing.assert_close(got, torch.tensor(expected))


def test_what_comes_after_a_lost_user_counts_for_nothing():
    alive = [True, True, False, False]
    lost = advantages([1.0, 1.0, 9.0, 9.0], [0.5, 0.5, 7.0, 7.0], alive, 0.0)
    short = advantages([1.0, 1.0], [0.5, 0.5], [True, True], 0.0)
    torch.testing.assert_close(lost, torch.cat([short, torch.zeros(2)]))


def test_lambda_one_gives_return_minus_value_and_lambda_zero_the_one_step_error():
    rewards, values = [1.0, 2.0, 3.0], [0.1, 0.2, 0.3]
    whole = advantages(rewards, values, [True] * 3, 0.0, gamma=1.0, lam=1.0)
    torch.testing.assert_close(whole, torch.tensor([6 - 0.1, 5 - 0.2, 3 - 0.3]))
    step = advantages(rewards, values, [True] * 3, 5.0, gamma=1.0, lam=0.0)
    torch.testing.assert_close(step, torch.tensor([1 + 0.2 - 0.1, 2 + 0.3 - 0.2, 3 + 5 - 0.3]))


def test_discount_by_survival_is_the_mean_over_who_is_lost():
    # Lost after a request with chance 1 - s: what follows is then worth nothing.
    rewards, values, after = [1.0, 2.0], [0.5, 0.7], 3.0
    survival = torch.tensor([0.6, 0.9])
    got = advantages(rewards, values, [True] * 2, after, gamma=survival, lam=1.0)
    first = 1 + 0.6 * (2 + 0.9 * 3)
    torch.testing.assert_close(got, torch.tensor([first - 0.5, 2 + 0.9 * 3 - 0.7]))
