"""What training users teach of a new one: the law of users' weights, by empirical Bayes."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from driftrec.agents.bandits.watching import watch_log
from driftrec.agents.filter_model import FilterModel
from driftrec.agents.inputs import item_inputs, popular_weights
from driftrec.agents.recommenders.training_log import TrainingLog
from driftrec.envs import Catalogue
from driftrec.envs.arrays import Array


@dataclass(frozen=True)
class Passing:
    """What passes in users, the same for all of them; 0 switches a part off.

    Attributes:
        mood_sd: of what moves all clicks of a user up and down, in logits.
        mood_hours: in which it relaxes.
        whim_sd: of what a topic is worth to a user for a while, in logits.
        whim_minutes: in which it relaxes.
        satiation: logits lost per recent exposure to a topic.
        satiation_hours: in which an exposure is forgotten.
        slot_bias: logits lost per slot down the slate.
    """

    mood_sd: float = 0.5
    mood_hours: float = 4.0
    whim_sd: float = 0.5
    whim_minutes: float = 20.0
    satiation: float = 0.03
    satiation_hours: float = 8.0
    slot_bias: float = 0.1


STILL = Passing(mood_sd=0, whim_sd=0, satiation=0, slot_bias=0)
"""Users in whom nothing passes."""


@dataclass(frozen=True, eq=False)
class WeightLaw:
    """The law of users whose clicks are logistic in their weights.

    Attributes:
        mean: of the weights of features, topics, quality and 1, `(D,)`.
        covariance: of them, `(D, D)`.
        passing: what comes and goes.
    """

    mean: Array
    covariance: Array
    passing: Passing = STILL

    def model(self, catalogue: Catalogue) -> FilterModel:
        """Users of this law with a catalogue, as a filter reads them: [weights, mood, whims].

        Raises:
            ValueError: if the catalogue has other features or topics than weights are for.
        """
        inputs, topics, passing = item_inputs(catalogue), np.asarray(catalogue.topics), self.passing
        if inputs.shape[1] != len(self.mean):
            raise ValueError(
                f"the catalogue must have {len(self.mean) - 2} features and topics, as the one "
                f"that the prior was learned with, got {inputs.shape[1] - 2}"
            )
        size, count = inputs.shape[1], topics.shape[1]
        covariance = np.zeros((size + 1 + count,) * 2, np.float32)
        covariance[:size, :size] = self.covariance
        covariance[size, size] = passing.mood_sd**2
        covariance[size + 1 :, size + 1 :] = passing.whim_sd**2 * np.eye(count)
        rates = [0.0] * size + [24 / passing.mood_hours] + [1440 / passing.whim_minutes] * count
        return FilterModel(
            loadings=np.concatenate([inputs, inputs[:, -1:], topics], axis=1),
            offsets=np.zeros(len(inputs)),
            prior_mean=np.concatenate([self.mean, np.zeros(1 + count)]),
            prior_covariance=covariance,
            rates=np.array(rates),
            topics=topics,
            satiation=passing.satiation,
            satiation_rate=24 / passing.satiation_hours,
            slot_bias=-passing.slot_bias,
        )


def first_law(catalogue: Catalogue, passing: Passing = STILL, variance: float = 0.1) -> WeightLaw:
    """Where to start: users who rank items by quality, and differ a little in every weight."""
    inputs = item_inputs(catalogue)
    weights = popular_weights(inputs, 1.0, 0.0)
    return WeightLaw(weights, variance * np.eye(len(weights)), passing)


def expectation_maximisation(
    law: WeightLaw, log: TrainingLog, catalogue: Catalogue, steps: int
) -> WeightLaw:
    """Fit the law of the weights, with what passes as it is.

    Weights do not change within a trial, so that a user's posterior after the last click is all
    that the E-step needs; it is by assumed-density filtering. The M-step takes the mean of the
    posterior means, and their covariance plus the mean of the posterior covariances (Dempster,
    Laird and Rubin 1977; Bishop 2006, section 9.4, for the missing data of a Gaussian).

    Args:
        law: where to start.
        log: clicks of training users.
        catalogue: of the log.
        steps: of EM.
    """
    size = len(law.mean)
    for _ in range(steps):
        means, spread = [], np.zeros((size, size))
        for state in watch_log(law.model(catalogue), log):
            means.append(state.belief.mean[:, :size].astype(np.float64))
            spread += state.belief.covariance[:, :size, :size].sum(0, dtype=np.float64)
        every = np.concatenate(means)
        centred = every - every.mean(0)
        covariance = (centred.T @ centred + spread) / len(every)
        law = WeightLaw(every.mean(0), covariance, law.passing)
    return law


def evidence(law: WeightLaw, log: TrainingLog, catalogue: Catalogue) -> float:
    """Log-likelihood of a click, each predicted from those before it, on average."""
    total = 0.0
    for state in watch_log(law.model(catalogue), log):
        total += float(state.log_likelihood.sum(dtype=np.float64))
    clicks: int = int(log.active.sum()) * log.items.shape[2]
    return total / max(clicks, 1)


def search_passing(
    law: WeightLaw, log: TrainingLog, catalogue: Catalogue, factor: float
) -> WeightLaw:
    """Move each number of `passing` up or down by a factor where the clicks are more likely then.

    The likelihood of a state-space model by the errors of its predictions: Harvey 1989, section
    3.4; maximised by coordinates.
    """
    best = evidence(law, log, catalogue)
    for name in [field.name for field in fields(Passing)]:
        if name == "slot_bias" and log.items.shape[2] == 1:
            continue
        for share in (factor, 1 / factor):
            value = getattr(law.passing, name) * share
            moved = replace(law, passing=replace(law.passing, **{name: value}))
            if (found := evidence(moved, log, catalogue)) > best:
                law, best = moved, found
                break
    return law
