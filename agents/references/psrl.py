"""Posterior sampling for reinforcement learning in small decision processes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from driftrec.agents.memory import known
from driftrec.envs import TabularMDP
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation


@dataclass(slots=True)
class ProcessBelief:
    """What is known of each user's process; the first axis is the user.

    Attributes:
        moves: how often a state followed, `(users, states, actions, states)`.
        visits: how often an action was taken in a state, `(users, states, actions)`.
        total: what it has paid, likewise.
        plan: the action for each step and state, int64 `(users, steps, states)`.
        now: the last state, int64 `(users,)`; meaningless at first.
        action: the last action, likewise.
    """

    moves: Array
    visits: Array
    total: Array
    plan: Array
    now: Array
    action: Array


class PSRL:
    """Draws a process from the posterior at every episode and acts optimally for it.

    Posterior sampling (Osband, Russo and Van Roy 2013, algorithm 1) with a flat Dirichlet prior of
    transitions and a N(prior_mean, 1) prior of mean rewards. With more than one draw it is
    optimistic: value iteration takes the best draw for each state and action (OPSRL, Osband and
    Van Roy 2017, "Why is posterior sampling better than optimism").

    The results that Duan et al. (2016, table 2) publish are those of a prior mean of 0. With the
    true one of 1 it explores longer than so few episodes are worth; with a spread of 0 it does not
    explore for its own sake, and earns more.

    Args:
        model: says how large the process is, how long an episode and how noisy rewards.
        draws: from the posterior at each episode.
        prior_mean: of mean rewards; 1 is that of `TabularMDP`.
        spread: factor of the standard deviation of the draws of mean rewards; 0 takes their means.
        seed: of the draws.

    Raises:
        ValueError: if there are no draws, or the spread is negative.
    """

    def __init__(
        self,
        model: TabularMDP,
        draws: int = 1,
        *,
        prior_mean: float = 0.0,
        spread: float = 1.0,
        seed: int = 0,
    ) -> None:
        if draws < 1 or spread < 0:
            raise ValueError(
                f"draws must be at least 1 and spread 0 or more, got {draws} and {spread}"
            )
        self._model = model
        self._draws = draws
        self._prior_mean = np.float32(prior_mean)
        self._spread = np.float32(spread)
        self._rng = np.random.default_rng([0x5053524C, seed])

    def start(self, users: int) -> ProcessBelief:
        """Nothing seen yet."""
        model = self._model
        pairs = (users, model.states, model.actions)
        now, action = np.zeros(users, np.int64), np.zeros(users, np.int64)
        return ProcessBelief(
            moves=np.zeros((*pairs, model.states), np.float32),
            visits=np.zeros(pairs, np.float32),
            total=np.zeros(pairs, np.float32),
            plan=np.zeros((users, model.steps, model.states), np.int64),
            now=now,
            action=action,
        )

    def act(self, observation: Observation, state: ProcessBelief) -> tuple[Array, ProcessBelief]:
        """The actions, `(users, 1)`, and the new state."""
        now = observation["context"].argmax(1)
        begins = observation["new_session"][:, 0] > 0
        state = self._learn(observation, state, now, begins)
        rows = np.flatnonzero(begins)
        if len(rows):
            state.plan[rows] = self.plan(state.moves[rows], state.visits[rows], state.total[rows])
        step = observation["position"][:, 0].astype(np.int64) % self._model.steps
        action = state.plan[np.arange(len(now)), step, now]
        return action[:, None], replace(state, now=now, action=action)

    def _learn(
        self, observation: Observation, state: ProcessBelief, now: Array, begins: Array
    ) -> ProcessBelief:
        """Count the last step; where an episode begins, its last move was none of the process."""
        users, seen = np.arange(len(now)), known(observation)
        moves, visits, total = state.moves.copy(), state.visits.copy(), state.total.copy()
        moves[users, state.now, state.action, now] += seen * ~begins
        visits[users, state.now, state.action] += seen
        total[users, state.now, state.action] += seen * observation["feedback"][:, 0]
        return replace(state, moves=moves, visits=visits, total=total, plan=state.plan.copy())

    def plan(self, moves: Array, visits: Array, total: Array) -> Array:
        """Optimal actions of processes drawn from the posterior, int64 `(users, steps, states)`.

        Args:
            moves: as in `ProcessBelief`.
            visits: as in `ProcessBelief`.
            total: as in `ProcessBelief`.
        """
        drawn = [self._draw(moves, visits, total) for _ in range(self._draws)]
        plan = np.empty((len(moves), self._model.steps, self._model.states), np.int64)
        value = np.zeros(moves.shape[:2], np.float32)
        for step in reversed(range(self._model.steps)):
            worth = drawn[0][0] + _expected(drawn[0][1], value)
            for reward, chance in drawn[1:]:
                worth = np.maximum(worth, reward + _expected(chance, value))
            plan[:, step], value = worth.argmax(2), worth.max(2)
        return plan

    def _draw(self, moves: Array, visits: Array, total: Array) -> tuple[Array, Array]:
        """Mean rewards and transition probabilities of a process."""
        chance = self._rng.standard_gamma(1 + moves, dtype=np.float32)
        chance /= chance.sum(-1, keepdims=True)
        noise = self._model.sd**2
        precision = 1 + visits / noise
        reward = (self._prior_mean + total / noise) / precision
        luck = self._rng.standard_normal(reward.shape, np.float32)
        return reward + self._spread * luck / np.sqrt(precision), chance


def _expected(chance: Array, value: Array) -> Array:
    """Expected value after each action in each state, `(users, states, actions)`."""
    users, states, actions, _ = chance.shape
    flat = chance.reshape(users, states * actions, -1) @ value[:, :, None]
    return flat.reshape(users, states, actions)
