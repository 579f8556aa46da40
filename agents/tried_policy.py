"""A policy at work on some users, with a look at everything that it is given and gives."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from driftrec.agents.harness import PolicyError
from driftrec.agents.policy import PolicyFactory
from driftrec.agents.repeating import without_repeating
from driftrec.envs import Population, RecommendationVectorEnv
from driftrec.envs.actions import checked_slates
from driftrec.envs.arrays import Array, leaves, to_numpy
from driftrec.envs.candidates import check_offered
from driftrec.envs.observation import Observation


class TriedPolicy:
    """Users who are met by the policy under test, each call of which is checked."""

    def __init__(
        self, factory: PolicyFactory, population: Population, users: int, seed: int
    ) -> None:
        self.env = env_of(population, users)
        self.observation, _ = self.env.reset(seed=seed)
        self.policy = factory(self.env)
        self.state = _checked_state(self.policy.start(users), users, "start")
        self.form = _form(self.state)
        self.observations: list[Observation] = []
        self.slates: list[Array] = []
        self.shown = np.zeros((users, len(self.env.simulation.catalogue)), bool)
        self.repeats = population.repeats

    def request(self) -> None:
        """One request of all users."""
        seen, before = copies(self.observation), copies(_arrays(self.state))
        answer = self.policy.act(self.observation, self.state)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise PolicyError(f"act must return a slate and a state, got {type(answer).__name__}")
        _expect_same(self.observation, seen, "act must not change the observation it is given")
        _expect_same(_arrays(self.state), before, "act must not change the state it is given")
        slate = self._checked_slate(answer[0])
        self.state = _checked_state(answer[1], len(slate), "act")
        if (form := _form(self.state)) != self.form:
            raise PolicyError(
                f"states must keep their types and shapes, {self.form} from start, got {form} "
                "from act: rows of the two are mixed where users are new"
            )
        self._check_prediction(slate)
        self.observations.append(seen)
        self.slates.append(slate)
        self.observation, *_ = self.env.step(slate)

    def _checked_slate(self, answer: Any) -> Array:
        simulation = self.env.simulation
        try:
            slate = checked_slates(
                answer, simulation.users, simulation.slate, len(simulation.catalogue)
            )
            if simulation.offered is not None:
                check_offered(slate, simulation.offered)
        except (TypeError, ValueError) as error:
            raise PolicyError(f"act must choose valid slates: {error}") from error
        if not self.repeats:
            again = np.take_along_axis(self.shown, slate, axis=1)
            room = (~self.shown).sum(1) >= simulation.slate
            if bool((again.any(1) & room).any()):
                raise PolicyError(
                    "an item must not be shown to a user twice in a trial of this population "
                    f"while there are others, got {slate[again.any(1) & room][0]} again"
                )
        np.put_along_axis(self.shown, slate, True, axis=1)
        return to_numpy(slate)

    def _check_prediction(self, slate: Array) -> None:
        policy: Any = without_repeating(self.policy)
        if not hasattr(policy, "predict"):
            return
        before = copies(_arrays(self.state))
        chance = policy.predict(self.state, slate)
        _expect_same(_arrays(self.state), before, "predict must not change the state it is given")
        if np.shape(chance) != slate.shape:
            raise PolicyError(
                f"predict must give shape {slate.shape}, as the slate has, got {np.shape(chance)}"
            )
        chance = np.asarray(chance)
        if chance.dtype.kind != "f" or not ((chance >= 0) & (chance <= 1)).all():
            raise PolicyError(
                f"predict must give probabilities in [0, 1], got {chance.ravel()[:5]}"
            )


def env_of(population: Population, users: int) -> RecommendationVectorEnv:
    """An environment of test users, as the harness makes it."""
    return RecommendationVectorEnv(
        population, users, split="test", autoreset_mode="Disabled", by_number=True
    )


def _checked_state(state: Any, users: int, method: str) -> Any:
    if not dataclasses.is_dataclass(state) and not hasattr(state, "ndim"):
        raise PolicyError(
            f"{method} must give a state that is a dataclass of arrays, got {type(state).__name__}"
        )
    for name, array in _arrays(state).items():
        if not hasattr(array, "ndim") or array.ndim < 1 or array.shape[0] != users:
            raise PolicyError(
                f"the first axis of state.{name} from {method} must be the user ({users}), got "
                f"{tuple(array.shape) if hasattr(array, 'shape') else type(array).__name__}"
            )
    return state


def _form(state: Any) -> dict[str, str]:
    return {name: f"{array.dtype} {tuple(array.shape)}" for name, array in _arrays(state).items()}


def _arrays(state: Any) -> dict[str, Array]:
    return leaves(state) if dataclasses.is_dataclass(state) else {"array": state}


def copies(arrays: dict[str, Array]) -> dict[str, Array]:
    """The same arrays in numpy, in memory of their own."""
    return {name: np.array(to_numpy(array)) for name, array in arrays.items()}


def _expect_same(arrays: dict[str, Array], before: dict[str, Array], message: str) -> None:
    for name, array in arrays.items():
        if not np.array_equal(to_numpy(array), before[name], equal_nan=True):
            raise PolicyError(f"{message}: {name!r} changed")
