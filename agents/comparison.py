"""Policies compared on the same users, with intervals."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from driftrec.agents.evaluation import Evaluation
from driftrec.agents.metrics import METRICS, Measure
from driftrec.agents.statistics import Interval, seed_weights, user_weights


class Comparison:
    """What several policies got from the same users.

    The estimate of a policy that was trained several times is the mean over its training seeds.
    A bootstrap draw takes users (within their strata) and training seeds, both with replacement,
    and the same users for every policy and every seed. Differences and scores are thereby
    paired, and users who were met by several seeds are not mistaken for so many more of them
    (Owen 2007, "The pigeonhole bootstrap": never too narrow, a little too wide where the seeds
    differ in whom they serve well).

    Args:
        evaluations: of each policy by its name: one, or one for each training seed.
        draws: number of bootstrap draws.
        seed: of the bootstrap.
        level: probability that an interval holds the truth.
        baseline: the policy whose normalised score is 0.
        reference: the policy whose normalised score is 1.

    Raises:
        ValueError: if there is nothing to compare, or the users are not the same.
    """

    def __init__(
        self,
        evaluations: Mapping[str, Evaluation | Sequence[Evaluation]],
        *,
        draws: int = 2000,
        seed: int = 0,
        level: float = 0.95,
        baseline: str = "most-popular",
        reference: str = "filter-ucb",
    ) -> None:
        if draws < 1 or not 0 < level < 1:
            raise ValueError(
                f"draws must be at least 1 and level in (0, 1), got {draws} and {level}"
            )
        self.evaluations = {
            name: [found] if isinstance(found, Evaluation) else list(found)
            for name, found in evaluations.items()
        }
        self.level = level
        self.baseline = baseline
        self.reference = reference
        first = _same_users(self.evaluations)
        self._one = np.ones((1, first.users), np.float32)
        self._users = user_weights(first.stratum, draws, np.random.default_rng([seed, 0]))
        self._seeds = {
            name: seed_weights(
                len(runs), draws, np.random.default_rng([seed, zlib.crc32(name.encode())])
            )
            for name, runs in self.evaluations.items()
        }
        self._known: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}

    @property
    def policies(self) -> list[str]:
        """Names of the policies, in the order given."""
        return list(self.evaluations)

    @property
    def example(self) -> Evaluation:
        """One of the evaluations, for what they have in common."""
        return self.evaluations[self.policies[0]][0]

    def estimate(self, policy: str, metric: str | Measure = "ctr") -> Interval:
        """A metric of one policy, with its interval.

        Args:
            policy: its name.
            metric: a name in `METRICS`, or a measure, which may give a curve.

        Raises:
            ValueError: if the policy or the metric is unknown.
        """
        return Interval.of(*self._draws(policy, metric), self.level)

    def difference(self, policy: str, other: str, metric: str | Measure = "ctr") -> Interval:
        """How much higher one policy is than another on the same users, with its interval."""
        value, draws = self._draws(policy, metric)
        other_value, other_draws = self._draws(other, metric)
        return Interval.of(value - other_value, draws - other_draws, self.level)

    def score(self, policy: str, metric: str | Measure = "ctr") -> Interval:
        """Normalised score: (value - baseline) / (reference - baseline), with its interval.

        Numerator and denominator are drawn together. All NaN where the baseline or the reference
        was not evaluated; the interval is NaN where the interval of their difference holds 0:
        the users then leave no room between the two that could be told from luck.
        """
        if not {self.baseline, self.reference} <= set(self.policies):
            return Interval(float("nan"), float("nan"), float("nan"))
        value, draws = self._draws(policy, metric)
        low, low_draws = self._draws(self.baseline, metric)
        high, high_draws = self._draws(self.reference, metric)
        room = self.difference(self.reference, self.baseline, metric)
        with np.errstate(divide="ignore", invalid="ignore"):
            point = (value - low) / (high - low)
            ratios = (draws - low_draws) / (high_draws - low_draws)
        if not room.low * room.high > 0:
            ratios = np.full_like(ratios, np.nan)
        return Interval.of(point, ratios, self.level)

    def _draws(self, policy: str, metric: str | Measure) -> tuple[np.ndarray, np.ndarray]:
        """The estimate, a number or `(points,)`, and its draws with a first axis more."""
        if policy not in self.evaluations:
            raise ValueError(f"policy must be one of {self.policies}, got {policy!r}")
        if isinstance(metric, str) and metric not in METRICS:
            raise ValueError(f"metric must be one of {list(METRICS)}, got {metric!r}")
        if not isinstance(metric, str):
            return self._measured(policy, metric)
        if (policy, metric) not in self._known:
            self._known[policy, metric] = self._measured(policy, METRICS[metric].measure)
        return self._known[policy, metric]

    def _measured(self, policy: str, measure: Measure) -> tuple[np.ndarray, np.ndarray]:
        runs, weights = self.evaluations[policy], self._seeds[policy]
        shares = weights / weights.sum(1, keepdims=True)
        value = np.mean([measure(run, self._one)[0] for run in runs], axis=0)
        draws = np.zeros(())
        for run, share in zip(runs, shares.T, strict=True):
            draws = draws + _weighed(measure(run, self._users), share)
        return value, draws


def _weighed(draws: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Draws times their seed's share; a seed that was not drawn counts 0 even where undefined."""
    share = share.reshape(-1, *(1,) * (draws.ndim - 1))
    return np.where(share > 0, share * draws, 0)


def _same_users(evaluations: Mapping[str, Sequence[Evaluation]]) -> Evaluation:
    """Any evaluation, once it is sure that all met the same users."""
    runs = [run for several in evaluations.values() for run in several]
    if not runs or not all(evaluations.values()):
        raise ValueError("each policy to compare must have at least one evaluation, got none")
    if strangers := {run.who for run in runs} - {runs[0].who}:
        raise ValueError(
            "policies must be compared on the same users (population, split, seeds, batch, users, "
            f"requests): got {runs[0].who} and {sorted(strangers)[0]}"
        )
    return runs[0]
