"""The conformance kit, which holds a user model to its contract.

In your own tests::

    from driftrec.envs.testing import check_user_model

    def test_my_users():
        check_user_model(MyUsers())
"""

from __future__ import annotations

import numpy as np

from driftrec.envs.catalogue import Catalogue
from driftrec.envs.conformance import Kit
from driftrec.envs.conformance_checks import CHECKS, check_torch
from driftrec.envs.user_model import UserModel


def check_user_model(
    model: UserModel,
    catalogue: Catalogue | None = None,
    *,
    users: int = 7,
    slate: int = 3,
    seed: int = 0,
    torch: bool = False,
) -> None:
    """Hold a user model to the contract of `UserModel`.

    Checked for batches of `users`, one and none, in their first state and after a few days:
    signatures, types and shapes; values within their ranges; a likelihood that sums to one (binary
    feedback, slates up to 3) and agrees with the mean, the mean with what is drawn; a batch of one
    equal to the row of a batch; the same results from the same seed, other users from another; no
    change to what a method is given; as many draws whatever the elapsed time; no drift over 0 days
    (where chance says when users come back: else each request may count as a step); no NaN after
    gaps of 0 to ten million days; `click_probability` in agreement with `respond`; and a finite
    `context` of the size announced. What of it agents may see, only you can know.

    Args:
        model: what is checked.
        catalogue: what its users are shown; its own default if none is given.
        users: size of the batch, at least 2.
        slate: items in a request.
        seed: of all draws.
        torch: whether to check too that the model gives on torch tensors what it gives on numpy.

    Raises:
        UserModelError: at the first breach, with what was expected, what came and what to do.
        ValueError: if `users` or `slate` is out of range.
    """
    kit = Kit(model, catalogue, users, slate, seed)
    with np.errstate(all="ignore"):
        for check in CHECKS:
            check(kit)
        if torch:
            check_torch(kit)
