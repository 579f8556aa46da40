"""What is shown: how varied for each user, how much of the catalogue, and how popular.

Measures of single users are means over users. Those of the catalogue as a whole, coverage and
inequality, are of all users together; their bootstrap draws are linear in the weights (the
infinitesimal jackknife, Efron 1982, chapter 6), since users drawn with replacement are fewer
different ones, who are shown fewer different items.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from driftrec.agents.evaluation import Evaluation
from driftrec.agents.metrics import METRICS, Measure, Metric
from driftrec.agents.statistics import linear_draws, ratio, weighted_mean
from driftrec.envs import Catalogue

CROWD = 10
"""Users among whom coverage is counted: so few that it hardly depends on how many were measured,
and that its interval can be told from the derivative."""


def exposures(evaluation: Evaluation, items: int) -> np.ndarray:
    """How often each user was shown each item, float32 `(users, items)`."""
    user, request = np.nonzero(evaluation.active)
    cell = user[:, None] * items + evaluation.items[user, request]
    count = np.bincount(cell.ravel(), minlength=evaluation.users * items)
    return count.reshape(evaluation.users, items).astype(np.float32)


def catalogue_metrics(catalogue: Catalogue) -> dict[str, Metric]:
    """Metrics that need to know what there was to be shown, by their names in `METRICS`.

    - `diversity`: one minus the mean cosine between the topics of two items shown to a user.
    - `topic-entropy`: of the topics shown to a user, over its highest value.
    - `coverage`: expected share of the catalogue that 10 users are shown between them.
    - `popularity`: mean over users of the quality percentile of what was shown; 1/2 at random.
    - `exposure-gini`: inequality of items in how often they are shown, 0 where all are alike.

    They are worked out once for an evaluation and kept until they are asked for another.

    Args:
        catalogue: from which the slates were chosen.
    """
    views = _Views(catalogue)
    measures: dict[str, Measure] = {
        "diversity": partial(_user_mean, views, lambda view: view.diversity),
        "topic-entropy": partial(_user_mean, views, lambda view: view.entropy),
        "coverage": partial(_linear, views, lambda view: view.coverage),
        "popularity": partial(_user_mean, views, lambda view: view.popularity),
        "exposure-gini": partial(_linear, views, lambda view: view.gini),
    }
    return {name: replace(METRICS[name], measure=measure) for name, measure in measures.items()}


def user_diversity(counts: np.ndarray, topics: np.ndarray) -> np.ndarray:
    """One minus the mean cosine of the topics of two showings, `(users,)`; NaN of fewer.

    Args:
        counts: how often each user was shown each item, `(users, items)`.
        topics: of the items, `(items, topics)`.
    """
    direction = topics / np.linalg.norm(topics, axis=1, keepdims=True)
    shown = counts.sum(1)
    alike = np.square(counts @ direction).sum(1) - shown
    return 1 - ratio(alike, shown * (shown - 1))


def topic_entropy(counts: np.ndarray, topics: np.ndarray) -> np.ndarray:
    """Entropy of the topics shown to each user, over log(topics), `(users,)`."""
    share = ratio(counts @ topics, counts.sum(1, keepdims=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(share > 0, share * np.log(share), 0)
    return ratio(-terms.sum(1), np.full(len(counts), np.log(topics.shape[1])))


def coverage(counts: np.ndarray, crowd: int = CROWD) -> tuple[float, np.ndarray]:
    """Expected share of items shown to at least one of a crowd drawn at random, with replacement.

    Returns:
        The share, and its derivative with respect to the share that each user has, `(users,)`.
    """
    met = (counts > 0).astype(np.float32)
    chance = met.mean(0)
    slope = crowd * (1 - chance) ** (crowd - 1) / len(chance)
    value = float(1 - ((1 - chance) ** crowd).mean())
    return value, met @ slope - float(chance @ slope)


def gini(counts: np.ndarray) -> tuple[float, np.ndarray]:
    """Gini index of the items' exposures, and its derivative as of `coverage`."""
    total = counts.mean(0, dtype=np.float64)
    rank = np.empty(len(total))
    rank[np.argsort(total, kind="stable")] = np.arange(1, len(total) + 1)
    place = (2 * rank - len(total) - 1) / len(total)
    value = float(place @ total / total.sum())
    return value, (counts @ place - value * counts.sum(1)) / total.sum()


def quality_percentile(catalogue: Catalogue) -> np.ndarray:
    """Share of the catalogue of lower quality, ties counting half, `(items,)`."""
    quality = np.asarray(catalogue.quality)
    ordered = np.sort(quality)
    below, upto = (np.searchsorted(ordered, quality, side) for side in ("left", "right"))
    percentile: np.ndarray = (below + upto) / (2 * len(quality))
    return percentile


@dataclass(frozen=True)
class _View:
    """What all measures of one evaluation are made of."""

    diversity: np.ndarray
    entropy: np.ndarray
    popularity: np.ndarray
    coverage: tuple[float, np.ndarray]
    gini: tuple[float, np.ndarray]


class _Views:
    """The view of the last evaluation that was asked for."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._topics = np.asarray(catalogue.topics)
        self._percentile = quality_percentile(catalogue).astype(np.float32)
        self._last: tuple[Evaluation, _View] | None = None

    def __call__(self, evaluation: Evaluation) -> _View:
        if self._last is None or self._last[0] is not evaluation:
            self._last = evaluation, self._made(evaluation)
        return self._last[1]

    def _made(self, evaluation: Evaluation) -> _View:
        counts = exposures(evaluation, len(self._percentile))
        return _View(
            diversity=user_diversity(counts, self._topics),
            entropy=topic_entropy(counts, self._topics),
            popularity=ratio(counts @ self._percentile, counts.sum(1)),
            coverage=coverage(counts),
            gini=gini(counts),
        )


def _user_mean(
    views: _Views,
    part: Callable[[_View], np.ndarray],
    evaluation: Evaluation,
    weights: np.ndarray,
) -> np.ndarray:
    return weighted_mean(part(views(evaluation)), weights)


def _linear(
    views: _Views,
    part: Callable[[_View], tuple[float, np.ndarray]],
    evaluation: Evaluation,
    weights: np.ndarray,
) -> np.ndarray:
    value, derivative = part(views(evaluation))
    return linear_draws(value, derivative, weights)
