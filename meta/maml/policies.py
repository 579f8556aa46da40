"""A network whose weights differ from task to task, and which of them do."""

from __future__ import annotations

import itertools
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

Weights = dict[str, Tensor]
"""Parameters by name; where they belong to tasks, the first axis is the task."""

Adapted = Literal["all", "head", "context"]
"""What adapts to a task: all weights (MAML, Finn et al. 2017), the last layer (ANIL, Raghu et al.
2020), or a context vector beside the inputs (CAVIA, Zintgraf et al. 2019)."""


LOG_SD_RANGE = (-4.0, 1.0)
"""Where log standard deviations are held, so that no inner step makes a policy deterministic."""


class Perceptron(nn.Module):
    """Hidden layers of tanh, and a linear head.

    Args:
        inputs: numbers read.
        outputs: numbers given.
        hidden: units of each hidden layer.
        context: length of a vector of parameters that is read beside the inputs.
        spread: how many log standard deviations to append to the outputs, as `Gaussian` reads.
        log_sd: their first value.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: tuple[int, ...] = (64, 64),
        *,
        context: int = 0,
        spread: int = 0,
        log_sd: float = 0.0,
    ) -> None:
        super().__init__()
        sizes = [inputs + context, *hidden]
        pairs = itertools.pairwise(sizes)
        layers = [nn.Linear(before, after) for before, after in pairs]
        self.body = nn.ModuleList(layers)
        self.head = nn.Linear(sizes[-1], outputs)
        self.context = nn.Parameter(torch.zeros(context)) if context else None
        self.log_sd = nn.Parameter(torch.full((spread,), log_sd)) if spread else None
        for layer in layers:
            nn.init.orthogonal_(layer.weight, 2**0.5)
            nn.init.zeros_(layer.bias)
        nn.init.orthogonal_(self.head.weight, 0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """From `(..., inputs)` to `(..., outputs + spread)`."""
        if self.context is not None:
            inputs = torch.cat([inputs, self.context.expand(*inputs.shape[:-1], -1)], -1)
        for layer in self.body:
            inputs = torch.tanh(layer(inputs))
        outputs: Tensor = self.head(inputs)
        if self.log_sd is None:
            return outputs
        log_sd = self.log_sd.clamp(*LOG_SD_RANGE)
        return torch.cat([outputs, log_sd.expand(*outputs.shape[:-1], -1)], -1)


def adapted_names(network: nn.Module, adapted: Adapted) -> list[str]:
    """Names of the parameters that adapt to a task.

    Raises:
        ValueError: if the network has nothing of that kind.
    """
    names = [name for name, _ in network.named_parameters()]
    chosen = {
        "all": [name for name in names if name != "context"],
        "head": [name for name in names if name.startswith("head.")],
        "context": [name for name in names if name == "context"],
    }
    if not chosen.get(adapted):
        raise ValueError(f"the network has nothing to adapt under {adapted!r}; it has {names}")
    return chosen[adapted]


def outputs_of_tasks(network: nn.Module, shared: Weights, fast: Weights, inputs: Tensor) -> Tensor:
    """Outputs under each task's own weights, `(tasks, ..., outputs)`.

    Args:
        network: whose shape the weights have.
        shared: weights that all tasks share.
        fast: weights of each task, first axis the task.
        inputs: `(tasks, ..., inputs)`.
    """

    def one(weights: Weights, values: Tensor) -> Tensor:
        result: Tensor = functional_call(network, {**shared, **weights}, (values,))
        return result

    answer: Tensor = vmap(one)(fast, inputs)
    return answer
