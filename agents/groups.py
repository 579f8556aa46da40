"""Groups of users: who belongs to which, and what each group gets."""

from __future__ import annotations

from typing import Any

import numpy as np

from driftrec.agents.statistics import ratio, weighted_mean
from driftrec.envs.drifting_state import DriftingUserState
from driftrec.envs.drifting_user import DriftingUser
from driftrec.envs.simulation import Simulation
from driftrec.envs.wrapped_users import WrappedUsers

EVERYONE = ("everyone",)
"""Names of the groups where users are of one kind."""


def user_groups(simulation: Simulation) -> tuple[np.ndarray, tuple[str, ...]]:
    """Which group each user of a simulation belongs to, by the hidden state: for reports alone.

    Users of the default kind, wrapped ones too, are grouped by the persona whose taste they share
    now; all others are one group.

    Returns:
        Number of the group, int32 `(users,)`, and the groups' names.
    """
    state = getattr(simulation, "state", None)
    model: Any = getattr(simulation, "model", None)
    while isinstance(model, WrappedUsers):
        state, model = model.inner_state(state), model.model
    if not (isinstance(model, DriftingUser) and isinstance(state, DriftingUserState)):
        return np.zeros(simulation.users, np.int32), EVERYONE
    names = tuple(f"persona {number}" for number in range(len(model.personas)))
    return np.array(state.persona, np.int32), names


def members(group: np.ndarray | None, users: int, groups: int) -> np.ndarray:
    """1 where a user belongs to a group, float32 `(users, groups)`; all to the first if None."""
    number = np.zeros(users, np.int64) if group is None else group
    belongs: np.ndarray = (number[:, None] == np.arange(max(groups, 1))).astype(np.float32)
    return belongs


def group_means(values: np.ndarray, belongs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of a value of users in each group, NaN where it is empty.

    Args:
        values: `(users,)`, without NaN.
        belongs: as `members` gives it, `(users, groups)`.
        weights: `(draws, users)`.

    Returns:
        `(draws, groups)`.
    """
    total = weights @ (belongs * values[:, None]).astype(weights.dtype)
    return ratio(total, weights @ belongs.astype(weights.dtype))


def worst_group(values: np.ndarray, belongs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The lowest of the groups' means, `(draws,)`: is anyone left behind?

    The group is the one that is served worst in the estimate with all users counted once. To
    choose it anew in each draw would choose by luck, and be too low.
    """
    one = np.ones((1, len(values)), weights.dtype)
    means = group_means(values, belongs, one)[0]
    if np.isnan(means).all():
        return np.full(len(weights), np.nan)
    chosen = int(np.nanargmin(means))
    return group_means(values, belongs[:, chosen : chosen + 1], weights)[:, 0]


def minority(values: np.ndarray, belongs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over the users of the smallest group that is not empty, `(draws,)`."""
    sizes = belongs.sum(0)
    if not sizes.any():
        return weighted_mean(values, weights)
    chosen = int(np.where(sizes > 0, sizes, np.inf).argmin())
    return group_means(values, belongs[:, chosen : chosen + 1], weights)[:, 0]
