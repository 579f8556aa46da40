"""How a user's own weights follow the user: a gradient step a round, and forgetting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from driftrec.meta.checks import check_names
from driftrec.meta.maml.estimators import Estimator, differentiates, inner_loss
from driftrec.meta.maml.policies import Adapted, Weights, adapted_names
from driftrec.meta.maml.taste import TasteNetwork

Inner = Literal["clicks", "policy"]

SHARED = ("sharpness", "baseline.weight", "baseline.bias")
"""What no user has for their own."""

SMALLEST = 1e-6


@dataclass(frozen=True)
class RuleConfig:
    """The inner step, and what is kept of those before."""

    adapted: Adapted = "head"
    """What is a user's own: all weights, the head, or a context vector."""
    inner: Inner = "clicks"
    """What a step lowers: the click loss on the items shown (as in MeLU, Lee et al. 2019), or minus
    the clicks above a learned baseline times the log-probability of the slates."""
    estimator: Estimator = "promp"
    """How a step is differentiated; see `driftrec.meta.maml.estimators`. The click loss holds no
    policy: with it all but fomaml are the same exact derivative. With the policy loss naive and
    e-maml are the same: the score of the requests before a step times the rewards after it is in
    the outer advantages, which reach past steps, whatever the estimator."""
    every: int = 2
    """Requests in a round, after which comes a step; a ring of that many is remembered."""
    steps: int = 1
    """Inner steps a round, 1 to 3."""
    rate: float = 0.1
    """Length of a step at first."""
    learn_rates: bool = True
    """Learn the length of the step, and how it falls over rounds, for each adapted number."""
    curvature: bool = True
    """Learn a matrix over item features that turns the head's gradients (meta-curvature, Park and
    Oliva 2019): what is liked together is learnt together."""
    forget: float = 0.02
    """Share of what was adapted that is forgotten each round, at first."""
    forget_per_day: float = 0.1
    """Rate of forgetting by time, at first."""
    learn_forgetting: bool = True
    """Learn both for each adapted number."""

    def __post_init__(self) -> None:
        check_names(self, inner=Inner, adapted=Adapted, estimator=Estimator)
        if self.every < 1 or not 1 <= self.steps <= 3:
            raise ValueError(
                "every must be at least 1 and steps in [1, 3], got "
                f"every={self.every}, steps={self.steps}"
            )
        if not (0 <= self.forget < 1 and self.forget_per_day >= 0):
            raise ValueError(
                "forget must lie in [0, 1) and forget_per_day be 0 or more, got "
                f"{self.forget} and {self.forget_per_day}"
            )


class InnerRule(nn.Module):
    r"""The change of a user's weights from the start, :math:`\delta`, over rounds.

    .. math:: \delta \leftarrow e^{-\phi - \psi \cdot \text{days}} \left(\delta
        - \left(\alpha + \frac{\beta}{1 + \text{round}}\right) \nabla L(\theta + \delta)\right)

    Steps get shorter as in a filter whose certainty grows (:math:`\beta`), but never vanish where
    users drift (:math:`\alpha`), and what time undoes is forgotten (:math:`\phi, \psi`). All four
    are learned for each number that adapts (Meta-SGD, Li et al. 2017).

    Args:
        taste: the network whose weights are adapted.
        config: see `RuleConfig`.
    """

    def __init__(self, taste: TasteNetwork, config: RuleConfig) -> None:
        super().__init__()
        self.config = config
        self.names = [name for name in adapted_names(taste, config.adapted) if name not in SHARED]
        weights = dict(taste.named_parameters())
        self.sizes = [weights[name].numel() for name in self.names]
        self.shapes = [weights[name].shape for name in self.names]
        forget = -torch.log1p(torch.tensor(-config.forget))

        def full(value: float, learn: bool) -> nn.Parameter:
            return nn.Parameter(torch.full((sum(self.sizes),), value), requires_grad=learn)

        width = taste.head.out_features
        self.curvature = nn.Parameter(torch.eye(width), requires_grad=config.curvature)
        self.rate = full(config.rate, config.learn_rates)
        self.early = full(config.rate, config.learn_rates)
        self.forget = full(float(forget.clamp(min=SMALLEST).log()), config.learn_forgetting)
        by_day = max(config.forget_per_day, SMALLEST)
        self.forget_per_day = full(torch.tensor(by_day).log().item(), config.learn_forgetting)

    def weights(self, taste: TasteNetwork, change: Tensor) -> Weights:
        """Each user's own weights: start and change, `(users, ...)` by name."""
        start = dict(taste.named_parameters())
        parts = zip(self.names, change.split(self.sizes, 1), self.shapes, strict=True)
        return {name: start[name] + part.unflatten(1, shape) for name, part, shape in parts}

    def advance(
        self, taste: TasteNetwork, change: Tensor, inputs: Tensor, shown: Tensor,
        feedback: Tensor, days: Tensor, rounds: Tensor,
    ) -> Tensor:  # fmt: skip
        """The change after a round.

        Args:
            taste: whose weights are the start.
            change: `(users, adapted)`.
            inputs: what was read before each request of the round, `(users, every, inputs)`.
            shown: scaled features of the slates and a 1, `(users, every, slate, width + 1)`.
            feedback: on them, `(users, every, slate)`.
            days: that the round took, the pause after it included, `(users,)`.
            rounds: before this one, `(users,)`.
        """
        rate = self.rate + self.early / (1 + rounds[:, None])
        for _ in range(self.config.steps):
            slope = self.slope(taste, change, inputs, shown, feedback)
            change = change - rate * slope
        loss = self.forget.exp() + self.forget_per_day.exp() * days[:, None]
        return change * torch.exp(-loss)

    def slope(
        self, taste: TasteNetwork, change: Tensor, inputs: Tensor, shown: Tensor, feedback: Tensor
    ) -> Tensor:
        """Gradient of each user's loss to the own weights, turned, `(users, adapted)`."""
        loss = grad(self._loss_of_one(taste))
        found = vmap(loss)(self.weights(taste, change), inputs, shown, feedback)
        slope = torch.cat([self._turned(name, found[name]).flatten(1) for name in self.names], 1)
        return slope if differentiates(self.config.estimator) else slope.detach()

    def losses(
        self, taste: TasteNetwork, change: Tensor, inputs: Tensor, shown: Tensor, feedback: Tensor
    ) -> Tensor:
        """Each user's loss on a round, `(users,)`."""
        loss = vmap(self._loss_of_one(taste))
        found: Tensor = loss(self.weights(taste, change), inputs, shown, feedback)
        return found

    def _loss_of_one(self, taste: TasteNetwork) -> Callable[..., Tensor]:
        own = set(self.names)
        shared = {name: one for name, one in taste.named_parameters() if name not in own}
        of_round = self._click_loss if self.config.inner == "clicks" else self._policy_loss

        def loss(weights: Weights, read: Tensor, *rest: Tensor) -> Tensor:
            answer: Any = functional_call(taste, {**shared, **weights}, (read,))
            return of_round(taste, *answer, *rest)

        return loss

    def _turned(self, name: str, slope: Tensor) -> Tensor:
        """Gradients of the head, whose rows are item features, turned by the curvature."""
        if not (self.config.curvature and name.startswith("head.")):
            return slope
        turned: Tensor = torch.tensordot(slope, self.curvature, ([1], [1])).movedim(-1, 1)
        return turned

    def _click_loss(
        self, taste: TasteNetwork, belief: Tensor, hidden: Tensor, shown: Tensor, feedback: Tensor
    ) -> Tensor:
        """Cross-entropy of clicks, or half the squared error where feedback is not clicks.

        A squared error is divided by the squared length of what the head's weights are multiplied
        with (normalised least mean squares: Nagumo and Noda 1967): a step longer than 2 over that
        would go up, and steps diverge.
        """
        logits = (shown * belief[:, None, :]).sum(-1)
        if not taste.shape.clicks:
            length = shown.square().sum(-1) * (1 + hidden.square().sum(-1, keepdim=True))
            return 0.5 * ((logits - feedback).square() / length.detach()).mean()
        return (nn.functional.softplus(logits) - feedback * logits).mean()

    def _policy_loss(
        self, taste: TasteNetwork, belief: Tensor, hidden: Tensor, shown: Tensor, feedback: Tensor
    ) -> Tensor:
        """Policy gradient of the round's slates as drawn from the whole catalogue."""
        query = taste.sharpness * belief[:, :-1]
        everything = (query @ taste.items.mT).logsumexp(-1)
        log_probability = ((shown[..., :-1] * query[:, None, :]).sum(-1) - everything[:, None]).sum(
            1
        )
        advantage = (feedback - taste.expected(hidden, shown)).sum(1)
        alive = torch.ones_like(log_probability, dtype=torch.bool)
        return inner_loss(
            self.config.estimator,
            log_probability[None],
            log_probability.detach()[None],
            advantage[None],
            alive[None],
        )
