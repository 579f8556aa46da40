r"""Estimators of the meta-gradient: how an inner policy-gradient step is differentiated.

The inner step has the same value under each: its gradient is that of the policy gradient,
:math:`\sum_t \nabla \log\pi(a_t) A_t`. They differ in what the derivative of the step with respect
to the weights before it is taken to be.

========  ==========================================================================================
fomaml    The step's derivative is left out: first-order MAML (Finn et al. 2017, section 5.2).
naive     The surrogate :math:`\log\pi(a_t) A_t` is differentiated twice, as MAML-RL first did.
dice      The magic box of Foerster et al. (2018) with the advantages of Loaded DiCE (Farquhar et
          al. 2019, equation 9): right in expectation to any order.
e-maml    As naive, and the score of the data before adaptation times the return after it is added
          (Al-Shedivat et al. 2018; Stadie et al. 2018): the only one without bias.
promp     The likelihood ratio :math:`A_t \pi(a_t) / \pi_\text{old}(a_t)` (Rothfuss et al. 2019,
          section 4): DiCE without the products of scores of different steps, of less variance.
========  ==========================================================================================
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

Estimator = Literal["fomaml", "naive", "dice", "e-maml", "promp"]

ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)


def inner_loss(
    estimator: Estimator, log_probability: Tensor, old: Tensor, advantages: Tensor, alive: Tensor
) -> Tensor:
    """The loss whose gradient is one task's inner step: a mean over the steps that took place.

    Args:
        estimator: see the module.
        log_probability: of the actions under the weights to adapt, `(episodes, steps)`.
        old: the same under the weights that acted, without gradient.
        advantages: zero where there was no step, `(episodes, steps)`.
        alive: whether the step took place, booleans `(episodes, steps)`.
    """
    weights = alive / alive.sum().clamp(min=1)
    if estimator == "promp":
        ratio = torch.exp((log_probability - old) * alive)
        return -(weights * ratio * advantages).sum()
    if estimator == "dice":
        along = (log_probability * alive).cumsum(-1)
        return -(
            weights * (magic_box(along) - magic_box(along - log_probability)) * advantages
        ).sum()
    return -(weights * log_probability * advantages).sum()


def magic_box(log_probability: Tensor) -> Tensor:
    """One in value, while a derivative multiplies by the score (Foerster et al. 2018, eq. 6)."""
    return torch.exp(log_probability - log_probability.detach())


def differentiates(estimator: Estimator) -> bool:
    """Whether the inner step itself is differentiated."""
    return estimator != "fomaml"
