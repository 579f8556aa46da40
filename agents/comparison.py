"""Policies compared on the same users, with intervals."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from driftrec.agents.evaluation import Evaluation
from driftrec.agents.metrics import METRICS, Measure, Metric
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
        trainings: seed of the draws of training seeds, if not that of the bootstrap: comparisons
            that share it draw the same training seeds of a policy.
        metrics: what can be measured, by name.
        level: probability that an interval holds the truth.
        baseline: the policy whose normalised score is 0.
        reference: the policy whose normalised score is 1.

    Raises:
        ValueError: if there is nothing to compare, or the users are not the same.

    Attributes:
        user_weights: how often each user is drawn, float32 `(draws, users)`.
        seed_shares: of each policy, what each training seed counts for, `(draws, seeds)`.
    """

    def __init__(
        self,
        evaluations: Mapping[str, Evaluation | Sequence[Evaluation]],
        *,
        draws: int = 2000,
        seed: int | Sequence[int] = 0,
        trainings: int | Sequence[int] | None = None,
        metrics: Mapping[str, Metric] = METRICS,
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
        self.metrics = dict(metrics)
        self.level = level
        self.baseline = baseline
        self.reference = reference
        first = _same_users(self.evaluations)
        drawn = user_weights(first.stratum, draws, _generator(seed, 0))
        # The estimate is a draw in which every user counts once: measures are called but once.
        self._weights = np.concatenate([np.ones_like(drawn[:1]), drawn])
        self.user_weights = self._weights[1:]
        again = seed if trainings is None else trainings
        self.seed_shares = {
            name: _shares(len(runs), draws, _generator(again, zlib.crc32(name.encode())))
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
        return Interval.of(*self.draws(policy, metric), self.level)

    def difference(self, policy: str, other: str, metric: str | Measure = "ctr") -> Interval:
        """How much higher one policy is than another on the same users, with its interval."""
        value, draws = self.draws(policy, metric)
        other_value, other_draws = self.draws(other, metric)
        return Interval.of(value - other_value, draws - other_draws, self.level)

    def score(self, policy: str, metric: str | Measure = "ctr") -> Interval:
        """Normalised score: (value - baseline) / (reference - baseline), with its interval.

        Numerator and denominator are drawn together. All NaN where the baseline or the reference
        was not evaluated; the interval is NaN where the interval of their difference holds 0:
        the users then leave no room between the two that could be told from luck.
        """
        return Interval.of(*self.score_draws(policy, metric), self.level)

    def score_draws(
        self, policy: str, metric: str | Measure = "ctr"
    ) -> tuple[np.ndarray, np.ndarray]:
        """The normalised score and its draws, as `score` needs them."""
        value, draws = self.draws(policy, metric)
        if not {self.baseline, self.reference} <= set(self.policies):
            return np.full_like(value, np.nan), np.full_like(draws, np.nan)
        low, low_draws = self.draws(self.baseline, metric)
        high, high_draws = self.draws(self.reference, metric)
        room = self.difference(self.reference, self.baseline, metric)
        with np.errstate(divide="ignore", invalid="ignore"):
            point = (value - low) / (high - low)
            ratios = (draws - low_draws) / (high_draws - low_draws)
        told = np.asarray(room.low) * np.asarray(room.high) > 0
        return point, np.where(told, ratios, np.nan)

    def draws(self, policy: str, metric: str | Measure) -> tuple[np.ndarray, np.ndarray]:
        """The estimate, a number or `(points,)`, and its draws with a first axis more."""
        if policy not in self.evaluations:
            raise ValueError(f"policy must be one of {self.policies}, got {policy!r}")
        if isinstance(metric, str) and metric not in self.metrics:
            raise ValueError(f"metric must be one of {list(self.metrics)}, got {metric!r}")
        if not isinstance(metric, str):
            return self._measured(policy, metric)
        if (policy, metric) not in self._known:
            self._known[policy, metric] = self._measured(policy, self.metrics[metric].measure)
        return self._known[policy, metric]

    def _measured(self, policy: str, measure: Measure) -> tuple[np.ndarray, np.ndarray]:
        runs, shares = self.evaluations[policy], self.seed_shares[policy]
        found = [measure(run, self._weights) for run in runs]
        value = np.mean([each[0] for each in found], axis=0)
        draws = np.zeros(())
        for each, share in zip(found, shares.T, strict=True):
            draws = draws + _weighed(each[1:], share)
        return value, draws


def _generator(seed: int | Sequence[int], *numbers: int) -> np.random.Generator:
    return np.random.default_rng([*([seed] if isinstance(seed, int) else seed), *numbers])


def _shares(count: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """What each of `count` training seeds counts for in each draw, `(draws, count)`."""
    weights = seed_weights(count, draws, rng)
    shares: np.ndarray = weights / weights.sum(1, keepdims=True)
    return shares


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
