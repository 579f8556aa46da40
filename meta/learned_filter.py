"""A Bayesian filter with learned parameters: the statistics that a memory starts from."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

SECONDS_PER_DAY = 86400.0

SLOW, FAST = 0.01, 100.0
"""Rates per day at the start: a taste that lasts for months, a mood of a quarter of an hour."""

PRIOR_SD = 0.25
"""Of each weight at the start, over item features of unit variance."""

NOISE_SD = 1.0
"""Of feedback that is not clicks, at the start."""

LEAST_VARIANCE = 1e-8

LARGEST = 2048
"""Numbers in a belief's mean: its covariance takes 16 MB a user then."""


class LearnedFilter(nn.Module):
    """Assumed-density filtering of clicks whose logit is linear in a drifting Gaussian.

    Every weight is the sum of a slow and a fast part, each a stationary Ornstein-Uhlenbeck
    process. How much of either there is, how fast it relaxes and where it relaxes to are
    parameters, which are learnt from training users' true click probabilities: the filter knows
    nothing of the users that it is not taught. Clicks are taken in by matching the posterior's
    first two moments, with the logistic function in place of a probit (MacKay 1992, "The evidence
    framework applied to classification networks", equation 10), other feedback by the Kalman
    filter.

    Where users have a public context, an item may be liked in one and not in another: then there
    is a weight for each number of an item and each of the context, beside that for the item alone.

    Args:
        width: numbers of an item.
        contexts: numbers of the context.
        clicks: whether feedback is clicks, with logistic odds; else Gaussian around the logit's
            place.
        quality: prior mean of the last weight, the one on quality.

    Attributes:
        size: D = 2 (width + 1) (contexts + 1), numbers in a belief's mean.

    Raises:
        ValueError: if they are more than `LARGEST`.
    """

    def __init__(
        self, width: int, clicks: bool = True, quality: float = 0.0, contexts: int = 0
    ) -> None:
        super().__init__()
        self.places = contexts + 1
        parts = (width + 1) * self.places
        self.size = 2 * parts
        if self.size > LARGEST:
            raise ValueError(
                f"a filter of items of {width} numbers in contexts of {contexts} believes in "
                f"{self.size} weights, more than {LARGEST}: set filter=False, or describe items or "
                "contexts by fewer numbers"
            )
        self.clicks = clicks
        rates = [math.log(SLOW)] * parts + [math.log(FAST)] * parts
        self.log_rate = nn.Parameter(torch.tensor(rates))
        self.log_sd = nn.Parameter(torch.full((self.size,), math.log(PRIOR_SD)))
        self.prior_mean = nn.Parameter(torch.zeros(self.size))
        self.log_noise = nn.Parameter(torch.tensor(math.log(NOISE_SD)))
        with torch.no_grad():
            self.prior_mean[(width - 1) * self.places] = quality

    def start(self, users: int) -> tuple[Tensor, Tensor]:
        """Mean `(users, D)` and covariance `(users, D, D)` of users of whom nothing is known."""
        mean, covariance = self.prior_mean, torch.diag((2 * self.log_sd).exp())
        return mean.expand(users, -1), covariance.expand(users, -1, -1)

    def absorb(
        self, mean: Tensor, covariance: Tensor, item: Tensor, feedback: Tensor, weight: Tensor,
        context: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Learn from the feedback on one item.

        Args:
            mean: `(users, D)`.
            covariance: `(users, D, D)`.
            item: its numbers and 1, `(users, width + 1)`.
            feedback: `(users,)`.
            weight: 1 to learn, 0 to leave the row as it is, `(users,)`.
            context: in which it was shown, `(users, contexts)`; None where there is none.
        """
        if self.places > 1:
            item = (item[:, :, None] * _with_one(context)[:, None]).flatten(1)
        loading = torch.cat([item, item], -1)
        spread = (covariance @ loading[:, :, None])[:, :, 0]
        variance = (loading * spread).sum(-1)
        centre = (loading * mean).sum(-1)
        if self.clicks:
            shrink = (1 + math.pi / 8 * variance).rsqrt()
            chance = torch.sigmoid(shrink * centre)
            step, curvature = shrink * (feedback - chance), shrink**2 * chance * (1 - chance)
        else:
            curvature = 1 / (variance + (2 * self.log_noise).exp())
            step = (feedback - centre) * curvature
        mean = mean + (weight * step)[:, None] * spread
        scaled = (weight * curvature)[:, None] * spread
        return mean, torch.baddbmm(covariance, scaled[:, :, None], spread[:, None], alpha=-1)

    def pass_time(
        self, mean: Tensor, covariance: Tensor, log_elapsed: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The exact transition over a time, given as log(1 + seconds), `(users,)`."""
        days = torch.expm1(log_elapsed) / SECONDS_PER_DAY
        kept = torch.exp(-days[:, None] * self.log_rate.exp())
        fresh = (1 - kept**2) * (2 * self.log_sd).exp()
        mean = self.prior_mean + kept * (mean - self.prior_mean)
        covariance = covariance * (kept[:, :, None] @ kept[:, None])
        covariance.diagonal(dim1=-2, dim2=-1).add_(fresh)
        return mean, covariance

    def in_context(
        self, mean: Tensor, covariance: Tensor, context: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The belief about items' weights in a context.

        Args:
            mean: `(users, D)`.
            covariance: `(users, D, D)`.
            context: now, `(users, contexts)`.

        Returns:
            Mean `(users, 2 (width + 1))` and covariance of slow and fast parts.
        """
        if self.places == 1:
            return mean, covariance
        now = _with_one(context)
        rows = (covariance.unflatten(-1, (-1, self.places)) @ now[:, None, :, None])[..., 0]
        both = (rows.mT.unflatten(-1, (-1, self.places)) @ now[:, None, :, None])[..., 0]
        return (mean.unflatten(-1, (-1, self.places)) @ now[:, :, None])[..., 0], both

    def variance(self, covariance: Tensor, items: Tensor) -> Tensor:
        """Variance of the logit of items, given with a 1: `(..., items)` of `(items, width + 1)`.

        Items may be other ones for each user, `(users, items, width + 1)`. The covariance is that
        in the context, see `in_context`.
        """
        half = covariance.shape[-1] // 2
        slow, fast = covariance[..., :half, :], covariance[..., half:, :]
        whole = slow[..., :half] + slow[..., half:] + fast[..., :half] + fast[..., half:]
        products = (items[..., :, None] * items[..., None, :]).flatten(-2)
        return per_item(whole.flatten(-2), products).clamp(min=LEAST_VARIANCE)


def per_item(weights: Tensor, items: Tensor) -> Tensor:
    """Products of each user's weights with items, the same for all users or each user's own."""
    if items.ndim == 2:
        return weights @ items.T
    return (items @ weights[..., None])[..., 0]


def _with_one(context: Tensor | None) -> Tensor:
    assert context is not None, "a filter with contexts must be told the context"
    return torch.cat([torch.ones_like(context[:, :1]), context], 1)
