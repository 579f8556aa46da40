"""The laws by which new users of the default kind are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftrec.envs.arrays import sigmoid
from driftrec.envs.drifting_relaxation import Relaxation
from driftrec.envs.drifting_state import DriftingUserState, Traits

if TYPE_CHECKING:
    from driftrec.envs.drifting_user import DriftingUser

SHORTEST_SESSION = np.float32(1e-3)
"""Least mean number of requests after the first one of a session."""


class Newcomers:
    """Users at the beginning of their first session, each process in its stationary law.

    Arrays are laid out column by column, so that numpy loops over the users of a column and not
    over the few columns of a user, which takes a quarter of the time.
    """

    def __init__(self, model: DriftingUser, relaxation: Relaxation) -> None:
        self._relaxation = relaxation
        self._topics, self._dimension = model.topics, model.dimension
        self._personas = model.personas.T
        self._expectation, self._memory = np.float32(model.expectation), np.float32(model.memory)
        self._pause = np.array(model.seconds_per_request / 86400, np.float32)
        factors = (
            (24 / model.mood_hours, model.spread),
            (1440 / model.whim_minutes, model.spread),
            (24 / model.satiation_hours, model.spread),
            (1 / model.memory_days, 0),
            (model.satiation, model.spread),
            (model.session_requests, model.session_spread),
            (model.return_days, model.return_spread),
        )
        self._medians = _column([median for median, _ in factors])
        self._means = _column([model.intercept, _logit(model.churn)])
        individual = [np.sqrt(1 - model.persona_share)] * self._dimension
        sd = [model.mood_sd] + [model.whim_sd] * model.topics
        spreads = [spread for _, spread in factors]
        self._scales = _column([*individual, *sd, *spreads, model.level_sd, model.churn_spread])

    def draw(self, users: int, rng: np.random.Generator) -> DriftingUserState:
        """Draw new users."""
        persona = rng.integers(self._personas.shape[1], size=users)
        draws = self._scales * rng.standard_normal((len(self._scales), users), np.float32)
        core, transient = draws[: self._dimension], draws[self._dimension :][: 1 + self._topics]
        core += self._personas.take(persona, axis=1)
        relaxing = np.zeros((4 + 2 * self._topics, users), np.float32)
        relaxing[: 1 + self._topics] = transient
        factors = self._medians * np.exp(draws[self._dimension + 1 + self._topics : -2])
        return DriftingUserState(
            traits=self._traits(rng.integers(2**62, size=users), draws[-2:] + self._means, factors),
            session=np.zeros(users, np.int64),
            core_age=np.zeros(users, np.float32),
            persona=persona,
            core=core.T,
            relaxing=relaxing.T,
        )

    def _traits(self, key: np.ndarray, logits: np.ndarray, factors: np.ndarray) -> Traits:
        level, churn_bias = logits[:1], logits[1:]
        satiation_weight, length, return_days = factors[4:5], factors[5:6], factors[6:]
        expected, nothing = sigmoid(level + self._expectation), np.zeros_like(level)
        # A count of requests does not relax.
        rate = np.concatenate((factors[:4], nothing))
        fresh, kept = self._relaxation.factors(self._pause, rate.T)
        rows = (
            level,
            expected,
            -np.log(np.maximum(length - np.float32(1), SHORTEST_SESSION)),
            churn_bias,
            return_days,
            rate,
            fresh.T,
            kept.T,
            -self._memory * expected,
            nothing,
            np.ones_like(level),
            satiation_weight,
        )
        return Traits(key, np.concatenate(rows).T)


def _column(values: list[float]) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


def _logit(probability: float) -> float:
    with np.errstate(divide="ignore"):
        return float(np.log(probability) - np.log1p(-np.float64(probability)))
