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


def network_inputs(observation: Observation, request: Tensor, shape: NetworkShape) -> Tensor:
    """What the network reads before a request, `(users, inputs)`.

    Features of the items shown last weighted by their feedback and by its complement, the
    feedback itself, and the clock: new user, new session, time since, position, time in the trial.

    Args:
        observation: a batch of observations, numpy or torch.
        request: requests so far in the trial, `(users,)`.
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
    return torch.cat([clicked, shown - clicked, feedback, *clock], 1)


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
        inputs = 2 * shape.width + shape.slate + CLOCK_INPUTS
        self.register_buffer("scale", scale)
        self.encoder = nn.Linear(inputs, shape.hidden)
        self.memory = nn.GRU(shape.hidden, shape.hidden)
        self.norm = nn.LayerNorm(shape.hidden)
        self.belief = nn.Linear(shape.hidden, shape.width + 1)
        self.query = nn.Linear(shape.hidden, shape.width)
        self.value = nn.Linear(shape.hidden + HINTS, 1)
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
            What is known before each request, `(requests, users, hidden)`, and the last memory.
        """
        split = 2 * self.shape.width
        features = inputs[..., :split] * self.scale.repeat(2)
        encoded = self.encoder(torch.cat([features, inputs[..., split:]], -1))
        outputs, last = self.memory(nn.functional.silu(encoded), memory[None])
        return self.norm(outputs), last[0]

    def queries(self, known: Tensor) -> Tensor:
        """The policy's query over unscaled item features, `(..., width)`."""
        query: Tensor = self.query(known)
        if self.shape.belief:
            query = query + self.sharpness * self.belief(known)[..., :-1].detach()
        return query * self.scale

    def click_logits_of(self, known: Tensor, features: Tensor) -> Tensor:
        """Belief about the logit of a click on a few items a request.

        Args:
            known: `(requests, users, hidden)`.
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
            known: `(..., hidden)`.
            hint: what training alone knows of the user's hidden state, `(..., HINTS)`: the critic
                may read it, since it does not act (asymmetric actor-critic: Pinto et al. 2018).

        Returns:
            Shape `(...)`.
        """
        value: Tensor = self.value(torch.cat([known, hint], -1))[..., 0]
        return value
