"""What a trial so far says of a user and of every item: running sums over public history."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from driftrec.agents.memory import Memory, elapsed_days, known, new_memory
from driftrec.agents.quadratic import QuadraticForms
from driftrec.envs import Catalogue
from driftrec.envs.arrays import Array, sigmoid
from driftrec.envs.observation import Observation

HOURS_PER_DAY = 24.0

COUNTS = ("requests", "clicks", "surplus", "session_clicks", "session_surplus", "sessions", "days")
"""What is counted of each user; a surplus is clicks less those that quality lets one expect."""


@dataclass(frozen=True)
class StatisticsConfig:
    """Which sums are kept of a trial."""

    hours: tuple[float, ...] = (0.2, 6.0, math.inf)
    """Times in which the past is forgotten, one sum of each kind for each; infinity for never."""
    prior_sd: float = 0.5
    """Of a weight of the online regression of clicks on item features, in logits."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "hours", tuple(float(value) for value in self.hours))
        if not self.hours or not all(value > 0 for value in self.hours):
            raise ValueError(f"hours must be one or more positive times, got {self.hours}")
        if not 0 < self.prior_sd < math.inf:
            raise ValueError(f"prior_sd must be positive and finite, got {self.prior_sd}")


@dataclass(slots=True)
class History:
    """The running sums of each user; D = d + topics + 2, and there are K times of forgetting.

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


class Statistics:
    r"""Summary statistics of trials on one catalogue, kept request by request.

    The inputs x of an item are its features, topics, quality and a constant 1. For each time of
    forgetting tau the sums fade by exp(-elapsed / tau). The regression is the Bayesian logistic
    one with weights w_1..w_K, one vector for each time: the logit of a click on x is
    quality + <w_1 + .. + w_K, x>. Each click moves them by one step of the extended Kalman filter,

        p = sigmoid(quality + z'm),  v = p (1 - p),  m += P z (click - p) / (1 + v z'Pz),
        P -= v P z z'P / (1 + v z'Pz),

    with z = (x, .., x), and between requests weights of time tau relax to their prior
    N(0, prior_sd^2), as an Ornstein-Uhlenbeck process does. It knows nothing of the user model.

    Args:
        config: which sums.
        catalogue: what can be shown.
        slate: items in a request.
    """

    def __init__(self, config: StatisticsConfig, catalogue: Catalogue, slate: int = 1) -> None:
        table = np.asarray(catalogue.table)
        self.table = table
        self.topics = np.asarray(catalogue.topics)
        self.inputs = np.concatenate([table, np.ones_like(table[:, :1])], axis=1)
        self._expected = sigmoid(table[:, -1])
        self._dimension = catalogue.dimension
        self._slate = slate
        self._times = len(config.hours)
        self._rates = (HOURS_PER_DAY / np.array(config.hours)).astype(np.float32)
        self._variance = np.float32(config.prior_sd**2)
        self._forms = QuadraticForms(self.inputs)

    def start(self, users: int) -> History:
        """Nothing seen yet."""
        inputs = self.inputs.shape[1]
        total = self._times * inputs
        sums = np.zeros((users, self._times, inputs), np.float32)
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
        learned = self._learn(observation, history)
        return self._pass_time(observation, learned)

    def _learn(self, observation: Observation, history: History) -> History:
        weight, items = known(observation), history.memory.last
        clicks = observation["feedback"]
        weights, covariance = history.weights, history.covariance
        exposures, surplus = history.exposures, history.surplus
        for slot in range(self._slate):
            shown, clicked = items[:, slot], clicks[:, slot]
            x = self.inputs[shown] * weight[:, None]
            z = np.tile(x, (1, self._times))
            chance = sigmoid(self.table[shown, -1] + np.vecdot(z, weights))
            news = clicked - chance
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
        """Requests, clicks and surplus of the trial and of the session."""
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
        counts[:, 3:5] *= (1 - opened)[:, None]
        counts[:, 5] += opened * known(observation)
        counts[:, 6] += days
        return History(
            history.memory,
            counts,
            history.exposures * kept[:, :, None],
            history.surplus * kept[:, :, None],
            history.weights * decay,
            covariance,
        )

    def of_users(self, observation: Observation, history: History) -> Array:
        """What is said of the user alone, `(users, columns)`, as `user_columns` names it."""
        counts = history.counts
        requests, position = counts[:, 0], observation["position"][:, 0]
        columns = [
            np.log1p(requests),
            np.log1p(position),
            observation["log_elapsed"][:, 0],
            counts[:, 5],
            np.log1p(counts[:, 6]),
            counts[:, 1] / (requests + 2),
            counts[:, 2] / (requests + 2),
            counts[:, 3] / (position + 2),
            counts[:, 4] / (position + 2),
        ]
        return np.concatenate(
            [np.stack(columns, 1), history.exposures[:, :, -1], history.surplus[:, :, -1]], axis=1
        )

    def of_items(self, history: History) -> Array:
        """What is said of each user and item together, `(columns, users, items)`."""
        users, first = len(history.counts), self._dimension
        last = first + self.topics.shape[1]
        weights = history.weights.reshape(users, self._times, -1)
        features = self.table[:, :first].T
        columns = []
        for time in range(self._times):
            exposures = history.exposures[:, time, first:last] @ self.topics.T
            surplus = history.surplus[:, time, first:last] @ self.topics.T
            columns += [
                weights[:, time] @ self.inputs.T,
                history.surplus[:, time, :first] @ features,
                surplus,
                exposures,
                surplus / (exposures + 2),
            ]
        blocks = history.covariance.reshape(users, self._times, -1, self._times, weights.shape[2])
        width = np.sqrt(self._forms(blocks.sum((1, 3))))
        return np.stack([*columns, width, history.memory.shown], dtype=np.float32)

    def rows(self, users: Array, both: Array, items: Array) -> Array:
        """What is said of some items, float32 `(users, n, columns)`.

        Args:
            users: of `of_users`.
            both: of `of_items`.
            items: numbers, `(users, n)`.
        """
        size = (*items.shape, users.shape[1])
        of_both = both[:, np.arange(len(items))[:, None], items]
        parts = [
            np.broadcast_to(users[:, None], size),
            self.table[items],
            np.moveaxis(of_both, 0, 2),
        ]
        return np.concatenate(parts, axis=2, dtype=np.float32)

    @property
    def names(self) -> list[str]:
        """Names of all columns of a row: of the user, of the item, of both."""
        times = range(self._times)
        user = ["requests", "position", "log_elapsed", "sessions", "days", "click_rate"]
        user += ["surplus_rate", "session_click_rate", "session_surplus_rate"]
        user += [f"count_{time}" for time in times] + [f"surplus_{time}" for time in times]
        item = [f"item_{number}" for number in range(self.table.shape[1])]
        kinds = ("score", "similar_surplus", "topic_surplus", "topic_exposures", "topic_rate")
        both = [f"{kind}_{time}" for time in times for kind in kinds]
        return [*user, *item, *both, "width", "shown"]
