"""Who is still there after some days, where not every trial lasted long enough to tell."""

from __future__ import annotations

import numpy as np


def still_active(
    last_day: np.ndarray, churned: np.ndarray, weights: np.ndarray, days: np.ndarray
) -> np.ndarray:
    """Share of users active on or after each of some days, by Kaplan and Meier (1958).

    A user who churned was last active on `last_day`. One whose trial was truncated was still
    there on that day and may have been there later: the user is censored, and counts among those
    at risk up to that day only. The estimate is the product over the days d before `day` on
    which someone churned of 1 - (who was last active on d) / (who was known to be there on d).
    Without censoring it is the plain share of users with `last_day >= day`.

    The estimator takes it that users are truncated for reasons which have nothing to do with
    whether they stay. A limit on requests is reached sooner by who comes often, so where many
    users are truncated before a day, read its figure with care, or set the limit higher.

    Args:
        last_day: days since first contact, `(users,)`.
        churned: whether the user left for good then, `(users,)`.
        weights: how often each user counts, `(draws, users)`.
        days: `(days,)`.

    Returns:
        `(draws, days)`. Beyond the last day on which anyone was observed the share is unknown and
        stays at its last value.
    """
    # On a tied day those who churned come first, since the censored are at risk on that day.
    order = np.lexsort((~churned, last_day))
    weight = weights[:, order]
    upto = np.cumsum(weight, axis=1)
    lost_at = np.flatnonzero(churned[order] & (last_day[order] < np.max(days, initial=0)))
    lost = weight[:, lost_at].astype(np.float64)
    at_risk = lost + upto[:, -1:] - upto[:, lost_at]
    # One factor a user: the factors of users tied on a day telescope to the factor of the day.
    factor = 1 - np.divide(lost, at_risk, out=np.zeros_like(lost), where=at_risk > 0)
    kept = np.concatenate([np.ones((len(weight), 1)), np.cumprod(factor, axis=1)], axis=1)
    return kept[:, np.searchsorted(last_day[order][lost_at], days, side="left")]
