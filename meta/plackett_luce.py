"""Slates as Plackett-Luce draws over a catalogue: sampling and exact log-probability."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_LEAST = 1e-30


def sample_slate(logits: Tensor, slate: int, generator: torch.Generator | None = None) -> Tensor:
    """Draw items one after another without replacement, each by a softmax over those left.

    Each is drawn by inversion of the distribution function: one uniform number a user, which is
    several times cheaper than noise for every item.

    Args:
        logits: `(users, items)`; minus infinity for what must not be shown.
        slate: number of items to draw.
        generator: source of randomness.

    Returns:
        Item numbers in the order drawn, `(users, slate)`.

    Raises:
        FloatingPointError: if a logit is NaN or infinity, or too few items may be shown.
    """
    weights = (logits - logits.amax(1, keepdim=True)).exp_()
    drawn: list[Tensor] = []
    for _ in range(slate):
        upper = weights.cumsum(1)
        if not (upper[:, -1] > _LEAST).all():
            weights = _weights_left(logits, drawn)
            upper = weights.cumsum(1)
        # The factor keeps rounding from reaching past the last item that has a weight.
        uniform = torch.rand(len(logits), 1, generator=generator, device=logits.device) * (1 - 1e-6)
        item = torch.searchsorted(upper, uniform * upper[:, -1:], right=True)
        weights.scatter_(1, item, 0.0)
        drawn.append(item)
    return torch.cat(drawn, 1)


def _weights_left(logits: Tensor, drawn: list[Tensor]) -> Tensor:
    """Weights of the items left, anew: beside those that were drawn they were too small to tell."""
    left = logits.scatter(1, torch.cat(drawn, 1), -torch.inf) if drawn else logits
    weights = (left - left.amax(1, keepdim=True)).exp()
    if not torch.isfinite(weights).all():
        raise FloatingPointError(
            "logits of items must be finite, or minus infinity for those that must not be shown, "
            "with enough items left for a slate: lower the learning rate (or that of inner steps), "
            "or bring feedback and context to a size of about one"
        )
    return weights


def best_slate(logits: Tensor, slate: int) -> Tensor:
    """The most probable slate: the largest logits in descending order, `(users, slate)`."""
    if slate == 1:
        return logits.argmax(-1, keepdim=True)
    return logits.topk(slate, dim=-1).indices


def capped_slate(logits: Tensor, slate: int, topic: Tensor, cap: int) -> Tensor:
    """The largest logits with at most `cap` items of one topic, while there are others.

    Args:
        logits: `(users, items)`; minus infinity for what must not be shown.
        slate: items in a request.
        topic: of each item, whole numbers from 0, `(items,)`.
        cap: at least 1.

    Returns:
        Item numbers, those within the cap first, each part in descending order, `(users, slate)`.
    """
    late = torch.zeros_like(logits, dtype=torch.bool)
    for one in range(int(topic.max()) + 1):
        items = torch.nonzero(topic == one)[:, 0]
        if len(items) > cap:
            within = logits[:, items].topk(cap, dim=1).indices
            beyond = torch.ones(len(logits), len(items), dtype=torch.bool, device=logits.device)
            late[:, items] = beyond.scatter_(1, within, False)
    allowed = torch.isfinite(logits)
    highest = logits.where(allowed, -torch.inf).amax(1, keepdim=True)
    span = highest - logits.where(allowed, torch.inf).amin(1, keepdim=True) + 1
    return best_slate(logits - span * late, slate)


def slate_log_probability(
    query: Tensor,
    table: Tensor,
    slate: Tensor,
    banned: Tensor | None = None,
    *,
    with_entropy: bool = False,
) -> tuple[Tensor, Tensor]:
    """Log-probability of slates under logits `query @ table.T`, and entropy of the first draw.

    The gradient is taken in closed form (each draw gives its item's features minus their
    expectation over the items left), so that nothing as wide as the catalogue is kept for the
    backward pass. There is no gradient to the table, and no second derivative.

    Args:
        query: `(rows, width)`.
        table: features of the items, `(items, width)`.
        slate: item numbers in the order drawn, `(rows, slate)`.
        banned: true for items that could not be drawn, booleans `(rows, items)`.
        with_entropy: compute the entropy too; it is 0 otherwise.

    Returns:
        Log-probabilities and entropies, `(rows,)` each.
    """
    apply: Any = _SlateLogProbability.apply
    log_probability, entropy = apply(query, table, slate, banned, with_entropy)
    return log_probability, entropy


class _SlateLogProbability(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any,
        query: Tensor,
        table: Tensor,
        slate: Tensor,
        banned: Tensor | None,
        with_entropy: bool,
    ) -> tuple[Tensor, Tensor]:
        logits = query @ table.T
        chosen = logits.gather(1, slate)
        if banned is not None:
            logits.masked_fill_(banned, -torch.inf)
        top = logits.amax(1, keepdim=True)
        weights = logits.sub_(top).exp_()
        total = weights.sum(1, keepdim=True)
        mean = weights @ table / total
        entropy, entropy_slope = torch.zeros_like(total), torch.zeros_like(mean)
        if with_entropy:
            entropy, entropy_slope = _entropy(weights, total, mean, table)
        chosen_features = table[slate]
        if slate.shape[1] == 1:
            left, expected = total, mean[:, None, :]
        else:
            chosen_weights = (chosen - top).exp()
            left, expected = _after_each_draw(
                weights, chosen_weights, slate, chosen_features, table
            )
        log_probability = (chosen - top - left.log()).sum(1)
        slope = (chosen_features - expected).sum(1)
        context.save_for_backward(slope, entropy_slope)
        return log_probability, entropy[:, 0]

    @staticmethod
    @once_differentiable
    def backward(
        context: Any, probability_gradient: Tensor, entropy_gradient: Tensor
    ) -> tuple[Tensor, None, None, None, None]:
        slope, entropy_slope = context.saved_tensors
        gradient = probability_gradient[:, None] * slope + entropy_gradient[:, None] * entropy_slope
        return gradient, None, None, None, None


def _entropy(weights: Tensor, total: Tensor, mean: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """Entropy of the first draw, and its gradient -Cov(log weight, features) to the query."""
    weighted_logs = torch.xlogy(weights, weights)
    mean_log = weighted_logs.sum(1, keepdim=True) / total
    return total.log() - mean_log, mean_log * mean - weighted_logs @ table / total


def _after_each_draw(
    weights: Tensor, chosen_weights: Tensor, slate: Tensor, chosen_features: Tensor, table: Tensor
) -> tuple[Tensor, Tensor]:
    """Weight of the items left before each draw, and their expected features.

    Sums run from the items never drawn back to the first, which loses no digits.
    """
    rest = weights.scatter(1, slate, 0.0)
    rest_total, rest_features = rest.sum(1, keepdim=True), rest @ table
    left = rest_total + chosen_weights.flip(1).cumsum(1).flip(1)
    weighted = chosen_weights[:, :, None] * chosen_features
    features = rest_features[:, None, :] + weighted.flip(1).cumsum(1).flip(1)
    left = left.clamp(min=_LEAST)
    return left, features / left[:, :, None]
