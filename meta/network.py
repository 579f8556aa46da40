"""The recurrent network of RL²: memory over a trial, and heads that score any catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from driftrec.envs.observation import Observation

CLOCK_INPUTS = 5

SHARPNESS_RATE = 10.0
"""Share of the learning rate for the sharpness, whose size is of that order."""

RECENT_SECONDS = 600.0
"""Time in which an item that was shown falls out of what was shown recently."""

RECENT_SCALE = 0.1
"""Brings sums over some ten recent items to the size of one."""

HINTS = 2
"""Numbers about the hidden state that the critic reads; see `driftrec.meta.rollout.Trials`."""


@dataclass(frozen=True)
class NetworkShape:
    """Sizes of the network.

    Attributes:
        slate: items in a request.
        width: features of an item as agents see it.
        hidden: units of the GRU.
        horizon: requests in the longest trial, the unit of the time input; 0 for no time input.
        belief: whether the policy builds on a belief about the user.
    """

    slate: int
    width: int
    hidden: int
    horizon: int
    belief: bool = True


def recently_shown(observation: Observation, recent: Tensor) -> Tensor:
    """Features of the items shown lately, summed with weights that fall by time.

    Args:
        observation: a batch of observations, numpy or torch.
        recent: what this gave before the last request, `(users, width)`; zeros at first.

    Returns:
        Shape `(users, width)`.
    """
    seconds = torch.expm1(torch.as_tensor(observation["log_elapsed"]))
    shown = torch.as_tensor(observation["slate"]).sum(1)
    return (recent + shown) * torch.exp(-seconds / RECENT_SECONDS)


def network_inputs(
    observation: Observation, request: Tensor, recent: Tensor, shape: NetworkShape
) -> Tensor:
    """What the network reads before a request, `(users, inputs)`.

    Features of the items shown last weighted by their feedback and by its complement, those of
    items shown recently, the feedback itself, and the clock: new user, new session, time since,
    position, time in the trial.

    Args:
        observation: a batch of observations, numpy or torch.
        request: requests so far in the trial, `(users,)`.
        recent: see `recently_shown`, `(users, width)`.
        shape: sizes of the network.
    """
    slate = torch.as_tensor(observation["slate"])
    feedback = torch.as_tensor(observation["feedback"])
    clicked = torch.einsum("usw,us->uw", slate, feedback)
    shown = slate.sum(1)
    time = request[:, None] / shape.horizon if shape.horizon else torch.zeros(len(request), 1)
    clock = [
        torch.as_tensor(observation["new_user"]),
        torch.as_tensor(observation["new_session"]),
        torch.as_tensor(observation["log_elapsed"]) / 10,
        torch.as_tensor(observation["position"]) / 20,
        time,
    ]
    return torch.cat([clicked, shown - clicked, recent, feedback, *clock], 1)


class RecurrentNetwork(nn.Module):
    """Inputs, GRU, layer norm; then a query and a belief over items, and a value.

    The query scores items by its product with their features, so a catalogue that was not there
    in training can be scored. The belief predicts logits of clicks the same way: it is trained on
    users' true click probabilities, which are known in training alone (task inference by
    privileged labels: Humplik et al. 2019). The policy's query is the belief, each feature at a
    learned sharpness, plus a part of its own; without a belief it is the latter alone. No gradient
    flows from the policy to the belief's head: it would bend the belief to the noise of rewards.

    Args:
        shape: sizes.
        scale: multiplies each item feature, `(width,)`, so that features have unit variance.
        sharpness: of the policy at the start: it draws by softmax(sharpness * quality).
    """

    scale: Tensor

    def __init__(self, shape: NetworkShape, scale: Tensor, sharpness: float = 4.0) -> None:
        super().__init__()
        self.shape = shape
        inputs = 3 * shape.width + shape.slate + CLOCK_INPUTS
        known = shape.hidden + shape.width
        self.register_buffer("scale", scale)
        self.encoder = nn.Linear(inputs, shape.hidden)
        self.memory = nn.GRU(shape.hidden, shape.hidden)
        self.norm = nn.LayerNorm(shape.hidden)
        self.belief = nn.Linear(known, shape.width + 1)
        self.query = nn.Linear(known, shape.width)
        self.value = nn.Linear(known + HINTS, 1)
        self.sharpness = nn.Parameter(torch.full((shape.width,), sharpness))
        self._initialise(sharpness)

    def _initialise(self, sharpness: float) -> None:
        for name, weight in self.memory.named_parameters():
            if "weight" in name:
                for gate in weight.chunk(3):
                    nn.init.orthogonal_(gate)
            else:
                nn.init.zeros_(weight)
        for layer, gain in (
            (self.encoder, 1.0),
            (self.belief, 0.01),
            (self.query, 0.01),
            (self.value, 1.0),
        ):
            nn.init.orthogonal_(layer.weight, gain)
            nn.init.zeros_(layer.bias)
        quality = self.shape.width - 1
        with torch.no_grad():
            self.belief.bias[quality] = 1 / self.scale[quality]
            if not self.shape.belief:
                self.query.bias[quality] = sharpness / self.scale[quality]

    def parameter_groups(self, own_rate: float) -> list[dict[str, Any]]:
        """Parameters for an optimiser, with the share of the learning rate that each group takes.

        Args:
            own_rate: share for what the policy adds to a belief.
        """
        if not self.shape.belief:
            return [{"params": list(self.parameters()), "share": 1.0}]
        own, sharpness = list(self.query.parameters()), [self.sharpness]
        numbers = {id(parameter) for parameter in own + sharpness}
        others = [parameter for parameter in self.parameters() if id(parameter) not in numbers]
        return [
            {"params": others, "share": 1.0},
            {"params": own, "share": own_rate},
            {"params": sharpness, "share": SHARPNESS_RATE},
        ]

    def start(self, users: int) -> Tensor:
        """Memory of users of whom nothing is known, `(users, hidden)`."""
        return self.encoder.weight.new_zeros(users, self.shape.hidden)

    def remember(self, inputs: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Run the memory over requests.

        Args:
            inputs: `(requests, users, inputs)`, features unscaled.
            memory: `(users, hidden)`.

        Returns:
            What is known before each request, `(requests, users, hidden + width)` (memory, and
            what was shown recently), and the last memory.
        """
        width = self.shape.width
        scale = torch.cat([self.scale, self.scale, RECENT_SCALE * self.scale])
        features = inputs[..., : 3 * width] * scale
        encoded = self.encoder(torch.cat([features, inputs[..., 3 * width :]], -1))
        outputs, last = self.memory(nn.functional.silu(encoded), memory[None])
        return torch.cat([self.norm(outputs), features[..., 2 * width :]], -1), last[0]

    def queries(self, known: Tensor) -> Tensor:
        """The policy's query over unscaled item features, `(..., width)`."""
        query: Tensor = self.query(known)
        if self.shape.belief:
            query = query + self.sharpness * self.belief(known)[..., :-1].detach()
        return query * self.scale

    def click_logits_of(self, known: Tensor, features: Tensor) -> Tensor:
        """Belief about the logit of a click on a few items a request.

        Args:
            known: `(requests, users, hidden + width)`.
            features: unscaled item features, `(requests, probes, width)`.

        Returns:
            Shape `(requests, users, probes)`.
        """
        belief = self.belief(known)
        logits: Tensor = (belief[..., :-1] * self.scale) @ features.mT + belief[..., -1:]
        return logits

    def values(self, known: Tensor, hint: Tensor) -> Tensor:
        """Value of the rest of the trial, in units of the learner's return scale.

        Args:
            known: `(..., hidden + width)`.
            hint: what training alone knows of the user's hidden state, `(..., HINTS)`: the critic
                may read it, since it does not act (asymmetric actor-critic: Pinto et al. 2018).

        Returns:
            Shape `(...)`.
        """
        value: Tensor = self.value(torch.cat([known, hint], -1))[..., 0]
        return value
