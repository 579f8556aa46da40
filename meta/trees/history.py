"""Running sums over the public history of a trial, from which statistics are read."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from driftrec.agents.memory import Memory, elapsed_days, known, new_memory
from driftrec.envs import Catalogue
from driftrec.envs.arrays import Array, sigmoid
from driftrec.envs.observation import Observation

HOURS_PER_DAY = 24.0

COUNTS = ("requests", "clicks", "surplus", "session_clicks", "session_surplus", "sessions", "days")
"""What is counted of each user; a surplus is clicks less those that quality lets one expect."""

OF_SESSION = slice(COUNTS.index("session_clicks"), COUNTS.index("session_surplus") + 1)


@dataclass(frozen=True)
class StatisticsConfig:
    """Which sums are kept of a trial."""

    hours: tuple[float, ...] = (0.2, 6.0)
    """Times in which the past is forgotten: one sum of each kind for each, and one for never."""
    prior_sd: float = 0.3
    """Of a weight of the online regression of clicks on item features, in logits."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "hours", tuple(float(value) for value in self.hours))
        if not all(0 < value < math.inf for value in self.hours):
            raise ValueError(f"hours must be positive and finite, got {self.hours}")
        if not 0 < self.prior_sd < math.inf:
            raise ValueError(f"prior_sd must be positive and finite, got {self.prior_sd}")


@dataclass(slots=True)
class History:
    """The running sums of each user.

    D = d + topics + 2 are the inputs of an item, and K is one more than the times of forgetting,
    the last being never.

    Attributes:
        memory: what was shown.
        counts: as `COUNTS` names them, `(users, 7)`.
        exposures: faded sums of the inputs x of the items shown, `(users, K, D)`.
        surplus: faded sums of x times what the click was above its forecast, `(users, K, D)`.
        weights: mean of the regression's weights, `(users, K D)`.
        covariance: of the weights, `(users, K D, K D)`.
    """

    memory: Memory
    counts: Array
    exposures: Array
    surplus: Array
    weights: Array
    covariance: Array


class RunningSums:
    r"""Keeps the histories of a batch of users, request by request.

    The inputs x of an item are its features, topics, quality and a constant 1. For each time of
    forgetting tau the sums fade by exp(-elapsed / tau). The regression is the Bayesian logistic
    one with weights w_1..w_K, one vector for each time: the logit of a click on x is
    quality + <w_1 + .. + w_K, x>. Each click moves them by one step of the extended Kalman filter
    (Anderson and Moore 1979, section 8.2, for a Bernoulli observation),

        p = sigmoid(quality + z'm),  v = p (1 - p),  m += P z (click - p) / (1 + v z'Pz),
        P -= v P z z'P / (1 + v z'Pz),

    with z = (x, .., x), and between requests weights of time tau relax to their prior
    N(0, prior_sd^2), as an Ornstein-Uhlenbeck process does. It knows nothing of the user model.

    Args:
        config: which sums.
        catalogue: what can be shown.
        slate: items in a request.

    Attributes:
        table: features, topics and quality of the items, `(items, D - 1)`.
        inputs: x, `(items, D)`.
        times: K.
    """

    def __init__(self, config: StatisticsConfig, catalogue: Catalogue, slate: int = 1) -> None:
        self.table = np.asarray(catalogue.table)
        self.inputs = np.concatenate([self.table, np.ones_like(self.table[:, :1])], axis=1)
        self.times = len(config.hours) + 1
        self._expected = sigmoid(self.table[:, -1])
        self._slate = slate
        self._rates = np.array([*(HOURS_PER_DAY / np.array(config.hours)), 0.0], np.float32)
        self._variance = np.float32(config.prior_sd**2)

    def start(self, users: int) -> History:
        """Nothing seen yet."""
        inputs = self.inputs.shape[1]
        total = self.times * inputs
        sums = np.zeros((users, self.times, inputs), np.float32)
        return History(
            memory=new_memory(users, len(self.table), self._slate),
            counts=np.zeros((users, len(COUNTS)), np.float32),
            exposures=sums,
            surplus=sums.copy(),
            weights=np.zeros((users, total), np.float32),
            covariance=np.tile(self._variance * np.eye(total, dtype=np.float32), (users, 1, 1)),
        )

    def after(self, observation: Observation, history: History) -> History:
        """The sums once the last slate's feedback is known and time has passed; a new object."""
        return self._pass_time(observation, self._learn(observation, history))

    def chances(self, history: History, items: Array) -> Array:
        """The regression's click probability of items, `(users, n)`; given as many."""
        weights = history.weights.reshape(len(items), self.times, -1).sum(1)
        logits = self.table[items, -1] + np.vecdot(self.inputs[items], weights[:, None])
        return sigmoid(logits.astype(np.float32))

    def _learn(self, observation: Observation, history: History) -> History:
        """Take in the feedback on the last slate, slot by slot; a new user has none."""
        weight, items = known(observation), history.memory.last
        clicks = observation["feedback"]
        weights, covariance = history.weights, history.covariance
        exposures, surplus = history.exposures, history.surplus
        for slot in range(self._slate):
            shown = items[:, slot]
            x = self.inputs[shown] * weight[:, None]
            z = np.tile(x, (1, self.times))
            chance = sigmoid(self.table[shown, -1] + np.vecdot(z, weights))
            news = clicks[:, slot] - chance
            certainty = chance * (1 - chance)
            gain = np.vecdot(covariance, z[:, None, :])
            share = 1 / (1 + certainty * np.vecdot(z, gain))
            weights = weights + gain * (news * share)[:, None]
            scaled = gain * np.sqrt(certainty * share)[:, None]
            covariance = covariance - scaled[:, :, None] * scaled[:, None, :]
            exposures = exposures + x[:, None, :]
            surplus = surplus + (x * news[:, None])[:, None, :]
        counts = self._count(clicks, items, weight, history.counts)
        return History(history.memory, counts, exposures, surplus, weights, covariance)

    def _count(self, clicks: Array, items: Array, weight: Array, before: Array) -> Array:
        clicked = clicks.sum(1) * weight
        surplus = (clicks - self._expected[items]).sum(1) * weight
        nothing = np.zeros_like(weight)
        news = [weight, clicked, surplus, clicked, surplus, nothing, nothing]
        return before + np.stack(news, 1)

    def _pass_time(self, observation: Observation, history: History) -> History:
        days = elapsed_days(observation)
        kept = np.exp(-days[:, None] * self._rates)
        decay = np.repeat(kept, self.inputs.shape[1], axis=1)
        covariance = history.covariance * decay[:, :, None]
        covariance *= decay[:, None, :]
        diagonal = np.einsum("uii->ui", covariance)
        diagonal += self._variance * (1 - decay**2)
        opened = observation["new_session"][:, 0]
        counts = history.counts.copy()
        counts[:, OF_SESSION] *= (1 - opened)[:, None]
        counts[:, COUNTS.index("sessions")] += opened * known(observation)
        counts[:, COUNTS.index("days")] += days
        return History(
            history.memory,
            counts,
            history.exposures * kept[:, :, None],
            history.surplus * kept[:, :, None],
            history.weights * decay,
            covariance,
        )
