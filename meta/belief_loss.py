"""Losses of beliefs about users, on the true expected feedback that training alone knows.

Where nobody knows it (`UserModel.observed_only`), on the feedback that came: the same losses then
are of its likelihood, predicted one request ahead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from driftrec.meta.learned_filter import per_item
from driftrec.meta.network import BeliefNetwork, TrialNetwork
from driftrec.meta.rollout import Trials
from driftrec.meta.track import NetworkShape

FIRST_LESSONS = 4
"""Iterations in which a learned filter is taught thoroughly; its parameters are few."""

FILTER_USERS = (8, 64)
"""Users whose trials one step of a filter's parameters runs through again: the fewer, the larger
its covariances, so that their entries stay below `FILTER_ENTRIES`."""

FILTER_ENTRIES = 100_000

LARGEST_LOGIT = 8.0
"""Labels are kept within this: beyond, a click is as good as certain."""


def mean_loss(
    network: BeliefNetwork, known: Tensor, table: Tensor, trials: Trials, users: Tensor
) -> Tensor:
    """Cross-entropy of believed with true values of the probed items.

    For feedback that is not clicks, half the squared error of the mean.

    Args:
        network: believes.
        known: what it knew before each request, `(T, users, known)`.
        table: features of the catalogue, `(items, width)`.
        trials: whole trials.
        users: which users of them, integers.
    """
    believed = _means(network, known, _probed(table, trials, users))
    expected = trials.probe_values[:, users]
    if network.shape.clicks:
        errors = nn.functional.binary_cross_entropy_with_logits(
            believed, expected, reduction="none"
        )
    else:
        errors = 0.5 * (believed - expected).square()
    return (trials.weights(users) * errors.mean(-1)).sum()


def likelihood_loss(
    network: BeliefNetwork, known: Tensor, table: Tensor, trials: Trials, users: Tensor
) -> Tensor:
    """Minus the log-density of the probed items' true values under the belief, in nats.

    Args: as for `mean_loss`.
    """
    features = _probed(table, trials, users)
    means = _means(network, known, features)
    items = network.trunk.with_one(features if trials.observed else features[:, None])
    variances = network.belief.variances(known, items, trials.probe_variance[:, users])
    errors = surprise(network, trials.probe_values[:, users], means, variances, trials.observed)
    return (trials.weights(users) * errors.mean(-1)).sum()


def filter_loss(network: TrialNetwork, table: Tensor, trials: Trials, users: Tensor) -> Tensor:
    """The same of the learned filter alone, run again over some users' trials with gradients.

    It is taught expected feedback, which is what it sees.
    """
    trunk, learned = network.trunk, network.trunk.filter
    assert learned is not None
    mean, covariance = learned.start(len(users))
    feedback, elapsed = trials.feedback[:, users], trials.log_elapsed[:, users]
    slates, alive = table[trials.slates[:, users]], trials.alive[:, users].float()
    contexts = trunk.contexts(trials.inputs[:, users])
    truth, probed = trials.probe_expected[:, users], _probed(table, trials, users)
    surprises = []
    for request in range(len(slates)):
        items = trunk.with_one(probed[request])
        now, spread = learned.in_context(mean, covariance, contexts[request])
        half = now.shape[-1] // 2
        means = per_item(now[:, :half] + now[:, half:], items)
        variances = learned.variance(spread, items)
        errors = surprise(network, truth[request], means, variances, trials.observed)
        surprises.append(errors.mean(-1))
        mean, covariance = trunk.filtered(
            mean, covariance, slates[request], feedback[request], elapsed[request], alive[request],
            contexts[request],
        )  # fmt: skip
    return (trials.weights(users) * torch.stack(surprises)).sum()


def filter_lessons(
    network: TrialNetwork, trials: Trials, iteration: int, rng: torch.Generator
) -> Iterator[Tensor]:
    """Users for each step of a filter's parameters in an iteration; none without a filter."""
    if network.trunk.filter is None:
        return
    least, most = FILTER_USERS
    count = min(max(FILTER_ENTRIES // network.trunk.filter.size**2, least), most)
    for _ in range(16 if iteration < FIRST_LESSONS else 1):
        users = torch.randperm(trials.alive.shape[1], generator=rng)[:count]
        yield users.to(trials.alive.device)


def surprise(
    network: TrialNetwork, truth: Tensor, means: Tensor, variances: Tensor, observed: bool
) -> Tensor:
    """Minus the log-likelihood of labels under a Gaussian belief, in nats.

    Of a click by the mean chance of one, with the logistic function in place of a probit (MacKay
    1992, equation 10); of other feedback with the filter's noise beside the belief's variance.

    Args:
        network: what a belief is of, and the noise of its filter.
        truth: expected feedback, or feedback, `(..., items)`.
        means: of the belief about logits, or means.
        variances: likewise.
        observed: whether `truth` is feedback.
    """
    if not observed:
        return gaussian_surprise(labels(truth, network.shape), means, variances)
    if network.shape.clicks:
        logits = means * (1 + math.pi / 8 * variances).rsqrt()
        return nn.functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    if network.trunk.filter is not None:
        variances = variances + (2 * network.trunk.filter.log_noise).exp()
    return gaussian_surprise(truth, means, variances)


def _probed(table: Tensor, trials: Trials, users: Tensor) -> Tensor:
    """Features of what has labels, `(T, probes, width)`, or `(T, users, slate, width)`."""
    items = trials.probe_items
    return table[items[:, users] if trials.observed else items]


def _means(network: BeliefNetwork, known: Tensor, features: Tensor) -> Tensor:
    """Believed logits of items, the same for all users or each user's own, `(T, users, n)`."""
    if features.ndim == 3:
        return network.means(known, features)
    return network.means(known[..., None, :], features)[..., 0, :]


def labels(expected: Tensor, shape: NetworkShape) -> Tensor:
    """Logits of true click probabilities, or true means where feedback is not clicks."""
    if not shape.clicks:
        return expected
    return torch.logit(expected, 1e-6).clamp(-LARGEST_LOGIT, LARGEST_LOGIT)


def gaussian_surprise(truth: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    """Minus the log-density of a Gaussian, in nats."""
    scaled = (truth - means).square() / variances
    return 0.5 * (scaled + variances.log() + math.log(2 * math.pi))
