"""Randomness of a simulation: one stream for each question that chance answers.

Who the users are, how they respond, how they drift, when they come and go, and what the
catalogue offers are drawn from streams of their own. Two policies run with the same seed then
meet the same users with the same luck wherever they act alike (common random numbers).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from driftrec.envs.arrays import Array

BLOCK = 2048
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Stream:
    """Float32 draws from one seed, on the CPU by numpy and on a GPU by torch.

    Small requests are cut from a block drawn ahead, which spares the single environment most of
    the generator's cost per call. Torch on the CPU gets numpy's draws, so that both libraries
    simulate the same users. Draws are laid out with the first axis, the user, fastest in memory.
    """

    def __init__(self, seed: np.random.SeedSequence, xp: Any = np, device: Any = None) -> None:
        self._xp = xp
        self._device = device
        self._on_gpu = xp is not np and device is not None and "cpu" not in str(device)
        if self._on_gpu:
            import torch

            self._torch = torch.Generator(device)
            self._torch.manual_seed(int(seed.generate_state(1, np.uint64)[0] >> np.uint64(1)))
            return
        bits = np.random.SFC64(seed)
        self._normal = _Block(bits, _normal)
        self._uniform = _Block(bits, _uniform)

    def normal(self, *shape: int) -> Array:
        """Standard normal draws of the given shape, to about 6.6 standard deviations."""
        if self._on_gpu:
            import torch

            return torch.randn(shape, generator=self._torch, device=self._device)
        return self._shaped(self._normal, shape)

    def uniform(self, *shape: int) -> Array:
        """Draws uniform on [0, 1) of the given shape, multiples of 2^-24."""
        if self._on_gpu:
            import torch

            return torch.rand(shape, generator=self._torch, device=self._device)
        return self._shaped(self._uniform, shape)

    def _shaped(self, block: _Block, shape: tuple[int, ...]) -> Array:
        values = block.take(math.prod(shape)).reshape(shape[::-1]).T
        return values if self._xp is np else self._xp.asarray(values, device=self._device)


class _Block:
    """A queue of draws that is refilled a block at a time."""

    def __init__(
        self,
        bits: np.random.BitGenerator,
        transform: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        self._bits = bits
        self._transform = transform
        self._values = np.empty(0, np.float32)
        self._next = BLOCK

    def take(self, count: int) -> np.ndarray:
        end = self._next + count
        if end > BLOCK:
            if count > BLOCK // 4:
                return self._draw(count)
            self._values, end = self._draw(BLOCK), count
        self._next = end
        return self._values[end - count : end]

    def _draw(self, count: int) -> np.ndarray:
        pairs = (count + 1) // 2
        return self._transform(self._bits.random_raw(pairs).view(np.uint32))[:count]


def _uniform(bits: np.ndarray) -> np.ndarray:
    """Uniforms on [0, 1) from 32 random bits each, of which 24 fit a float32."""
    return (bits >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


def _normal(bits: np.ndarray) -> np.ndarray:
    """Standard normals from 32 random bits each, by the transform of Box and Muller (1958).

    Both numbers of a pair are used. In numpy this takes a third of the time of its own sampler,
    which draws one at a time.
    """
    signed = bits.view(np.int32).reshape(2, -1)
    radius = np.abs(signed[0].astype(np.float32)) * np.float32(2**-31) + np.float32(2**-32)
    radius = np.sqrt(np.float32(-2) * np.log(radius))
    angle = signed[1].astype(np.float32) * np.float32(np.pi * 2**-31)
    normals = np.empty(signed.shape, np.float32)
    np.multiply(radius, np.cos(angle), out=normals[0])
    np.multiply(radius, np.sin(angle), out=normals[1])
    return normals.reshape(-1)


class RandomStreams:
    """The streams of one simulation.

    Args:
        seed: an integer, or a sequence of them; every stream follows from it.
        xp: array namespace of the draws.
        device: where the draws live, for torch.

    Attributes:
        users: `numpy.random.Generator` for who the users are (drawn by numpy for every library).
        response: how they respond.
        drift: how they change.
        visits: when they leave and return.
    """

    def __init__(self, seed: int | list[int], xp: Any = np, device: Any = None) -> None:
        users, response, drift, visits, self._catalogue = np.random.SeedSequence(seed).spawn(5)
        self.users = np.random.default_rng(users)
        self.response = Stream(response, xp, device)
        self.drift = Stream(drift, xp, device)
        self.visits = Stream(visits, xp, device)

    @cached_property
    def catalogue(self) -> np.random.Generator:
        """For what the catalogue offers."""
        return np.random.default_rng(self._catalogue)


def keyed_uniform(keys: np.ndarray, count: int) -> np.ndarray:
    """`count` uniforms on (0, 1) for each key, a pure function of the key.

    Rare events (a new session, a life event) are drawn this way: a user's k-th session brings the
    same luck under every policy, whenever it happens. The bits are SplitMix64 (Steele, Lea and
    Flood 2014, "Fast splittable pseudorandom number generators", figure 15).

    Args:
        keys: integers, shape `(users,)`.
        count: draws for each key.

    Returns:
        float64, shape `(users, count)`.
    """
    steps = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
    start = _mix(np.asarray(keys).astype(np.uint64))
    bits = _mix(start[:, None] + steps[None, :])
    uniforms: np.ndarray = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    return uniforms


def keyed_normal(keys: np.ndarray, count: int) -> np.ndarray:
    """`count` standard normals for each key by the Box-Muller transform, shape `(users, count)`."""
    return normal_pairs(keyed_uniform(keys, 2 * ((count + 1) // 2)))[:, :count]


def normal_pairs(uniforms: np.ndarray) -> np.ndarray:
    """Standard normals, float32, from as many uniforms on (0, 1), `(users, even)`."""
    half = uniforms.shape[1] // 2
    uniforms = uniforms.astype(np.float32)
    radius = np.sqrt(np.float32(-2) * np.log(uniforms[:, :half]))
    angle = np.float32(2 * np.pi) * uniforms[:, half:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _mix(bits: np.ndarray) -> np.ndarray:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
