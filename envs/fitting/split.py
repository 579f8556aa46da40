"""Users to fit on, and other users to fit the test users on."""

from __future__ import annotations

import numpy as np

from driftrec.envs.logs.log import InteractionLog


def split_users(log: InteractionLog, seed: int = 0) -> tuple[InteractionLog, InteractionLog]:
    """Two logs of disjoint halves of the users: those of `train`, and those held out.

    Args:
        log: the log.
        seed: draws who is held out.

    Raises:
        ValueError: if there are fewer than two users.
    """
    if log.num_users < 2:
        raise ValueError(f"expected a log of two users or more to split, got {log.num_users}")
    order = np.random.default_rng([seed, log.num_users]).permutation(log.num_users)
    trained = np.zeros(log.num_users, bool)
    trained[order[: (log.num_users + 1) // 2]] = True
    return log.subset_users(trained), log.subset_users(~trained)
