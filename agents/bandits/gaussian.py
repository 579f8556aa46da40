"""Bandits whose belief of each user's weights is Gaussian and exact: ridge regression and more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftrec.agents.bandits.exploring import mixed_slates
from driftrec.agents.bandits.regression import regress
from driftrec.agents.belief import Belief, predict, sample
from driftrec.agents.memory import Memory, elapsed_days, known, new_memory, top_unseen
from driftrec.agents.quadratic import QuadraticForms
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation

ACTING = ("greedy", "ucb", "thompson")


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Clicks as <w, inputs> + noise, with weights w of the user's own.

    Attributes:
        inputs: of each item, `(items, D)`.
        mean: of the weights before the first click, `(D,)`.
        covariance: likewise, `(D, D)`.
        noise: variance of a click about its expectation.
        rates: at which weights relax to the prior, per day, `(D,)`; None where they are fixed.
    """

    inputs: Array
    mean: Array
    covariance: Array
    noise: float = 0.25
    rates: Array | None = None

    def __post_init__(self) -> None:
        items, size = np.shape(self.inputs)
        for name, shape in (("mean", (size,)), ("covariance", (size, size)), ("rates", (size,))):
            if (array := getattr(self, name)) is not None and np.shape(array) != shape:
                raise ValueError(
                    f"{name} must have shape {shape}, since inputs have shape {(items, size)}; "
                    f"got {np.shape(array)}"
                )
        if not self.noise > 0:
            raise ValueError(f"noise must be positive, got {self.noise}")


@dataclass(slots=True)
class GaussianState:
    """Attributes are arrays with the user as first axis.

    Attributes:
        memory: what was shown.
        belief: about the user's weights now.
    """

    memory: Memory
    belief: Belief


class GaussianBandit:
    r"""Bayesian linear regression of clicks for each user, and a rule to act on it.

    The belief after each click is exact (see `regress`); where the model has rates, weights are
    stationary Ornstein-Uhlenbeck processes about the prior, and time makes beliefs less sure by
    the exact transition. With S the covariance of the belief an item scores

    - "greedy": <mean, x>;
    - "ucb": <mean, x> + width sqrt(x' S x) (Li et al. 2010, algorithm 1);
    - "thompson": <w, x>, with w drawn anew at each request from N(mean, width^2 S) (Agrawal and
      Goyal 2013, algorithm 1, where width^2 S is v^2 B^-1).

    Args:
        model: of clicks.
        slate: items in a request.
        acting: the rule.
        width: of the interval, or of the draws.
        epsilon: probability that a slot gets a random unseen item instead (Sutton and Barto 2018,
            section 2.2).
        seed: of all draws.

    Raises:
        ValueError: if an option is out of range.
    """

    def __init__(
        self,
        model: LinearModel,
        slate: int = 1,
        *,
        acting: str = "greedy",
        width: float = 1.0,
        epsilon: float = 0.0,
        seed: int = 0,
    ) -> None:
        if acting not in ACTING:
            raise ValueError(f"acting must be one of {', '.join(ACTING)}; got {acting!r}")
        if not width >= 0 or not 0 <= epsilon <= 1:
            raise ValueError(
                f"width must not be negative and epsilon in [0, 1], got {width} and {epsilon}"
            )
        self._inputs = np.asarray(model.inputs, np.float32)
        self._prior = Belief(
            np.asarray(model.mean, np.float32)[None],
            np.asarray(model.covariance, np.float32)[None],
        )
        self._noise = model.noise
        self._rates = None if model.rates is None else np.asarray(model.rates, np.float32)
        self._slate = slate
        self._acting, self._width, self._epsilon = acting, np.float32(width), epsilon
        self._rng = np.random.default_rng([0x4C494E, seed])
        self._forms = QuadraticForms(self._inputs)

    def start(self, users: int) -> GaussianState:
        """The prior, and nothing shown yet."""
        belief = Belief(
            np.tile(self._prior.mean, (users, 1)), np.tile(self._prior.covariance, (users, 1, 1))
        )
        return GaussianState(new_memory(users, len(self._inputs), self._slate), belief)

    def act(self, observation: Observation, state: GaussianState) -> tuple[Array, GaussianState]:
        """The items of the highest scores, `(users, slate)`, and the new state."""
        belief = self._pass_time(observation, self._learn(observation, state))
        items = self._choose(self.scores(belief), state.memory.shown)
        return items, GaussianState(state.memory.after(items), belief)

    def predict(self, state: GaussianState, items: Array) -> Array:
        """Click probability of `items`, float32 `(users, slate)`."""
        chance = np.vecdot(self._inputs[items], state.belief.mean[:, None, :])
        return np.clip(chance, 0, 1)

    def scores(self, belief: Belief) -> Array:
        """What each item is worth to the policy now, `(users, items)`."""
        if self._acting != "thompson":
            scores = belief.mean @ self._inputs.T
            if self._acting == "ucb" and self._width:
                scores += self._width * np.sqrt(self._forms(belief.covariance))
            return scores
        normal = self._rng.standard_normal(belief.mean.shape, dtype=np.float32)
        drawn = sample(belief, normal)
        return (belief.mean + self._width * (drawn - belief.mean)) @ self._inputs.T

    def _choose(self, scores: Array, shown: Array) -> Array:
        if not self._epsilon:
            return top_unseen(scores, shown, self._slate)
        explored = self._rng.random((len(scores), self._slate)) < self._epsilon
        random = self._rng.random(scores.shape, dtype=np.float32)
        return mixed_slates(scores, shown, random, explored)

    def _learn(self, observation: Observation, state: GaussianState) -> Belief:
        """Take in the feedback on the last slate, slot by slot; a new user has none."""
        belief, weight = state.belief, known(observation)
        for slot in range(self._slate):
            inputs = self._inputs[state.memory.last[:, slot]]
            target = observation["feedback"][:, slot]
            belief = regress(belief, inputs, target, self._noise, weight)
        return belief

    def _pass_time(self, observation: Observation, belief: Belief) -> Belief:
        if self._rates is None:
            return belief
        days = elapsed_days(observation)[:, None]
        return predict(belief, self._prior, np.exp(-days * self._rates))
