"""Rewards by name, and weighted sums of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from driftrec.envs.arrays import Array, as_float32, duplicate
from driftrec.envs.simulation import Simulation

Reward = str | Mapping[str, float]
"""The name of a reward, or a weight for each of several."""


def _clicks(simulation: Simulation) -> Array:
    feedback = simulation.trials.feedback
    return duplicate(feedback[:, 0]) if simulation.slate == 1 else feedback.sum(1)


def _retention(simulation: Simulation) -> Array:
    return -as_float32(simulation.trials.churned)


def _returns(simulation: Simulation) -> Array:
    return as_float32(simulation.trials.returned)


def _environment(simulation: Simulation) -> Array:
    earned = getattr(simulation, "earned", None)
    if earned is None:
        raise ValueError(
            "reward 'environment' is what a foreign environment pays; "
            f"{type(simulation.model).__name__} pays nothing: choose another"
        )
    return earned


REWARDS: dict[str, Callable[[Simulation], Array]] = {
    "clicks": _clicks,
    "retention": _retention,
    "returns": _returns,
    "environment": _environment,
}
"""`clicks`: feedback summed over the slate. `retention`: -1 when the user leaves for good.
`returns`: 1 when a session ends and the user comes back.
`environment`: what a foreign environment pays (`driftrec.envs.foreign_population`)."""


def reward_function(reward: Reward) -> Callable[[Simulation], Array]:
    """The function that reads the reward of the last request, `(users,)`.

    Raises:
        ValueError: if there is no reward of that name, or no weight at all.
    """
    weights = {reward: 1.0} if isinstance(reward, str) else dict(reward)
    if unknown := set(weights) - set(REWARDS):
        raise ValueError(f"reward must be made of {sorted(REWARDS)}, got {sorted(unknown)}")
    if not weights:
        raise ValueError(f"reward must weigh at least one of {sorted(REWARDS)}, got none")
    terms = [(REWARDS[name], weight) for name, weight in weights.items()]
    if len(terms) == 1 and terms[0][1] == 1.0:
        return terms[0][0]
    return lambda simulation: sum(weight * term(simulation) for term, weight in terms)
