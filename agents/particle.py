"""A particle filter for users of any model: needs only what every `UserModel` can do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from driftrec.agents.memory import Memory, elapsed_days, known, new_memory, top_unseen
from driftrec.agents.policy import renew
from driftrec.agents.resampling import normalised, resample_poor
from driftrec.envs import Catalogue, Stream, UserModel
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation

LARGEST_PASS = 4_000_000
"""Click probabilities computed at once, so that memory stays bounded."""

IMPOSSIBLE = -100.0
"""Log-likelihood given to what a particle rules out, lest all particles of a user die at once."""


@dataclass(slots=True)
class ParticleState:
    """Attributes are arrays, or states of arrays, with the user as first axis.

    Attributes:
        memory: what was shown.
        particles: states of the user model, every array `(users, particles, ...)`.
        log_weight: of each particle, up to a constant of the user, `(users, particles)`.
        log_likelihood: of all feedback so far, as predicted slate by slate, `(users,)`.
    """

    memory: Memory
    particles: Any
    log_weight: Array
    log_likelihood: Array


class ParticleFilter:
    """The bootstrap filter (Gordon, Salmond and Smith 1993), acting on the particles' opinion.

    Each user is followed by many hypothetical ones, drawn from the true model, weighted by how
    likely they make the feedback, moved by the model's own drift, and drawn anew (systematic
    resampling) where the effective sample size falls below half. Memory and time grow with
    users x particles x items: for small catalogues, or few users.

    Args:
        model: how users behave.
        catalogue: what can be shown.
        slate: items in a request.
        particles: for each user.
        bonus: an item scores its click probability, mean + bonus * standard deviation over the
            particles; 0 is greedy.
        seed: of the particles.

    Raises:
        ValueError: if there is no particle, or `bonus` is negative.
    """

    def __init__(
        self,
        model: UserModel,
        catalogue: Catalogue,
        slate: int = 1,
        *,
        particles: int = 256,
        bonus: float = 0.0,
        seed: int = 0,
    ) -> None:
        if particles < 1 or not bonus >= 0:
            raise ValueError(
                "particles must be at least 1 and bonus must not be negative, "
                f"got {particles} and {bonus}"
            )
        self._model = model
        self._catalogue = catalogue
        self._slate = slate
        self._particles = particles
        self._bonus = bonus
        who, drift = np.random.SeedSequence([0x50415254, seed]).spawn(2)
        self._rng = np.random.default_rng(who)
        self._stream = Stream(drift)

    def start(self, users: int) -> ParticleState:
        """Particles from the population's own law, and nothing shown yet."""
        drawn = self._model.sample(users * self._particles, self._rng)
        return ParticleState(
            memory=new_memory(users, len(self._catalogue), self._slate),
            particles=_split(drawn, users),
            log_weight=np.zeros((users, self._particles)),
            log_likelihood=np.zeros(users),
        )

    def act(self, observation: Observation, state: ParticleState) -> tuple[Array, ParticleState]:
        """The items of the highest scores, `(users, slate)`, and the new state."""
        learned = state
        if known(observation).any():
            learned = renew(self._learn(observation, state), state, observation["new_user"])
        items = top_unseen(self.scores(learned), state.memory.shown, self._slate)
        memory = state.memory.after(items)
        return items, dataclasses.replace(learned, memory=memory)

    def predict(self, state: ParticleState, items: Array) -> Array:
        """Click probability of `items`, the last slate, float32 `(users, slate)`."""
        weight, copies = normalised(state.log_weight), self._particles
        repeats = np.repeat(state.memory.repeats, copies, axis=0)
        slate = self._catalogue.show(np.repeat(items, copies, axis=0), repeats)
        chance = self._model.respond(_join(state.particles), slate).mean
        mean = np.einsum("up,ups->us", weight, chance.reshape(*weight.shape, -1))
        return mean.astype(np.float32)

    def scores(self, state: ParticleState) -> Array:
        """What each item is worth to the policy now, `(users, items)`."""
        users = len(state.log_weight)
        block = max(1, LARGEST_PASS // (self._particles * len(self._catalogue)))
        rows = [slice(first, first + block) for first in range(0, users, block)]
        return np.concatenate([self._scores(state, row) for row in rows])

    def _scores(self, state: ParticleState, rows: slice) -> Array:
        weight = normalised(state.log_weight[rows])
        particles = _join(_map(state.particles, lambda array: array[rows]))
        chance = self._model.click_probability(particles, self._catalogue)
        chance = chance.reshape(*weight.shape, -1)
        mean = np.einsum("up,upi->ui", weight, chance)
        if not self._bonus:
            return mean
        squared = np.einsum("up,upi->ui", weight, chance * chance)
        return mean + self._bonus * np.sqrt(np.maximum(squared - mean * mean, 0))

    def _learn(self, observation: Observation, state: ParticleState) -> ParticleState:
        """Weigh the particles by the last feedback, react to it, and let the time pass."""
        particles, copies = _join(state.particles), self._particles
        items = np.repeat(state.memory.last, copies, axis=0)
        feedback = np.repeat(observation["feedback"], copies, axis=0)
        slate = self._catalogue.show(items, np.repeat(state.memory.repeats, copies, axis=0))
        with np.errstate(divide="ignore"):
            chance = self._model.respond(particles, slate).log_likelihood(feedback)
        chance = np.maximum(chance.reshape(-1, copies), IMPOSSIBLE)
        before = state.log_weight
        weight = before - np.logaddexp.reduce(before, axis=1, keepdims=True) + chance
        seen = np.logaddexp.reduce(weight, axis=1)
        particles = self._model.react(particles, slate, feedback)
        chosen, weight = resample_poor(weight, self._rng)
        particles = _map(particles, lambda array: array[chosen.ravel()])
        elapsed = np.repeat(elapsed_days(observation), copies)
        particles = self._model.drift(particles, elapsed, self._stream)
        users = len(weight)
        return ParticleState(
            state.memory, _split(particles, users), weight, state.log_likelihood + seen
        )


def _map(state: Any, function: Callable[[Array], Array]) -> Any:
    """The same state with every array replaced by what the function makes of it."""
    if not dataclasses.is_dataclass(state):
        return function(state)
    kind: Any = type(state)
    names = [field.name for field in dataclasses.fields(state)]
    return kind(*(_map(getattr(state, name), function) for name in names))


def _split(state: Any, users: int) -> Any:
    """From a row for each particle to `(users, particles, ...)`."""
    return _map(state, lambda array: array.reshape(users, -1, *array.shape[1:]))


def _join(state: Any) -> Any:
    """From `(users, particles, ...)` to a row for each particle."""
    return _map(state, lambda array: array.reshape(-1, *array.shape[2:]))
