"""Randomness of a simulation: one stream for each question that chance answers.

Who the users are, how they respond, how they drift, when they come and go, and what the
catalogue offers are drawn from streams of their own. Two policies run with the same seed then
meet the same users with the same luck wherever they act alike (common random numbers).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, cached_property
from statistics import NormalDist
from typing import Any

import numpy as np

from driftrec.envs.arrays import Array

AHEAD = 64
"""Most requests for draws that are met ahead."""

BLOCK = 8192
"""Most draws that are made ahead."""

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""The step of SplitMix64; its shifts and factors are below."""
# Arrays of no axes: with them numpy computes in half the time that it takes with scalars.
_TO_24_BITS = np.array(8, np.uint32)
_PER_24_BITS = np.array(2**-24, np.float32)
_HALF_A_CELL = np.array(2**-25, np.float32)
_ONE = np.array(1, np.float32)
SHIFTS = tuple(np.array(bits, np.uint64) for bits in (30, 27, 31))
FACTORS = tuple(np.array(x, np.uint64) for x in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


class Stream:
    """Float32 draws from one seed, on the CPU by numpy and on a GPU by torch.

    Small requests are drawn ahead many at a time, which spares the single environment most of the
    generator's cost per call. Torch on the CPU gets numpy's draws, so that both libraries
    simulate the same users. Draws are laid out with the first axis, the user, fastest in memory.
    """

    def __init__(self, seed: np.random.SeedSequence, xp: Any = np, device: Any = None) -> None:
        self._device = device
        self._on_gpu = xp is not np and device is not None and "cpu" not in str(device)
        if self._on_gpu:
            import torch

            self._torch = torch.Generator(device)
            self._torch.manual_seed(int(seed.generate_state(1, np.uint64)[0] >> np.uint64(1)))
            return
        bits = np.random.SFC64(seed)
        self._normal = _Queue(bits, normals_of, 4, xp)
        self._uniform = _Queue(bits, uniforms_of, 2, xp)
        self._logistic = _Queue(bits, logistics_of, 2, xp)

    def normal(self, *shape: int) -> Array:
        """Standard normal draws of the given shape, by numpy as `normals_of` says."""
        if self._on_gpu:
            import torch

            return torch.randn(shape, generator=self._torch, device=self._device)
        return self._normal.take(shape)

    def uniform(self, *shape: int) -> Array:
        """Draws uniform on [0, 1) of the given shape, multiples of 2^-24."""
        if self._on_gpu:
            import torch

            return torch.rand(shape, generator=self._torch, device=self._device)
        return self._uniform.take(shape)

    def logistic(self, *shape: int) -> Array:
        """Standard logistic draws: the logits of what `uniform` would have drawn."""
        if self._on_gpu:
            import torch

            uniform = torch.rand(shape, generator=self._torch, device=self._device)
            return torch.logit(uniform, eps=2**-25)
        return self._logistic.take(shape)


class _Queue:
    """Arrays of draws of one shape, drawn ahead."""

    def __init__(
        self,
        bits: np.random.BitGenerator,
        transform: Callable[[np.ndarray], np.ndarray],
        draws_per_word: int,
        xp: Any,
    ) -> None:
        self._bits = bits
        self._transform = transform
        self._draws_per_word = draws_per_word
        self._xp = xp
        self._shape: tuple[int, ...] = ()
        self._ready: list[Array] = []

    def take(self, shape: tuple[int, ...]) -> Array:
        if shape != self._shape or not self._ready:
            self._refill(shape)
        return self._ready.pop()

    def _refill(self, shape: tuple[int, ...]) -> None:
        size = math.prod(shape)
        arrays = max(1, min(AHEAD, BLOCK // max(size, 1)))
        words = self._bits.random_raw(-(-arrays * size // self._draws_per_word))
        draws = self._transform(words)[: arrays * size].reshape(arrays, *shape[::-1])
        ready = [array.T for array in draws[::-1]]
        self._shape = shape
        self._ready = ready if self._xp is np else [self._xp.asarray(array) for array in ready]


def uniforms_of(words: np.ndarray) -> np.ndarray:
    """Two uniforms on [0, 1) of each 64-bit word, float32 with 24 random bits, last axis twice."""
    return (words.view(np.uint32) >> _TO_24_BITS).astype(np.float32) * _PER_24_BITS


def logistics_of(words: np.ndarray) -> np.ndarray:
    """Two standard logistic draws of each 64-bit word, float32: the logits of `uniforms_of`.

    A uniform draw stands for its cell, of width 2^-24, and the logit is that of its middle: it is
    always finite, 17.3 at most.
    """
    uniform = uniforms_of(words)
    odds = uniform + _HALF_A_CELL
    odds /= _ONE - uniform - _HALF_A_CELL
    logits: np.ndarray = np.log(odds)
    return logits


def normals_of(words: np.ndarray) -> np.ndarray:
    """Four standard normals of each 64-bit word, float32, last axis four times as long.

    They take 65,536 equally likely values, which are quantiles of the normal distribution: its
    distribution function is met to within 2^-17, variance 1 exactly, and the largest value is 4.3.
    Numpy's own sampler is exact further out and takes five times as long, which would make it the
    largest cost of a step.
    """
    # No index of 16 bits lies outside of the table: to wrap around is quicker than to check.
    return quantiles().take(words.view(np.uint16), mode="wrap")


@cache
def quantiles() -> np.ndarray:
    """The 65,536 values that normal draws take, from the lowest."""
    upper = np.array([NormalDist().inv_cdf(0.5 + (k + 0.5) / 2**16) for k in range(2**15)])
    upper /= np.sqrt(np.mean(upper**2))
    return np.concatenate([-upper[::-1], upper]).astype(np.float32)


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
        self._seed = seed
        self.users = np.random.Generator(np.random.SFC64(self._seed_of(0)))
        self.response = Stream(self._seed_of(1), xp, device)
        self.drift = Stream(self._seed_of(2), xp, device)
        self.visits = Stream(self._seed_of(3), xp, device)

    @cached_property
    def catalogue(self) -> np.random.Generator:
        """For what the catalogue offers."""
        return np.random.default_rng(self._seed_of(4))

    def _seed_of(self, stream: int) -> np.random.SeedSequence:
        return np.random.SeedSequence(self._seed, spawn_key=(stream,))


def keyed_words(keys: np.ndarray, count: int) -> np.ndarray:
    """`count` random 64-bit words for each key, a pure function of the key, `(users, count)`.

    Rare events (a new session, a life event) are drawn this way: a user's k-th session brings the
    same luck under every policy, whenever it happens. The generator is SplitMix64 (Steele, Lea and
    Flood 2014, "Fast splittable pseudorandom number generators", figure 15).

    Args:
        keys: integers, shape `(users,)`.
        count: words for each key.
    """
    bits: np.ndarray = np.asarray(keys).astype(np.uint64)[:, None] + _steps(count)
    for shift, factor in zip(SHIFTS, FACTORS, strict=False):
        bits ^= bits >> shift
        bits *= factor
    bits ^= bits >> SHIFTS[2]
    return bits


@cache
def _steps(count: int) -> np.ndarray:
    return np.arange(1, count + 1, dtype=np.uint64) * GOLDEN
