"""Many networks with weights of their own, run at once on users of their own."""

from __future__ import annotations

import copy
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from driftrec.envs.observation import Observation
from driftrec.meta.network import ActorCritic
from driftrec.meta.track import Track


class LoopedGRU(nn.Module):
    """`nn.GRU` of one layer out of plain operations, which `torch.func.vmap` can run stacked.

    Args:
        cell: whose parameters it takes, under the same names.
    """

    weight_ih_l0: Tensor
    weight_hh_l0: Tensor
    bias_ih_l0: Tensor
    bias_hh_l0: Tensor

    def __init__(self, cell: nn.RNNBase) -> None:
        super().__init__()
        for name, parameter in cell.named_parameters():
            self.register_parameter(name, parameter)

    def forward(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        """As `nn.GRU.forward`, for inputs `(requests, users, hidden)` and a state."""
        read = nn.functional.linear(inputs, self.weight_ih_l0, self.bias_ih_l0)
        outputs, now = [], self._without_layer(state)
        for step in read:
            now = self.step(step, now)
            outputs.append(now if isinstance(now, Tensor) else now[0])
        return torch.stack(outputs), self._with_layer(now)

    def step(self, read: Tensor, before: Tensor) -> Tensor:
        """One request (Cho et al. 2014, in PyTorch's form)."""
        recalled = nn.functional.linear(before, self.weight_hh_l0, self.bias_hh_l0)
        (reset, keep, new), (r, k, n) = read.chunk(3, -1), recalled.chunk(3, -1)
        fresh = torch.tanh(new + torch.sigmoid(reset + r) * n)
        return fresh + torch.sigmoid(keep + k) * (before - fresh)

    def _without_layer(self, state: Any) -> Any:
        return state[0]

    def _with_layer(self, state: Any) -> Any:
        return state[None]


class LoopedLSTM(LoopedGRU):
    """`nn.LSTM` of one layer out of plain operations."""

    def step(self, read: Tensor, before: Any) -> Any:
        """One request (Hochreiter and Schmidhuber 1997, in PyTorch's form)."""
        output, cell = before
        recalled = nn.functional.linear(output, self.weight_hh_l0, self.bias_hh_l0)
        into, forget, new, out = (read + recalled).chunk(4, -1)
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(into) * torch.tanh(new)
        return torch.sigmoid(out) * torch.tanh(cell), cell

    def _without_layer(self, state: Any) -> Any:
        return state[0][0], state[1][0]

    def _with_layer(self, state: Any) -> Any:
        return state[0][None], state[1][None]


def stackable(network: ActorCritic) -> ActorCritic:
    """A copy of a network whose recurrent cells are loops; its parameters have the same names."""
    twin = copy.deepcopy(network)
    for module in list(twin.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.GRU):
                setattr(module, name, LoopedGRU(child))
            elif isinstance(child, nn.LSTM):
                setattr(module, name, LoopedLSTM(child))
    return twin


class _Call(nn.Module):
    """Methods of a network as the forward pass that `functional_call` wants."""

    def __init__(self, network: ActorCritic) -> None:
        super().__init__()
        self.network = network

    def forward(self, method: str, *arguments: Any) -> Any:
        if method == "queries":
            return self.network.queries(arguments[0])
        if method == "start":
            return _as_dict(self.network.start(arguments[0]))
        inputs, known, track = self.network.know(arguments[0], Track(**arguments[1]))
        return inputs, known, _as_dict(track)


class StackedNetwork:
    """Networks of one shape that read trials and query items, each for its part of the users.

    To `driftrec.meta.rollout.collect` it is one network: the first users are the first network's.

    Args:
        twin: see `stackable`; what weights do not name is its own.
        weights: of all networks by name of the parameter, `(networks, ...)` each.
    """

    def __init__(self, twin: ActorCritic, weights: dict[str, Tensor]) -> None:
        self.shape, self.trunk = twin.shape, twin.trunk
        self._call = _Call(twin)
        self._weights = {f"network.{name}": stack for name, stack in weights.items()}
        self._networks = len(next(iter(weights.values())))

    def start(self, users: int) -> Track:
        """What is remembered of users of whom nothing is known."""
        each = users // self._networks
        track = vmap(lambda weights: self._one(weights, "start", each))(self._weights)
        return Track(**_flat(track))

    def know(self, observation: Observation, track: Track) -> tuple[Tensor, Tensor, Track]:
        """As `TrialNetwork.know`, of all networks' users in one batch."""
        seen = {name: torch.as_tensor(values) for name, values in observation.items()}
        inputs, known, after = vmap(
            lambda weights, seen, track: self._one(weights, "know", seen, track)
        )(self._weights, self._stacked(seen), self._stacked(_as_dict(track)))
        return inputs.flatten(0, 1), known.flatten(0, 1), Track(**_flat(after))

    def queries(self, known: Tensor) -> Tensor:
        """Queries over unscaled item features, `(users, width)`, of what is known."""
        stacked = self._stacked({"known": known})["known"]
        queries = vmap(lambda weights, known: self._one(weights, "queries", known))(
            self._weights, stacked
        )
        flat: Tensor = queries.flatten(0, 1)
        return flat

    def _one(self, weights: dict[str, Tensor], *arguments: Any) -> Any:
        # The fused kernels of attention know nothing of stacks; the plain one does.
        with sdpa_kernel(SDPBackend.MATH):
            return functional_call(self._call, weights, arguments)

    def _stacked(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value.unflatten(0, (self._networks, -1)) for name, value in values.items()}


def _flat(values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.flatten(0, 1) for name, value in values.items()}


def _as_dict(track: Track) -> dict[str, Tensor]:
    return {item.name: getattr(track, item.name) for item in fields(Track)}
