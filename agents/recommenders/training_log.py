"""The log of training users that recommenders and learned priors are fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from driftrec.agents.memory import Memory, new_memory, top_unseen
from driftrec.envs import Population, RecommendationVectorEnv
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation

SHARPNESS = np.float32(2.0)
"""Popular items are drawn by a softmax of quality times this: some are met by many users, as in a
log of a live recommender, and no item by nobody."""


@dataclass(frozen=True, eq=False)
class TrainingLog:
    """What training users were shown and what came of it; the first axis is the user.

    Attributes:
        items: item numbers, int32 `(users, requests, slate)`; 0 after the end of a trial.
        feedback: on each of them, float32 `(users, requests, slate)`; likewise 0.
        active: whether there was such a request, bool `(users, requests)`.
        day: when it was made, in days since first contact, float32 `(users, requests)`.
    """

    items: NDArray[np.int32]
    feedback: NDArray[np.float32]
    active: NDArray[np.bool_]
    day: NDArray[np.float32]

    def users(self, rows: slice) -> TrainingLog:
        """The log of some of the users."""
        return TrainingLog(self.items[rows], self.feedback[rows], self.active[rows], self.day[rows])


def training_log(population: Population, users: int, seed: int, batch: int = 500) -> TrainingLog:
    """Show items to `train` users by a policy that explores, and take down what they click.

    Each request of a user shows, with probability 1/2, items drawn uniformly and otherwise
    popular ones, drawn by a softmax of twice their quality, without an item twice in a slate.
    Items shown before are left out unless the population allows repeats; where candidates are
    offered, only these are drawn. Trials run to their end.

    Args:
        population: whose `train` users to log.
        users: how many.
        seed: 0 or above; with `population`, `users` and `batch` it decides the whole log.
        batch: users simulated at once.

    Raises:
        ValueError: if a number is out of range.
    """
    if users < 1 or batch < 1 or seed < 0:
        raise ValueError(
            "users and batch must be at least 1 and seed at least 0, "
            f"got users={users}, batch={batch}, seed={seed}"
        )
    shape = (users, population.max_requests)
    log = TrainingLog(
        items=np.zeros((*shape, population.slate), np.int32),
        feedback=np.zeros((*shape, population.slate), np.float32),
        active=np.zeros(shape, bool),
        day=np.zeros(shape, np.float32),
    )
    for first in range(0, users, batch):
        _fill(log, slice(first, min(first + batch, users)), population, seed)
    return log


def _fill(log: TrainingLog, rows: slice, population: Population, seed: int) -> None:
    """Run the trials of one batch of users and write them into its rows of the log."""
    numbers = np.random.SeedSequence([0x4C4F47, seed, rows.start]).generate_state(2, np.uint64)
    env = RecommendationVectorEnv(
        population,
        rows.stop - rows.start,
        split="train",
        autoreset_mode=AutoresetMode.DISABLED,
        by_number=True,
    )
    observation, _ = env.reset(seed=int(numbers[0] >> np.uint64(1)))
    shows = _Exploring(population, env.num_envs, np.random.default_rng(int(numbers[1])))
    trials, request = env.simulation.trials, 0
    while not trials.over.all():
        active, day = ~trials.over, trials.day
        items = shows.items(observation)
        observation, *_ = env.step(items)
        trials = env.simulation.trials
        log.active[rows, request] = active
        log.day[rows, request] = np.where(active, day, 0)
        log.items[rows, request] = np.where(active[:, None], items, 0)
        log.feedback[rows, request] = np.where(active[:, None], trials.feedback, 0)
        request += 1
    env.close()


class _Exploring:
    """The policy of the log: random items half the time, popular ones else.

    The highest of scores with independent Gumbel noise is a draw from their softmax, and their
    order draws without replacement, so that without repeats one order serves a whole trial.
    """

    def __init__(self, population: Population, users: int, rng: np.random.Generator) -> None:
        self._logits = SHARPNESS * np.asarray(population.split("train").catalogue.quality)
        self._repeats = population.repeats
        self._slate = population.slate
        self._rng = rng
        self._memory: Memory = new_memory(users, len(self._logits), self._slate)
        self._orders = self._draw(users)

    def items(self, observation: Observation) -> Array:
        """What to show next, `(users, slate)`."""
        users = len(self._memory.shown)
        if self._repeats:
            self._orders = self._draw(users)
        barred = self._barred(observation)
        popular, uniform = self._orders
        at_random = self._rng.random((users, 1)) < 0.5
        items = top_unseen(np.where(at_random, uniform, popular), barred, self._slate)
        self._memory = self._memory.after(items)
        return items

    def _draw(self, users: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Keys whose order is one of popularity with chance, and of chance alone."""
        shape = (users, len(self._logits))
        chance = self._rng.standard_exponential(shape, np.float32)
        # Minus the logarithm of an exponential draw is a Gumbel draw; 0 itself has no logarithm.
        gumbel = -np.log(np.maximum(chance, np.float32(1e-30)))
        return self._logits + gumbel, self._rng.random(shape, np.float32)

    def _barred(self, observation: Observation) -> Array:
        """1 for what must not be shown, `(users, items)`."""
        if not self._repeats:
            return self._memory.shown
        barred = np.zeros_like(self._memory.shown)
        if "offered" in observation:
            barred[:] = 1
            np.put_along_axis(barred, observation["offered"], 0, axis=1)
        return barred
