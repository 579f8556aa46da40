"""A start from which a few gradient steps reach the policy of any task."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from driftrec.meta.maml.episodes import Episodes
from driftrec.meta.maml.estimators import Estimator, differentiates, inner_loss
from driftrec.meta.maml.families import Family
from driftrec.meta.maml.policies import Adapted, Weights, adapted_names, outputs_of_tasks


class MetaPolicy(nn.Module):
    """The weights before adaptation, and the inner step that adapts them.

    Args:
        network: gives the outputs that the family reads.
        family: of the actions.
        adapted: which weights adapt to a task.
        inner_rate: length of the inner step.
        learn_rates: learn a rate for each adapted number (Meta-SGD, Li et al. 2017) at each step
            (Antoniou et al. 2019).
        steps: inner steps that have rates of their own; later ones take the last.
    """

    def __init__(
        self,
        network: nn.Module,
        family: Family,
        *,
        adapted: Adapted = "all",
        inner_rate: float = 0.1,
        learn_rates: bool = True,
        steps: int = 1,
    ) -> None:
        super().__init__()
        self.network = network
        self.family = family
        self.names = adapted_names(network, adapted)
        weights = dict(network.named_parameters())
        self.rates = nn.ParameterDict(
            {
                _key(name): nn.Parameter(
                    torch.full((steps, *weights[name].shape), inner_rate),
                    requires_grad=learn_rates,
                )
                for name in self.names
            }
        )

    def start(self, tasks: int) -> Weights:
        """The weights that adapt, for each task, `(tasks, ...)`."""
        weights = dict(self.network.named_parameters())
        return {name: weights[name].expand(tasks, *weights[name].shape) for name in self.names}

    def shared(self) -> Weights:
        """The weights that do not adapt."""
        return {
            name: weight
            for name, weight in self.network.named_parameters()
            if name not in self.names
        }

    def outputs(self, fast: Weights, inputs: Tensor) -> Tensor:
        """Outputs under each task's weights, `(tasks, ..., outputs)`."""
        return outputs_of_tasks(self.network, self.shared(), fast, inputs)

    def gradient(
        self, fast: Weights, episodes: Episodes, advantages: Tensor, estimator: Estimator
    ) -> Weights:
        """Gradient of each task's inner loss, for all tasks at once.

        Args:
            fast: weights of each task.
            episodes: played under these weights, or nearly.
            advantages: `(tasks, episodes, steps)`.
            estimator: how the gradient is to be differentiated in its turn.
        """
        shared = self.shared()

        def loss(weights: Weights, inputs: Tensor, actions: Tensor, *rest: Tensor) -> Tensor:
            outputs: Any = functional_call(self.network, {**shared, **weights}, (inputs,))
            return inner_loss(estimator, self.family.log_probability(outputs, actions), *rest)

        found: Weights = vmap(grad(loss))(
            fast,
            episodes.inputs,
            episodes.actions,
            episodes.log_probability,
            advantages,
            episodes.alive,
        )
        if differentiates(estimator):
            return found
        return {name: gradient.detach() for name, gradient in found.items()}

    def step(
        self,
        fast: Weights,
        episodes: Episodes,
        advantages: Tensor,
        estimator: Estimator,
        number: int = 0,
    ) -> Weights:
        """The weights after an inner step, the one `number` steps after the first.

        See `gradient` for the other arguments.
        """
        gradient = self.gradient(fast, episodes, advantages, estimator)
        rates = {name: self.rates[_key(name)] for name in fast}
        return {
            name: weights - rates[name][min(number, len(rates[name]) - 1)] * gradient[name]
            for name, weights in fast.items()
        }


def _key(name: str) -> str:
    return name.replace(".", "_")
