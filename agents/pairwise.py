"""Every policy against every other, on the same users."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from driftrec.agents.comparison import Comparison
from driftrec.agents.metrics import user_ctr
from driftrec.agents.significance import holm, paired_p_values
from driftrec.agents.statistics import Interval


@dataclass(frozen=True)
class Pair:
    """Two policies on the same users.

    Attributes:
        a: the one.
        b: the other.
        difference: by how much the CTR of `a` is higher.
        improvement: probability that a user has a higher CTR under `a`, ties counting half; of
            policies trained several times, any training of the one against any of the other.
        p: of the difference being 0; see `driftrec.agents.significance.paired_p_values`.
        adjusted: for the number of pairs, by Holm's method.
    """

    a: str
    b: str
    difference: Interval
    improvement: Interval
    p: float
    adjusted: float


def wins(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """1 where `one` is higher, 1/2 where they are equal, 0 elsewhere, float32 of their shape.

    Its mean over users met by both is the probability that a user gets more from the one; over all
    runs of the one that meet all of the other, that of improvement (Agarwal et al. 2021, section
    4.3).
    """
    won: np.ndarray = (np.sign(one - other) * np.float32(0.5) + np.float32(0.5)).astype(np.float32)
    return won


def all_pairs(comparison: Comparison) -> list[Pair]:
    """Each pair of policies once, the earlier one first."""
    names = comparison.policies
    runs = {
        name: np.stack([user_ctr(run) for run in comparison.evaluations[name]]) for name in names
    }
    pairs = list(combinations(range(len(names)), 2))
    if not pairs:
        return []
    one, other = np.array(pairs).T
    measured = [comparison.draws(name, "ctr") for name in names]
    value = np.array([value for value, _ in measured])
    draws = np.stack([draws for _, draws in measured], axis=1)
    difference = Interval.of(
        value[one] - value[other], draws[:, one] - draws[:, other], comparison.level
    )
    p_values = _p_values([runs[name] for name in names], one, other)
    adjusted = holm(p_values)
    improvements = _improvements(comparison, runs)
    return [
        Pair(
            names[a],
            names[b],
            _point(difference, place),
            _point(improvements[a], b - a - 1),
            float(p_values[place]),
            float(adjusted[place]),
        )
        for place, (a, b) in enumerate(pairs)
    ]


def _p_values(runs: list[np.ndarray], one: np.ndarray, other: np.ndarray) -> np.ndarray:
    users = np.stack([each.mean(0) for each in runs], axis=1)
    count = np.array([len(each) for each in runs])
    variance = np.array(
        [each.mean(1).var(ddof=1) / len(each) if len(each) > 1 else 0.0 for each in runs]
    )
    squares = variance**2 / np.maximum(count - 1, 1)
    extra, weight = variance[one] + variance[other], squares[one] + squares[other]
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.where(weight > 0, extra**2 / weight, np.inf)
    return paired_p_values(users[:, one] - users[:, other], extra, freedom)


def _improvements(comparison: Comparison, runs: dict[str, np.ndarray]) -> list[Interval]:
    """Of each policy but the last over all that come after it, an interval of arrays."""
    names = comparison.policies
    weights = comparison.user_weights / comparison.user_weights.sum(1, keepdims=True)
    found = []
    for place, name in enumerate(names[:-1]):
        later = names[place + 1 :]
        rivals = np.concatenate([runs[rival] for rival in later])
        shares = np.concatenate([comparison.seed_shares[rival] for rival in later], axis=1)
        equal = np.concatenate([np.full(len(runs[rival]), 1 / len(runs[rival])) for rival in later])
        first = np.cumsum([0, *(len(runs[rival]) for rival in later[:-1])])
        value, draws = np.zeros(len(later)), np.zeros((len(weights), len(later)))
        for run, share in zip(runs[name], comparison.seed_shares[name].T, strict=True):
            won = wins(run, rivals)
            value += np.add.reduceat(won.mean(1) * equal, first) / len(runs[name])
            draws += share[:, None] * np.add.reduceat((weights @ won.T) * shares, first, axis=1)
        found.append(Interval.of(value, draws, comparison.level))
    return found


def _point(interval: Interval, place: int) -> Interval:
    return Interval(*(float(part[place]) for part in (interval.value, interval.low, interval.high)))
