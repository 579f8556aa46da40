"""One face for Gymnasium's environments and those of Gym before version 0.26.

Which it is shows in the environment itself: whether `reset` takes a seed, how much `reset` and
`step` return. Neither Gym nor a bridge to it is needed, which today's numpy and setuptools would
not let one install.
"""

from __future__ import annotations

import contextlib
import inspect
from typing import Any

import gymnasium


def takes_seed(env: Any) -> bool:
    """Whether `reset` takes a seed, as Gymnasium's does; wrappers of Gym pass on what they get."""
    if isinstance(env, gymnasium.Env):
        return True
    return "seed" in inspect.signature(getattr(env, "unwrapped", env).reset).parameters


def reset(env: Any, seed: int | None = None) -> Any:
    """Begin an episode, with a seed for the first of a task; the observation."""
    if seed is None:
        answer = env.reset()
    elif takes_seed(env):
        answer = env.reset(seed=seed)
    else:
        if hasattr(env, "seed"):
            env.seed(seed)
        answer = env.reset()
    if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], dict):
        return answer[0]
    return answer


def step(env: Any, action: Any) -> tuple[Any, Any, bool, bool, Any]:
    """Take a step: observation, reward, terminated, truncated, info.

    Raises:
        TypeError: if the environment returns neither four nor five things.
    """
    answer = env.step(action)
    if not isinstance(answer, tuple) or len(answer) not in (4, 5):
        got = f"{len(answer)} things" if isinstance(answer, tuple) else type(answer).__name__
        raise TypeError(
            "step must return (observation, reward, terminated, truncated, info), or the old "
            f"(observation, reward, done, info), got {got}"
        )
    if len(answer) == 5:
        observation, reward, terminated, truncated, info = answer
        return observation, reward, bool(terminated), bool(truncated), info
    observation, reward, done, info = answer
    cut = bool(done) and bool(info.get("TimeLimit.truncated", False))
    return observation, reward, bool(done) and not cut, cut, info


def close(env: Any) -> None:
    """Release what the environment holds, where it can."""
    # RecSim's environments raise this.
    with contextlib.suppress(NotImplementedError):
        getattr(env, "close", lambda: None)()
