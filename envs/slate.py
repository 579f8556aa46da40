"""DriftRec/Slate-v0: five items a request, with position bias."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from driftrec.envs.env import RecommendationEnv
from driftrec.envs.feed import feed_population
from driftrec.envs.population import Population
from driftrec.envs.vector import RecommendationVectorEnv


def slate_population() -> Population:
    """The users of the feed, shown five items at a time and looking at the upper ones more."""
    population = feed_population().replace_parameters(slot_bias=-0.3)
    return replace(population, name="Slate", slate=5, max_requests=60)


class SlateEnv(RecommendationEnv):
    """Slates of 5 out of 500 items with position bias, for about 60 requests.

    The users are those of `FeedEnv`. Each slot is clicked or not, independently, with .3 logits
    less a slot down the slate.

    Action space:
        `SlateSpace(500, 5)`, a `MultiDiscrete([500] * 5)` whose samples show no item twice: the
        items to show, top first. A slate with an item twice is an error.

        Agents that draw each slot by itself, such as PPO of Stable-Baselines3, choose such slates
        now and then. For them, wrap the environment by what is to be shown instead, for example
        the next item that the slate does not hold:

        >>> import gymnasium, numpy
        >>> import driftrec.envs
        >>> def distinct(slate):
        ...     slate = list(slate)
        ...     for slot in range(1, len(slate)):
        ...         while slate[slot] in slate[:slot]:
        ...             slate[slot] = (slate[slot] + 1) % 500
        ...     return numpy.array(slate)
        >>> env = gymnasium.make("DriftRec/Slate-v0")
        >>> any_slate = gymnasium.spaces.MultiDiscrete([500] * 5)
        >>> env = gymnasium.wrappers.TransformAction(env, distinct, any_slate)
        >>> observation, info = env.reset(seed=0)
        >>> observation, *_ = env.step(numpy.array([7, 7, 8, 499, 499]))

    Observation space:
        As `FeedEnv`, with `slate` (5, 19) and `feedback` (5,).

    Rewards:
        As `FeedEnv`; `"clicks"` sums over the slate.

    Starting state:
        A new user of the split.

    Episode end:
        Terminated when the user never returns; truncated after 60 requests.

    Arguments:
        As `FeedEnv`. `parameters={"choice": "multinomial"}` gives users who click once at most.

    Version history:
        v0: first release.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("Slate", **options)


class SlateVectorEnv(RecommendationVectorEnv):
    """`SlateEnv` for many users at once, stepped by the batch engine."""

    def __init__(self, num_envs: int = 1, **options: Any) -> None:
        super().__init__("Slate", num_envs, **options)
