"""Memories of a trial: recurrent cells, and a causal transformer with a bounded context."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

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
            memory: `(users, size)`, or None for users of whom nothing is known.

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

    What it keeps of a user are keys and values of each layer, oldest first, and how many of them
    count. Attention falls linearly with age, at a slope of its own for each head, which takes the
    place of positions (Press, Smith and Lewis 2022, "Train short, test long").

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
        self.size = layers * 2 * (window - 1) * hidden + 1
        self.blocks = nn.ModuleList(_Block(hidden, heads) for _ in range(layers))
        slopes = torch.tensor([2.0 ** (-8 * (head + 1) / heads) for head in range(heads)])
        self.register_buffer("slopes", slopes)

    def forward(self, inputs: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor]:
        """See `Memory.forward`."""
        requests, users, hidden = inputs.shape
        before = self.window - 1 if memory is not None else 0
        known = inputs.new_zeros(users) if memory is None else memory[:, -1]
        cache = inputs.new_zeros(users, len(self.blocks), 2, before, hidden)
        if memory is not None:
            cache = memory[:, :-1].reshape(cache.shape)
        bias = self._bias(requests, before, known)
        stream, kept = inputs.transpose(0, 1), []
        for layer, block in enumerate(self.blocks):
            stream, layer_cache = block(stream, cache[:, layer], bias)
            kept.append(self._last(layer_cache))
        count = (known + requests).clamp(max=self.window - 1)
        last = torch.cat([torch.stack(kept, 1).flatten(1), count[:, None]], 1)
        return stream.transpose(0, 1), last

    def _bias(self, requests: int, before: int, known: Tensor) -> Tensor:
        """What is added to attention: less with age, minus infinity out of reach.

        Shape `(users or 1, heads, requests, before + requests)`.
        """
        query = torch.arange(requests, device=known.device) + before
        key = torch.arange(before + requests, device=known.device)
        age = query[:, None] - key
        reach = (age >= 0) & (age < self.window)
        near = torch.where(reach, -age.to(self.slopes.dtype), -torch.inf)
        bias = (self.slopes[:, None, None] * near)[None]
        if not before:
            return bias
        there = key >= before - known[:, None]
        return bias.masked_fill(~there[:, None, None], -torch.inf)

    def _last(self, cache: Tensor) -> Tensor:
        """The newest keys and values, `(users, 2, window - 1, hidden)`, zeros before the first."""
        keep = self.window - 1
        missing = keep - cache.shape[2]
        if missing > 0:
            cache = nn.functional.pad(cache, (0, 0, missing, 0))
        return cache[:, :, cache.shape[2] - keep :]


class _Block(nn.Module):
    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.norm = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.project = nn.Linear(hidden, 3 * hidden)
        self.mix = nn.Linear(hidden, hidden)
        self.feed = nn.Sequential(nn.Linear(hidden, 2 * hidden), nn.GELU(),
                                  nn.Linear(2 * hidden, hidden))  # fmt: skip

    def forward(self, stream: Tensor, cache: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Attend and feed forward, `(users, requests, hidden)`; with the longer cache."""
        query, key, value = self.project(self.attention_norm(stream)).chunk(3, -1)
        cache = torch.cat([cache, torch.stack([key, value], 1)], 2)
        heads = (-1, self.heads, stream.shape[-1] // self.heads)
        keys, values = (part.unflatten(-1, heads[1:]).transpose(1, 2) for part in cache.unbind(1))
        attended = nn.functional.scaled_dot_product_attention(
            query.unflatten(-1, heads[1:]).transpose(1, 2), keys, values, attn_mask=bias
        )
        stream = stream + self.mix(attended.transpose(1, 2).flatten(2))
        return stream + self.feed(self.norm(stream)), cache


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
