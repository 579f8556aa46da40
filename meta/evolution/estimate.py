"""From the fitness of perturbed weights to a direction: ranks, and the antithetic estimator."""

from __future__ import annotations

import torch
from torch import Tensor


def centred_ranks(values: Tensor) -> Tensor:
    """Ranks of numbers, brought to [-1/2, 1/2] with mean 0; equal numbers share their mean rank.

    Args:
        values: `(n,)`, two or more.
    """
    below = (values[None] < values[:, None]).sum(1)
    up_to = (values[None] <= values[:, None]).sum(1)
    rank = (below + up_to - 1).to(torch.float64) / 2
    return (rank / (len(values) - 1) - 0.5).to(values.dtype)


def weights_of(fitness: Tensor, ranks: bool) -> Tensor:
    """How much each perturbation counts, `(pairs,)`: positive where its own direction was better.

    The mean of a pair is what its users are like, and is taken off before ranks are given.

    Args:
        fitness: of both directions, `(pairs, 2)`.
        ranks: whether ranks count (Salimans et al. 2017, section 2), or amounts.
    """
    centred = fitness - fitness.mean(1, keepdim=True)
    shaped = centred_ranks(centred.flatten()).view_as(fitness) if ranks else centred
    return shaped[:, 0] - shaped[:, 1]


def ascent(weights: Tensor, noise: Tensor, sd: float) -> Tensor:
    """The antithetic estimate of the gradient of the fitness, smoothed by the noise, `(size,)`.

    Its mean over standard normal noise is the gradient of E f(x + sd e), which for a quadratic f is
    that of f itself (Nesterov and Spokoiny 2017, equation 26).

    Args:
        weights: see `weights_of`, `(pairs,)`.
        noise: `(pairs, size)`.
        sd: by which it was multiplied.
    """
    return weights @ noise / (2 * sd * len(weights))
