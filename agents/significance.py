"""Tests of paired differences, and their correction where many are made."""

from __future__ import annotations

import numpy as np


def paired_p_values(
    differences: np.ndarray,
    extra_variance: np.ndarray | float = 0.0,
    extra_freedom: np.ndarray | float = np.inf,
) -> np.ndarray:
    r"""Two-sided p-values of mean differences being 0, by Student's paired t test over users.

    The statistic is the mean over its standard error. Where the policies were trained several
    times, the variance between trainings is added to that between users, and the degrees of
    freedom follow from both parts (Welch 1947; Satterthwaite 1946): nu = (sum_i V_i)^2 /
    sum_i (V_i^2 / nu_i).

    Why not the permutation test that flips signs, which assumes less: of B flips its lowest
    p-value is 1 / (B + 1), and a correction for 595 pairs makes that more than .05 for any B that
    can be waited for. Differences of click rates are bounded and users are hundreds: there both
    agree, and the size is right (see the tests).

    Args:
        differences: of each user and pair, mean over trainings, `(users, pairs)`.
        extra_variance: of the mean difference through the trainings, `(pairs,)`.
        extra_freedom: degrees of freedom of that variance, `(pairs,)`.

    Returns:
        `(pairs,)`: 1 where all differences are 0, NaN where there is but one user.
    """
    from scipy.special import stdtr  # type: ignore[import-untyped]  # ships no types

    users = len(differences)
    mean = differences.mean(0)
    if users < 2:
        return np.full(mean.shape, np.nan)
    between = differences.var(0, ddof=1) / users
    extra = np.broadcast_to(np.asarray(extra_variance, float), mean.shape)
    total = between + extra
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(mean == 0, 0.0, mean / np.sqrt(total))
        freedom = total**2 / (between**2 / (users - 1) + extra**2 / np.asarray(extra_freedom))
    # Differences that are all alike leave no variance, and no freedom that would matter.
    freedom = np.where(total > 0, freedom, users - 1.0)
    p: np.ndarray = 2 * stdtr(freedom, -np.abs(statistic))
    return p


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values adjusted for their number by the step-down method of Holm (1979).

    To reject those below a level keeps the probability of any false rejection below it, however
    the tests hang together.

    Args:
        p_values: `(tests,)`; NaN where there was no test, which stays NaN and does not count.

    Returns:
        Each at least the p-value, and at most 1, `(tests,)`.
    """
    adjusted = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(np.isfinite(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    factor = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(factor * p_values[order]), 1)
    return adjusted
