"""Memories of a trial: recurrent cells, and a causal transformer with a bounded context."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, cast

import torch
from torch import Tensor, nn

MemoryName = Literal["gru", "lstm", "transformer"]


class Memory(nn.Module, ABC):
    """Reads a sequence of requests, and keeps what it needs of it in one vector a user.

    Args:
        hidden: units of inputs and outputs.

    Attributes:
        size: numbers kept of each user.
    """

    size: int

    @abstractmethod
    def forward(self, inputs: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor]:
        """Run over requests.

        Args:
            inputs: `(requests, users, hidden)`.
            memory: `(users, size)`, or None for users of whom nothing is known. It may be written
                into: give a copy of what is still needed.

        Returns:
            Outputs `(requests, users, hidden)`, and the last memory.
        """


class GRUMemory(Memory):
    """A gated recurrent unit (Cho et al. 2014), orthogonal at the start."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.size = hidden
        self.cell = nn.GRU(hidden, hidden)
        _orthogonal(self.cell, 3)

    def forward(self, inputs: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor]:
        """See `Memory.forward`."""
        outputs, last = self.cell(inputs, None if memory is None else memory[None])
        return outputs, last[0]


class LSTMMemory(Memory):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), orthogonal at the start.

    The forget gate starts open, with a bias of 1 (Jozefowicz et al. 2015).
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.size = 2 * hidden
        self.cell = nn.LSTM(hidden, hidden)
        _orthogonal(self.cell, 4)
        with torch.no_grad():
            dict(self.cell.named_parameters())["bias_ih_l0"][hidden : 2 * hidden] = 1.0

    def forward(self, inputs: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor]:
        """See `Memory.forward`."""
        state = None
        if memory is not None:
            output, cell = memory[None].chunk(2, -1)
            state = (output.contiguous(), cell.contiguous())
        outputs, (output, cell) = self.cell(inputs, state)
        return outputs, torch.cat([output[0], cell[0]], -1)


def _orthogonal(cell: nn.RNNBase, gates: int) -> None:
    for name, weight in cell.named_parameters():
        if "weight" in name:
            for gate in weight.chunk(gates):
                nn.init.orthogonal_(gate)
        else:
            nn.init.zeros_(weight)


class TransformerMemory(Memory):
    """A causal transformer over the last `window` requests, with cached keys and values.

    What it keeps of a user are keys and values of each layer, in a ring that a request overwrites
    at one place, and the number of requests so far. Attention falls linearly with age, at a slope
    of its own for each head, which takes the place of positions (Press, Smith and Lewis 2022,
    "Train short, test long").

    Args:
        hidden: units.
        layers: blocks of attention and feed-forward, each with its normalisation in front.
        heads: of each attention.
        window: requests that are remembered, the current one included.
    """

    slopes: Tensor

    def __init__(self, hidden: int, layers: int = 2, heads: int = 4, window: int = 128) -> None:
        super().__init__()
        if hidden % heads:
            raise ValueError(f"hidden ({hidden}) must be a multiple of the {heads} heads")
        self.window, self.heads = window, heads
        self.size = layers * 2 * window * hidden + 1
        self.blocks = nn.ModuleList(_Block(hidden, heads) for _ in range(layers))
        slopes = torch.tensor([2.0 ** (-8 * (head + 1) / heads) for head in range(heads)])
        self.register_buffer("slopes", slopes)

    def forward(self, inputs: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor]:
        """See `Memory.forward`."""
        if memory is None:
            return self._whole(inputs)
        outputs = []
        # Step by step is for acting; learning reads whole trials.
        with torch.no_grad():
            for request in inputs:
                output, memory = self._step(request, memory)
                outputs.append(output)
        return torch.stack(outputs), memory

    @property
    def _layers(self) -> list[_Block]:
        return cast(list[_Block], list(self.blocks))

    def _whole(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """A whole trial at once."""
        requests, users, hidden = inputs.shape
        place = torch.arange(requests, device=inputs.device)
        bias = self._bias((place[:, None] - place)[None])
        ring = inputs.new_zeros(users, len(self.blocks), 2, self.window, hidden)
        newest = place[-self.window :]
        stream = inputs.transpose(0, 1)
        for layer, block in enumerate(self._layers):
            query, key, value = block.projected(stream)
            stream = block.attend(stream, query, key, value, bias)
            ring[:, layer, 0, newest % self.window] = key[:, newest].detach()
            ring[:, layer, 1, newest % self.window] = value[:, newest].detach()
        count = inputs.new_full((users, 1), float(requests))
        return stream.transpose(0, 1), torch.cat([ring.flatten(1), count], 1)

    def _step(self, request: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """One request of users whose histories may differ in length; writes into the ring."""
        users, hidden = request.shape
        count = memory[:, -1].long()
        ring = memory[:, :-1].view(users, len(self.blocks), 2, self.window, hidden)
        now = count % self.window
        place = torch.arange(self.window, device=request.device)
        age = (now[:, None] - place) % self.window
        bias = self._bias(torch.where(age <= count[:, None], age, self.window)[:, None, None])
        row = torch.arange(users, device=request.device)
        stream = request[:, None]
        for layer, block in enumerate(self._layers):
            query, key, value = block.projected(stream)
            keys, values = ring[:, layer, 0], ring[:, layer, 1]
            keys[row, now], values[row, now] = key[:, 0], value[:, 0]
            stream = block.attend(stream, query, keys, values, bias)
        memory[:, -1] += 1
        return stream[:, 0], memory

    def _bias(self, age: Tensor) -> Tensor:
        """What is added to attention: less with age, minus infinity out of reach.

        Args:
            age: of each key at each request, `(..., 1, requests, keys)`.

        Returns:
            Shape `(..., heads, requests, keys)`.
        """
        reach = (age >= 0) & (age < self.window)
        near = torch.where(reach, -age.to(self.slopes.dtype), -torch.inf)
        return self.slopes[:, None, None] * near


class _Block(nn.Module):
    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.norm = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.project = nn.Linear(hidden, 3 * hidden)
        self.mix = nn.Linear(hidden, hidden)
        self.feed = nn.Sequential(nn.Linear(hidden, 2 * hidden), nn.GELU(),
                                  nn.Linear(2 * hidden, hidden))  # fmt: skip

    def projected(self, stream: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values, `(users, requests, hidden)` each."""
        projected: Tensor = self.project(self.attention_norm(stream))
        return projected.chunk(3, -1)

    def attend(
        self, stream: Tensor, query: Tensor, keys: Tensor, values: Tensor, bias: Tensor
    ) -> Tensor:
        """Attend and feed forward, `(users, requests, hidden)`."""
        heads = (self.heads, stream.shape[-1] // self.heads)
        split = [part.unflatten(-1, heads).transpose(1, 2) for part in (query, keys, values)]
        attended = nn.functional.scaled_dot_product_attention(
            split[0], split[1], split[2], attn_mask=bias
        )
        stream = stream + self.mix(attended.transpose(1, 2).flatten(2))
        fed: Tensor = stream + self.feed(self.norm(stream))
        return fed


def make_memory(name: str, hidden: int, *, layers: int = 2, window: int = 128) -> Memory:
    """The memory called `name`.

    Raises:
        ValueError: if there is none of that name.
    """
    if name == "gru":
        return GRUMemory(hidden)
    if name == "lstm":
        return LSTMMemory(hidden)
    if name == "transformer":
        return TransformerMemory(hidden, layers, window=window)
    raise ValueError(f"memory must be gru, lstm or transformer, got {name!r}")
