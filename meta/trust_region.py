"""Trust-region steps: as far along the natural gradient as the divergence allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters


@dataclass(frozen=True)
class TRPOConfig:
    """How a trust-region step is found (Schulman et al. 2015, appendix C)."""

    max_divergence: float = 0.01
    """Mean Kullback-Leibler divergence that a step may reach."""
    conjugate_iterations: int = 10
    """Iterations of conjugate gradients."""
    damping: float = 0.01
    """Added to the diagonal of the divergence's curvature."""
    backtracks: int = 12
    """Halvings of the step before it is given up."""


def trpo_step(
    parameters: Sequence[Tensor],
    measure: Callable[[], tuple[Tensor, Tensor]],
    config: TRPOConfig | None = None,
) -> dict[str, float]:
    """Move parameters to lower a loss, within a bound on the divergence from where they are.

    Args:
        parameters: are changed in place, or left as they were where no step helps.
        measure: gives loss and divergence at the parameters as they stand, both differentiable;
            the divergence must be 0 and flat at the start.
        config: see `TRPOConfig`.

    Returns:
        Loss before and after, divergence, and the share of the full step taken.
    """
    config = config or TRPOConfig()
    parameters = list(parameters)
    loss, divergence = measure()
    gradient = _flat(
        torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True), parameters
    )
    slope = _flat(
        torch.autograd.grad(divergence, parameters, create_graph=True, allow_unused=True),
        parameters,
    )

    def curvature(vector: Tensor) -> Tensor:
        product = torch.autograd.grad(
            slope @ vector, parameters, retain_graph=True, allow_unused=True
        )
        return _flat(product, parameters).detach() + config.damping * vector

    direction = conjugate_gradients(curvature, -gradient.detach(), config.conjugate_iterations)
    length = 0.5 * direction @ curvature(direction)
    full = direction * (config.max_divergence / length.clamp(min=1e-12)).sqrt()
    return _line_search(parameters, measure, full, loss.item(), config)


def conjugate_gradients(
    product: Callable[[Tensor], Tensor], right: Tensor, iterations: int, tolerance: float = 1e-10
) -> Tensor:
    """Solve `product(x) = right` for a positive definite product (Hestenes and Stiefel 1952)."""
    solution, residual = torch.zeros_like(right), right.clone()
    direction, norm = right.clone(), right @ right
    for _ in range(iterations):
        if norm < tolerance:
            break
        along = product(direction)
        length = norm / (direction @ along)
        solution = solution + length * direction
        residual = residual - length * along
        norm, before = residual @ residual, norm
        direction = residual + norm / before * direction
    return solution


def _line_search(
    parameters: list[Tensor],
    measure: Callable[[], tuple[Tensor, Tensor]],
    full: Tensor,
    before: float,
    config: TRPOConfig,
) -> dict[str, float]:
    start = parameters_to_vector(parameters).detach().clone()
    for halving in range(config.backtracks):
        share = 0.5**halving
        vector_to_parameters(start + share * full, parameters)
        loss, divergence = (value.item() for value in measure())
        if loss < before and divergence <= config.max_divergence:
            return {"before": before, "after": loss, "divergence": divergence, "share": share}
    vector_to_parameters(start, parameters)
    return {"before": before, "after": before, "divergence": 0.0, "share": 0.0}


def _flat(tensors: Sequence[Tensor | None], like: Sequence[Tensor]) -> Tensor:
    """One vector; zeros stand for parameters that had no part."""
    pairs = zip(tensors, like, strict=True)
    return torch.cat(
        [(torch.zeros_like(own) if one is None else one).reshape(-1) for one, own in pairs]
    )
