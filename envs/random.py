"""Randomness of a simulation: one stream for each question that chance answers.

Who the users are, how they respond, how they drift, when they come and go, and what the
catalogue offers are drawn from streams of their own. Two policies run with the same seed then
meet the same users with the same luck wherever they act alike (common random numbers).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from driftrec.envs.arrays import Array

BLOCK = 4096
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Stream:
    """Float32 draws from one seed, on the CPU by numpy and on a GPU by torch.

    Small requests are cut from a block drawn ahead, which spares the single environment most of
    the generator's cost per call. Torch on the CPU gets numpy's draws, so that both libraries
    simulate the same users.
    """

    def __init__(self, seed: np.random.SeedSequence, xp: Any = np, device: Any = None) -> None:
        self._xp = xp
        self._device = device
        self._generator = np.random.Generator(np.random.SFC64(seed))
        self._on_gpu = xp is not np and device is not None and "cpu" not in str(device)
        if self._on_gpu:
            import torch

            self._torch = torch.Generator(device)
            self._torch.manual_seed(int(seed.generate_state(1, np.uint64)[0] >> np.uint64(1)))
        self._blocks = {"normal": _Block(self._draw_normal), "uniform": _Block(self._draw_uniform)}

    def normal(self, *shape: int) -> Array:
        """Standard normal draws of the given shape."""
        return self._draw("normal", shape)

    def uniform(self, *shape: int) -> Array:
        """Draws uniform on [0, 1) of the given shape."""
        return self._draw("uniform", shape)

    def _draw(self, kind: str, shape: tuple[int, ...]) -> Array:
        if self._on_gpu:
            import torch

            draw = torch.randn if kind == "normal" else torch.rand
            return draw(shape, generator=self._torch, device=self._device)
        values = self._blocks[kind].take(shape)
        return values if self._xp is np else self._xp.asarray(values, device=self._device)

    def _draw_normal(self, count: int) -> np.ndarray:
        return self._generator.standard_normal(count, dtype=np.float32)

    def _draw_uniform(self, count: int) -> np.ndarray:
        return self._generator.random(count, dtype=np.float32)


class _Block:
    """A queue of draws that is refilled a block at a time."""

    def __init__(self, refill: Any) -> None:
        self._refill = refill
        self._values = np.empty(0, np.float32)
        self._next = 0

    def take(self, shape: tuple[int, ...]) -> np.ndarray:
        count = 1
        for length in shape:
            count *= length
        if count > BLOCK // 4:
            return self._refill(count).reshape(shape)
        if self._next + count > len(self._values):
            self._values, self._next = self._refill(BLOCK), 0
        start, self._next = self._next, self._next + count
        return self._values[start : self._next].reshape(shape)


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
        catalogue: `numpy.random.Generator` for what the catalogue offers.
    """

    def __init__(self, seed: int | list[int], xp: Any = np, device: Any = None) -> None:
        users, response, drift, visits, catalogue = np.random.SeedSequence(seed).spawn(5)
        self.users = np.random.default_rng(users)
        self.response = Stream(response, xp, device)
        self.drift = Stream(drift, xp, device)
        self.visits = Stream(visits, xp, device)
        self.catalogue = np.random.default_rng(catalogue)


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
    return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def keyed_normal(keys: np.ndarray, count: int) -> np.ndarray:
    """`count` standard normals for each key by the Box-Muller transform, shape `(users, count)`."""
    half = (count + 1) // 2
    uniform = keyed_uniform(keys, 2 * half)
    radius = np.sqrt(-2.0 * np.log(uniform[:, :half]))
    angle = 2.0 * np.pi * uniform[:, half:]
    pairs = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return pairs[:, :count].astype(np.float32)


def _mix(bits: np.ndarray) -> np.ndarray:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
