"""What a network remembers of each user, and how an observation is read into it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from driftrec.envs import Population
from driftrec.envs.observation import Observation

CLOCK_INPUTS = 5

RECENT_SECONDS = 600.0
"""Time in which an item that was shown falls out of what was shown recently."""


@dataclass(frozen=True)
class NetworkShape:
    """Sizes of a network that reads trials.

    Attributes:
        slate: items in a request.
        width: features of an item as agents see it.
        hidden: units of the memory.
        horizon: requests in the longest trial, the unit of the time input; 0 for no time input.
        context: numbers of a user's public context.
        memory: "gru", "lstm" or "transformer".
        layers: of a transformer.
        window: requests that a transformer remembers.
        filter: whether a learned filter's belief is among the inputs.
        clicks: whether feedback is clicks, so that predictions are logits; else they are means.
    """

    slate: int
    width: int
    hidden: int
    horizon: int = 0
    context: int = 0
    memory: str = "gru"
    layers: int = 2
    window: int = 128
    filter: bool = False
    clicks: bool = True

    @classmethod
    def of(
        cls, population: Population, *, hidden: int, timed: bool = False, **options: object
    ) -> NetworkShape:
        """The shape for a population's users and items.

        Args:
            population: its catalogue, slate and feedback count.
            hidden: units of the memory.
            timed: whether the network sees the time in the trial.
            options: other attributes.
        """
        model = population.split("train").model
        return cls(
            slate=population.slate,
            width=population.split("train").catalogue.table.shape[1],
            hidden=hidden,
            horizon=population.max_requests if timed else 0,
            context=int(getattr(model, "context_size", 0)),
            clicks=tuple(model.feedback_range) == (0.0, 1.0),
            **options,  # type: ignore[arg-type]  # names and types are the attributes'
        )


@dataclass(slots=True)
class Track:
    """What is remembered of each user; the first axis of every array is the user.

    Attributes:
        memory: of the network, `(users, size)`.
        request: requests so far in the trial, `(users,)`.
        recent: features of items shown lately, with weights that fall by time, `(users, width)`.
        mean: of the filter's belief, `(users, D)`; D is 0 without a filter.
        covariance: of the filter's belief, `(users, D, D)`.
        context: public one before the last request, `(users, c)`; zeros at first.
    """

    memory: Tensor
    request: Tensor
    recent: Tensor
    mean: Tensor
    covariance: Tensor
    context: Tensor


def public_inputs(
    observation: Observation, track: Track, recent: Tensor, shape: NetworkShape
) -> Tensor:
    """What a network reads before a request, the filter's belief aside, `(users, inputs)`.

    Features of the items shown last weighted by their feedback and by its complement, those of
    items shown recently, the feedback itself, the clock (new user, new session, time since,
    position, time in the trial), and where there is a context, that of the last request and now.

    Args:
        observation: a batch of observations, numpy or torch.
        track: of the same users, before it is brought up to date.
        recent: see `recently_shown`, `(users, width)`.
        shape: sizes of the network.
    """
    like, request = recent, track.request
    slate = torch.as_tensor(observation["slate"], device=like.device)
    feedback = torch.as_tensor(observation["feedback"], device=like.device)
    clicked = torch.einsum("usw,us->uw", slate, feedback)
    shown = slate.sum(1)
    time = request[:, None] / shape.horizon if shape.horizon else torch.zeros_like(request)[:, None]
    clock = [
        torch.as_tensor(observation["new_user"], device=like.device),
        torch.as_tensor(observation["new_session"], device=like.device),
        torch.as_tensor(observation["log_elapsed"], device=like.device) / 10,
        torch.as_tensor(observation["position"], device=like.device) / 20,
        time,
    ]
    if shape.context:
        clock += [track.context, torch.as_tensor(observation["context"], device=like.device)]
    return torch.cat([clicked, shown - clicked, recent, feedback, *clock], 1)


def recently_shown(observation: Observation, recent: Tensor) -> Tensor:
    """Features of the items shown lately, summed with weights that fall by time.

    Args:
        observation: a batch of observations, numpy or torch.
        recent: what this gave before the last request, `(users, width)`; zeros at first.

    Returns:
        Shape `(users, width)`.
    """
    seconds = torch.expm1(torch.as_tensor(observation["log_elapsed"], device=recent.device))
    shown = torch.as_tensor(observation["slate"], device=recent.device).sum(1)
    return (recent + shown) * torch.exp(-seconds / RECENT_SECONDS)
