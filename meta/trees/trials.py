"""Trials collected for the trees: public history, and the labels of a few items a request."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from driftrec.agents.memory import top_unseen
from driftrec.envs import RecommendationVectorEnv
from driftrec.envs.arrays import Array
from driftrec.envs.observation import NUMBERS, Observation
from driftrec.meta.trees.config import TreesConfig
from driftrec.meta.trees.history import History
from driftrec.meta.trees.policy import TreesPolicy
from driftrec.meta.trees.statistics import Statistics

CHANCE = 1e-4
"""The smallest chance of a click, and of none, that a label tells from 0."""


@dataclass
class Trials:
    """Whole trials of a batch of users; the first two axes are request and user.

    Attributes:
        numbers: of the observation, as `NUMBERS` names them, `(T, users, 4)`.
        feedback: on the slate before, `(T, users, slate)`.
        slates: shown then, `(T, users, slate)`.
        items: whose labels were noted, those shown first, `(T, users, n)`.
        labels: true logit before the request, or click, `(T, users, n)`.
        alive: whether the request took place, `(T, users)`.
    """

    numbers: Array
    feedback: Array
    slates: Array
    items: Array
    labels: Array
    alive: Array

    def rows(self, statistics: Statistics) -> tuple[Array, Array]:
        """Statistics and labels, `(requests, n, columns)` and `(requests, n)`."""
        history = statistics.start(self.alive.shape[1])
        found = []
        for request, alive in enumerate(self.alive):
            observation = self._observation(request)
            history = statistics.after(observation, history)
            users, both = statistics.of_users(observation, history), statistics.of_items(history)
            found.append(statistics.rows(users, both, self.items[request])[alive])
            history.memory = history.memory.after(self.slates[request])
        return np.concatenate(found), self.labels[self.alive]

    def _observation(self, request: int) -> Observation:
        numbers = self.numbers[request]
        observation = {name: numbers[:, [column]] for column, name in enumerate(NUMBERS)}
        observation["feedback"] = self.feedback[request]
        return observation


def collect(
    env: RecommendationVectorEnv,
    policy: TreesPolicy,
    config: TreesConfig,
    *,
    seed: int,
    share: float,
) -> tuple[Trials, float]:
    """Run one trial of every user of `env`, which must not reset by itself.

    Args:
        env: a vector environment with autoreset `DISABLED`.
        policy: acts, and picks the other items to learn of among its candidates.
        config: what is noted.
        seed: reproduces users, luck and draws.
        share: of the requests in which items are drawn by their quality instead.

    Returns:
        The trials, and the reward a request.
    """
    rng = np.random.default_rng([seed, 1])
    observation, _ = env.reset(seed=seed)
    state, alive = policy.start(env.num_envs), np.ones(env.num_envs, bool)
    records: list[dict[str, Array]] = []
    total = 0.0
    while alive.any():
        items, state = _choose(policy, observation, state, config, share, rng)
        slate = items[:, : policy.slate]
        labels = _true_logits(env, items) if config.labels == "logits" else None
        numbers = np.concatenate([observation[name] for name in NUMBERS], axis=1)
        before, was_alive = observation["feedback"], alive
        observation, reward, terminated, truncated, _ = env.step(slate)
        records.append(
            {
                "numbers": numbers,
                "feedback": before,
                "slates": slate,
                "items": items,
                "labels": observation["feedback"] if labels is None else labels,
                "alive": was_alive,
            }
        )
        total += float(reward.sum())
        alive = ~np.asarray(terminated | truncated)
    trials = Trials(*(np.stack([r[item.name] for r in records]) for item in fields(Trials)))
    return trials, total / float(trials.alive.sum())


def _choose(
    policy: TreesPolicy,
    observation: Observation,
    state: History,
    config: TreesConfig,
    share: float,
    rng: np.random.Generator,
) -> tuple[Array, History]:
    """The slate and, after it, the other items whose labels are noted, `(users, n)`."""
    history, pool, scores = policy.rank(observation, state)
    users, slate = len(pool), policy.slate
    count = min(slate + (config.others if config.labels == "logits" else 0), pool.shape[1])
    banned = policy.banned(observation, history)
    # At random, but what is banned comes last and what is shown first.
    order = rng.random(pool.shape) + np.take_along_axis(banned, pool, axis=1)
    np.put_along_axis(order, policy.best(banned, pool, scores), np.arange(slate) - slate, axis=1)
    known = np.take_along_axis(pool, order.argsort(1)[:, :count], axis=1)
    luck = rng.gumbel(size=banned.shape).astype(np.float32)
    drawn = top_unseen(config.sharpness * policy.catalogue.quality + luck, banned, count)
    items = np.where(rng.random((users, 1)) < share, drawn, known)
    history.memory = history.memory.after(items[:, :slate])
    return items, history


def _true_logits(env: RecommendationVectorEnv, items: Array) -> Array:
    """Privileged labels: logit of a click on each item if it were shown alone now, `(users, n)`."""
    simulation = env.simulation
    repeats = np.take_along_axis(np.asarray(simulation.shown), items, axis=1)
    columns = []
    for column in range(items.shape[1]):
        slate = simulation.catalogue.show(items[:, [column]], repeats[:, [column]])
        columns.append(np.asarray(simulation.model.respond(simulation.state, slate).mean))
    chance = np.clip(np.concatenate(columns, axis=1), CHANCE, 1 - CHANCE)
    logits: Array = np.log(chance / (1 - chance)).astype(np.float32)
    return logits
