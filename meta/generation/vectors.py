"""Who a drifting user is, as a row of numbers; and users made from such rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from driftrec.envs import DriftingUser, DriftingUserState
from driftrec.envs.arrays import sigmoid
from driftrec.envs.drifting_relaxation import Relaxation
from driftrec.envs.drifting_state import Traits

TRAITS = ("level", "leave_bias", "churn_bias", "log_return_days")
RATES = ("log_mood_rate", "log_whim_rate", "log_satiation_rate", "log_memory_rate")
OTHERS = ("log_satiation_weight",)


class UserVectors:
    """The lasting part of `DriftingUserState` as vectors of numbers without bounds, and back.

    A vector holds level, logits of leaving and of churn, the logarithm of the days until the
    return, of the rates of mood, whims, satiation and satisfaction and of the satiation weight,
    and the core. What else a user has either follows from these or passes within a session.

    Args:
        model: the users' model.

    Attributes:
        names: of the numbers.
    """

    def __init__(self, model: DriftingUser) -> None:
        self._expectation, self._memory = np.float32(model.expectation), np.float32(model.memory)
        self._pause = np.array(model.seconds_per_request / 86400, np.float32)
        self._relaxation = Relaxation(model)
        self._personas = model.personas
        core = tuple(f"core_{number}" for number in range(model.dimension))
        self.names: tuple[str, ...] = TRAITS + RATES + OTHERS + core

    @property
    def size(self) -> int:
        """Numbers in a vector."""
        return len(self.names)

    def of(self, state: DriftingUserState) -> np.ndarray:
        """Vectors of users at the beginning of a trial, float32 `(users, size)`.

        A part of the model that is switched off gives the same number, possibly infinite, for all.
        """
        traits = state.traits
        columns = [traits.level, traits.leave_bias, traits.churn_bias]
        positive = [traits.return_days[:, None], traits.rate[:, :4]]
        with np.errstate(divide="ignore"):
            logs = np.log(np.concatenate([*positive, traits.satiation_weight[:, None]], axis=1))
        return np.concatenate([np.stack(columns, 1), logs, state.core], axis=1, dtype=np.float32)

    def write(self, vectors: np.ndarray, state: DriftingUserState) -> DriftingUserState:
        """Users who are what the vectors say, and for the rest as in `state`.

        Each takes on the nearest persona, the likeliest one given the core, since the individual
        part of a core is normal with the same variance for all features.

        Args:
            vectors: `(users, size)`.
            state: of new users of the model, as many.

        Raises:
            ValueError: if the shape is another.
        """
        expected = (len(state.session), self.size)
        if vectors.shape != expected:
            raise ValueError(f"vectors must have shape {expected}, got {vectors.shape}")
        vectors = np.asarray(vectors, np.float32)
        core = np.asfortranarray(vectors[:, 9:])
        return replace(
            state,
            traits=self._traits(vectors, state.traits),
            core=core,
            persona=self._nearest(core),
        )

    def _traits(self, vectors: np.ndarray, before: Traits) -> Traits:
        traits = Traits(before.key, np.array(before.numbers, order="K"))
        positive = np.exp(vectors[:, 3:9])
        traits.level[:], traits.leave_bias[:], traits.churn_bias[:] = vectors[:, :3].T
        traits.return_days[:], traits.satiation_weight[:] = positive[:, 0], positive[:, 5]
        traits.rate[:, :4] = positive[:, 1:5]
        traits.expectation[:] = sigmoid(vectors[:, 0] + self._expectation)
        traits.request_effect[:, 0] = -self._memory * traits.expectation
        fresh, kept = self._relaxation.factors(self._pause, traits.rate)
        traits.pause_fresh[:], traits.pause_kept[:] = fresh, kept
        return traits

    def _nearest(self, core: np.ndarray) -> np.ndarray:
        personas = self._personas
        # Half the squared distance, less what is the same for all personas.
        distance = 0.5 * np.square(personas).sum(1) - core @ personas.T
        nearest: np.ndarray = distance.argmin(1)
        return nearest
