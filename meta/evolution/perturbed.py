"""The weights that evolution strategies perturb and move, as one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from driftrec.meta.network import ActorCritic


class Perturbed:
    """All parameters of a network that its actions hang on: all but the critic's.

    Each is perturbed in proportion to the share of the step that the optimiser gives it: the
    estimate is that of a network whose weights are measured in these units.

    Args:
        optimiser: its groups have the parameters, and the `share` of each.
        network: what the parameters belong to.

    Attributes:
        size: numbers in the vector.
    """

    def __init__(self, optimiser: torch.optim.Optimizer, network: ActorCritic) -> None:
        critic = {id(parameter) for parameter in network.value.parameters()}
        names = {id(parameter): name for name, parameter in network.named_parameters()}
        self._parts: list[tuple[str, nn.Parameter, float]] = [
            (names[id(parameter)], parameter, group["share"])
            for group in optimiser.param_groups
            for parameter in group["params"]
            if id(parameter) not in critic
        ]
        self._sizes = [parameter.numel() for _, parameter, _ in self._parts]
        self.size = sum(self._sizes)

    def noise(self, seed: int, pairs: int) -> Tensor:
        """Standard normal perturbations, `(pairs, size)`; the same for the same seed."""
        return torch.randn(pairs, self.size, generator=torch.Generator().manual_seed(seed))

    def weights(self, offsets: Tensor) -> dict[str, Tensor]:
        """The parameters by name, moved by each row of offsets: `(rows, ...)` each.

        Args:
            offsets: `(rows, size)`, in units of the shares.
        """
        pieces = offsets.split(self._sizes, dim=1)
        return {
            name: parameter.detach() + share * piece.reshape(-1, *parameter.shape)
            for (name, parameter, share), piece in zip(self._parts, pieces, strict=True)
        }

    def set_gradients(self, gradient: Tensor) -> None:
        """Give each parameter its part of a gradient, `(size,)`, for the optimiser to step by."""
        pieces = gradient.split(self._sizes)
        for (_, parameter, _), piece in zip(self._parts, pieces, strict=True):
            parameter.grad = piece.view_as(parameter).clone()
