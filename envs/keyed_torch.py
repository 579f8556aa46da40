"""Keyed randomness by torch: bit for bit what `driftrec.envs.random` draws by numpy.

Torch has no unsigned 64-bit arithmetic, but its signed integers wrap around in the same way; only
shifts to the right must be told to bring in zeros. Torch is imported when the first tensor comes.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from driftrec.envs.arrays import Array
from driftrec.envs.random import FACTORS, GOLDEN, SHIFTS, quantiles

_LOW_16, _LOW_32 = 0xFFFF, 0xFFFFFFFF


def keyed_words(keys: Array, count: int) -> Array:
    """As `driftrec.envs.random.keyed_words`, the bits in int64, on the device of the keys."""
    import torch

    steps = torch.arange(1, count + 1, device=keys.device)
    bits = keys[:, None].to(torch.int64) + steps * _signed(GOLDEN)
    for shift, factor in zip(SHIFTS, FACTORS, strict=False):
        bits = (bits ^ _shifted(bits, int(shift))) * _signed(factor)
    return bits ^ _shifted(bits, int(SHIFTS[2]))


def normals_of(words: Array) -> Array:
    """As `driftrec.envs.random.normals_of`: four standard normals of each word."""
    parts = [(words >> shift) & _LOW_16 for shift in (0, 16, 32, 48)]
    return _table(words.device)[_beside(parts)]


def uniforms_of(words: Array) -> Array:
    """As `driftrec.envs.random.uniforms_of`: two uniforms on [0, 1) of each word."""
    import torch

    halves = [((words >> shift) & _LOW_32) >> 8 for shift in (0, 32)]
    return _beside(halves).to(torch.float32) * 2**-24


def _beside(parts: list[Array]) -> Array:
    import torch

    return torch.stack(parts, dim=-1).flatten(1)


def _shifted(bits: Array, shift: int) -> Array:
    return (bits >> shift) & ((1 << (64 - shift)) - 1)


def _signed(value: Any) -> int:
    return int(np.uint64(value).astype(np.int64))


@cache
def _table(device: Any) -> Array:
    import torch

    return torch.from_numpy(quantiles()).to(device)
