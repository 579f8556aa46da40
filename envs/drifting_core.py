"""How the default user's lasting taste moves between sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftrec.envs.arrays import Array, duplicate, like, namespace, rows_of, rows_where, to_numpy
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
        words = keyed_words(to_numpy(key + session * SESSION_KEY), 1 + (self._dimension + 3) // 4)
        noise = like(core, normals_of(words[:, 1:])[:, : self._dimension].copy("F"))
        chance = like(core, uniforms_of(words[:, :1]))
        decay = (like(core, self._decay_per_day) * age)[:, None]
        fresh = like(core, self._individual_sd) * xp.sqrt(-xp.expm1(decay + decay))
        personas = like(core, self._personas)
        taste = rows_of(personas, persona)
        individual = core - taste
        individual *= xp.exp(decay)
        individual += fresh * noise
        event = chance[:, 0] < -xp.expm1(-like(core, self._redraws_per_day) * age)
        if xp.count_nonzero(event):
            changed = rows_where(event)
            drawn = xp.astype(chance[:, 1][changed] * len(self._personas), persona.dtype)
            persona = duplicate(persona)
            persona[changed], taste[changed] = drawn, personas[drawn]
        return persona, taste + individual
