"""Scores of a policy by what its choices are worth, without the luck of the draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from gymnasium.vector import AutoresetMode

from driftrec.agents.policy import PolicyFactory, renew
from driftrec.envs import Population, RecommendationVectorEnv, resolve_population
from driftrec.envs.arrays import to_numpy
from driftrec.envs.simulation import among


@dataclass(frozen=True)
class Worth:
    """Expected feedback at each request of whole trials; 0 after the end of a trial.

    Attributes:
        shown: on the slate that was shown, `(users, requests)`.
        best: on the best slate, likewise.
    """

    shown: np.ndarray
    best: np.ndarray

    @property
    def pseudo_reward(self) -> np.ndarray:
        """Expected feedback over the trial, `(users,)`."""
        total: np.ndarray = self.shown.sum(1)
        return total

    @property
    def cumulative_regret(self) -> np.ndarray:
        """What was lost to the best slate up to each request, `(users, requests)`."""
        return np.cumsum(self.best - self.shown, axis=1)


def worth(
    make_policy: PolicyFactory,
    population: Population | str,
    users: int,
    seed: int,
    split: str = "test",
) -> Worth:
    """Play a policy on users whom it has never met, each for one whole trial.

    Worth is counted item by item as shown alone and for the first time, which is exact for the
    bandits and decision processes of `driftrec.envs`: an arm may be pulled again. Regret is to the
    best item of the moment that is offered; in a decision process that is no bound on what can be
    earned.

    Args:
        make_policy: makes the policy for an environment.
        population: a `Population`, or the name of one.
        users: number of users.
        seed: 0 or above; the users and their luck follow from it and not from the policy.
        split: the part of the population that the users come from.

    Raises:
        ValueError: if an option is unknown or out of range.
    """
    if seed < 0:
        raise ValueError(f"seed must be 0 or above, got {seed}")
    env = RecommendationVectorEnv(
        resolve_population(population),
        users,
        split=split,
        autoreset_mode=AutoresetMode.DISABLED,
        by_number=True,
    )
    observation, _ = env.reset(seed=seed)
    policy, trials = make_policy(env), env.simulation.trials
    state, shown, best = policy.start(users), [], []
    while not trials.over.all():
        if observation["new_user"].any():
            state = renew(state, policy.start(users), observation["new_user"])
        items, state = policy.act(observation, state)
        items, active = np.asarray(items, np.int64), ~trials.over
        value = to_numpy(env.simulation.click_probability()).astype(np.float64)
        shown.append(np.take_along_axis(value, items, 1).sum(1) * active)
        best.append(_best(among(env.simulation, value), items.shape[1]) * active)
        observation, *_ = env.step(items)
        trials = env.simulation.trials
    return Worth(np.stack(shown, axis=1), np.stack(best, axis=1))


def _best(value: np.ndarray, slate: int) -> np.ndarray:
    """The sum of the greatest values of each user, `(users,)`."""
    if slate == 1:
        return np.asarray(value.max(1))
    return np.asarray(np.sort(value, axis=1)[:, -slate:].sum(1))


def pseudo_rewards(
    make_policy: PolicyFactory,
    population: Population | str,
    users: int,
    seed: int,
    split: str = "test",
) -> np.ndarray:
    """Expected feedback of each user over a whole trial, `(users,)`; see `worth`."""
    return worth(make_policy, population, users, seed, split).pseudo_reward


def standard_error(values: np.ndarray) -> float:
    """Of the mean of independent values, `(users,)`."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))
