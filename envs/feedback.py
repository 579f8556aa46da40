"""Distributions of feedback, from which it is drawn and its likelihood read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Protocol

from driftrec.envs.arrays import Array, as_float32, namespace, sigmoid
from driftrec.envs.random import Stream


class FeedbackDistribution(Protocol):
    """What a user model answers to a slate."""

    @property
    def mean(self) -> Array:
        """Expected feedback on each slot, `(users, slate)`."""
        ...

    def draw(self, rng: Stream) -> Array:
        """Feedback on each slot, float32 `(users, slate)`."""
        ...

    def log_likelihood(self, feedback: Array) -> Array:
        """Log-probability of the feedback of each user, `(users,)`."""
        ...


@dataclass(frozen=True)
class IndependentClicks:
    """Each slot is clicked or not, independently.

    Attributes:
        probability: of a click, `(users, slate)`.
    """

    probability: Array

    @property
    def mean(self) -> Array:
        """Click probabilities, `(users, slate)`."""
        return self.probability

    def draw(self, rng: Stream) -> Array:
        """Clicks as 0. or 1., `(users, slate)`."""
        return as_float32(rng.uniform(*self.probability.shape) < self.probability)

    def log_likelihood(self, feedback: Array) -> Array:
        """Sum of the slots' Bernoulli log-probabilities, `(users,)`."""
        return _of_clicks(self.probability, feedback)


@dataclass(frozen=True)
class LogisticClicks:
    """As `IndependentClicks`, by logits: probabilities are worked out only if they are asked for.

    Attributes:
        logits: of a click, `(users, slate)`.
    """

    logits: Array

    @cached_property
    def mean(self) -> Array:
        """Click probabilities, `(users, slate)`."""
        return sigmoid(self.logits)

    def draw(self, rng: Stream) -> Array:
        """Clicks as 0. or 1., `(users, slate)`: where the logit exceeds a logistic draw."""
        return as_float32(rng.logistic(*self.logits.shape) < self.logits)

    def log_likelihood(self, feedback: Array) -> Array:
        """Sum of the slots' Bernoulli log-probabilities, `(users,)`."""
        return _of_clicks(self.mean, feedback)


@dataclass(frozen=True)
class MultinomialClick:
    """At most one slot is clicked: a conditional logit with a no-click option (McFadden 1974).

    Attributes:
        logits: utility of each slot; no click has utility 0. `(users, slate)`.
    """

    logits: Array

    @cached_property
    def mean(self) -> Array:
        """Click probability of each slot, `(users, slate)`."""
        xp = namespace(self.logits)
        nothing = xp.zeros_like(self.logits[:, :1])
        top = xp.maximum(_over_slots(xp.maximum, self.logits), nothing)
        weights = xp.exp(self.logits - top)
        return weights / (_over_slots(xp.add, weights) + xp.exp(-top))

    def draw(self, rng: Stream) -> Array:
        """Clicks as 0. or 1., at most one a row, `(users, slate)`."""
        mean = self.mean
        below = rng.uniform(*mean.shape)[:, :1] < mean.cumsum(-1)
        clicks = as_float32(below)
        clicks[:, 1:] -= as_float32(below[:, :-1])
        return clicks

    def log_likelihood(self, feedback: Array) -> Array:
        """Log-probability of the clicked slot, or of no click, `(users,)`.

        Minus infinity where more than one slot is clicked.
        """
        mean = self.mean
        xp = namespace(mean)
        clicks = xp.sum(feedback, axis=-1)
        clicked = xp.sum(mean * feedback, axis=-1)
        chance = xp.where(clicks > 0, clicked, 1 - xp.sum(mean, axis=-1))
        return xp.where(clicks > 1, xp.full_like(chance, -float("inf")), _log(chance))


@dataclass(frozen=True)
class WorthOfClicks:
    """Clicks that are worth more or less, as time watched or money paid; that worth is known.

    Attributes:
        clicks: who clicks on what.
        worth: what a click brings, positive, `(users, slate)`.
    """

    clicks: FeedbackDistribution
    worth: Array

    @property
    def mean(self) -> Array:
        """Chance of a click times its worth, `(users, slate)`."""
        return self.clicks.mean * self.worth

    def draw(self, rng: Stream) -> Array:
        """The worth of each click, else 0., `(users, slate)`."""
        return self.clicks.draw(rng) * self.worth

    def log_likelihood(self, feedback: Array) -> Array:
        """Log-probability of the clicks, `(users,)`; any positive feedback is one."""
        return self.clicks.log_likelihood(as_float32(feedback > 0))


@dataclass(frozen=True)
class GaussianFeedback:
    """Each slot's feedback is normal around its mean, independently.

    Attributes:
        mean: `(users, slate)`.
        sd: standard deviation of all of it, positive.
    """

    mean: Array
    sd: float = 1.0

    def draw(self, rng: Stream) -> Array:
        """Real numbers, `(users, slate)`."""
        return self.mean + self.sd * rng.normal(*self.mean.shape)

    def log_likelihood(self, feedback: Array) -> Array:
        """Sum of the slots' log-densities, `(users,)`."""
        xp = namespace(self.mean)
        squares = ((feedback - self.mean) / self.sd) ** 2
        return xp.sum(-0.5 * (squares + math.log(2 * math.pi * self.sd**2)), axis=-1)


@dataclass(frozen=True)
class LogNormalFeedback:
    """The logarithm of each slot's feedback is normal, independently.

    Attributes:
        log_mean: mean of the logarithm, `(users, slate)`.
        sd: standard deviation of the logarithm of all of it, positive.
    """

    log_mean: Array
    sd: float = 1.0

    @cached_property
    def mean(self) -> Array:
        """exp(log_mean + sd² / 2), `(users, slate)`."""
        return namespace(self.log_mean).exp(self.log_mean + self.sd**2 / 2)

    def draw(self, rng: Stream) -> Array:
        """Positive numbers, `(users, slate)`."""
        drawn = self.log_mean + self.sd * rng.normal(*self.log_mean.shape)
        return namespace(drawn).exp(drawn)

    def log_likelihood(self, feedback: Array) -> Array:
        """Sum of the slots' log-densities, `(users,)`; minus infinity where feedback is not > 0."""
        xp = namespace(self.log_mean)
        logarithm = _log(feedback)
        possible = feedback > 0
        finite = xp.where(possible, logarithm, xp.zeros_like(logarithm))
        squares = ((finite - self.log_mean) / self.sd) ** 2
        density = -0.5 * (squares + math.log(2 * math.pi * self.sd**2)) - finite
        return xp.sum(xp.where(possible, density, xp.full_like(density, -float("inf"))), axis=-1)


def _over_slots(function: Callable[[Array, Array], Array], array: Array) -> Array:
    """A function of all slots, `(users, 1)`: slot by slot, as libraries are slow on short rows."""
    return reduce(function, [array[:, slot : slot + 1] for slot in range(array.shape[1])])


def _of_clicks(probability: Array, feedback: Array) -> Array:
    """Log-probability of clicks that are independent of each other, `(users,)`."""
    xp = namespace(probability)
    chance = xp.where(feedback > 0, probability, 1 - probability)
    return xp.sum(_log(chance), axis=-1)


def _log(chance: Array) -> Array:
    """Logarithm that is minus infinity at 0 (and, by rounding, below) without a warning."""
    xp = namespace(chance)
    possible = chance > 0
    logarithm = xp.log(xp.where(possible, chance, xp.ones_like(chance)))
    return xp.where(possible, logarithm, xp.full_like(chance, -float("inf")))
