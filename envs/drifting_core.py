"""How the default user's lasting taste moves between sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from driftrec.envs import keyed_torch
from driftrec.envs.arrays import Array, duplicate, like, namespace, rows_of, rows_where
from driftrec.envs.drifting_parameters import DAYS_PER_YEAR
from driftrec.envs.random import keyed_words, normals_of, uniforms_of

if TYPE_CHECKING:
    from driftrec.envs.drifting_user import DriftingUser

SESSION_KEY = 7919
"""Step in the key of a user's luck from one session to the next."""


class CoreMotion:
    """The individual part of the core is Ornstein-Uhlenbeck, and life events exchange personas."""

    def __init__(self, model: DriftingUser) -> None:
        self._personas = model.personas
        self._dimension = model.dimension
        self._individual_sd = np.array((1 - model.persona_share) ** 0.5, np.float32)
        with np.errstate(divide="ignore"):
            decay = np.log(np.float64(model.retained_per_year)) / DAYS_PER_YEAR
        self._decay_per_day = np.array(decay, np.float32)
        # An event draws from all personas, so that some of them change nothing.
        others = len(model.personas) - 1
        redraws = model.life_events_per_year * (len(model.personas) / others if others else 1)
        self._redraws_per_day = np.array(redraws / DAYS_PER_YEAR, np.float32)
        self._sent: dict[Any, tuple[Array, ...]] = {}

    def moved(
        self, key: Array, session: Array, age: Array, persona: Array, core: Array
    ) -> tuple[Array, Array]:
        """Persona and core at the beginning of a session, by the luck that the session brings.

        Args:
            key: `Traits.key`, `(users,)`.
            session: number of the session that begins, `(users,)`.
            age: days since the core was last moved, `(users,)`.
            persona: before, `(users,)`; given back as it is where no event befell anyone.
            core: before, `(users, d)`.
        """
        xp = namespace(core)
        noise, chance = self._luck(key + session * SESSION_KEY)
        decay_per_day, individual_sd, redraws_per_day, personas = self._numbers(core)
        decay = (decay_per_day * age)[:, None]
        fresh = individual_sd * xp.sqrt(-xp.expm1(decay + decay))
        taste = rows_of(personas, persona)
        individual = core - taste
        individual *= xp.exp(decay)
        individual += fresh * noise
        event = chance[:, 0] < -xp.expm1(-redraws_per_day * age)
        if xp.count_nonzero(event):
            changed = rows_where(event)
            drawn = xp.astype(chance[:, 1][changed] * len(self._personas), persona.dtype)
            persona = duplicate(persona)
            persona[changed], taste[changed] = drawn, personas[drawn]
        return persona, taste + individual

    def _luck(self, key: Array) -> tuple[Array, Array]:
        """Standard normals `(users, d)` and uniforms `(users, 2)` that follow from a key."""
        count = 1 + (self._dimension + 3) // 4
        if type(key) is np.ndarray:
            words = keyed_words(key, count)
            normals = normals_of(words[:, 1:])[:, : self._dimension].copy("F")
            return normals, uniforms_of(words[:, :1])
        words = keyed_torch.keyed_words(key, count)
        normals = keyed_torch.normals_of(words[:, 1:])[:, : self._dimension]
        return normals, keyed_torch.uniforms_of(words[:, :1])

    def _numbers(self, core: Array) -> tuple[Array, ...]:
        """Parameters in the library of `core`; sent to a device once."""
        numbers = (self._decay_per_day, self._individual_sd, self._redraws_per_day, self._personas)
        if type(core) is np.ndarray:
            return numbers
        if core.device not in self._sent:
            self._sent[core.device] = tuple(like(core, number) for number in numbers)
        return self._sent[core.device]
