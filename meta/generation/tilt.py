"""Proposing users on whom regret is high, without leaving those that are plausible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from driftrec.meta.checks import check_counts
from driftrec.meta.generation.generator import Generator, Standardiser

POOL = 4096
"""Generated users by which the tilt is set."""

STEPS = 200
"""Of Adam, in which a regret model is fitted."""


@dataclass(frozen=True)
class TiltConfig:
    """How users are proposed, and how far they may lie from those that a generator draws."""

    kl: float = 0.5
    """Largest Kullback-Leibler divergence of the proposal from the generator, in nats."""
    candidates: int = 16
    """Generated users among whom one is chosen: none becomes so many times as likely as it was."""
    hidden: int = 32
    """Units of the network that predicts regret."""
    shrinkage: float = 0.03
    """Weight decay of that network, which is fitted to few and noisy regrets."""

    def __post_init__(self) -> None:
        if not self.kl >= 0 or self.shrinkage < 0:
            raise ValueError(
                f"kl and shrinkage must not be negative, got {self.kl} and {self.shrinkage}"
            )
        check_counts(self, "candidates", "hidden")


class RegretModel:
    """Predicts the regret on a user from the user's vector, by a small network.

    Args:
        units: of the vectors.
        vectors: of users whose regret was measured, `(users, size)`.
        regret: on them, `(users,)`.
        config: see `TiltConfig`.
        seed: of the network's start.
    """

    def __init__(
        self,
        units: Standardiser,
        vectors: np.ndarray,
        regret: np.ndarray,
        config: TiltConfig,
        seed: int,
    ) -> None:
        self._units = units
        inputs = torch.from_numpy(units.apply(vectors))
        wanted = torch.from_numpy(np.asarray(regret, np.float32))
        self._mean, self._spread = float(wanted.mean()), max(float(wanted.std()), 1e-8)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self._network = nn.Sequential(
                nn.Linear(inputs.shape[1], config.hidden), nn.SiLU(), nn.Linear(config.hidden, 1)
            )
        self._fit(inputs, (wanted - self._mean) / self._spread, config.shrinkage)

    def _fit(self, inputs: torch.Tensor, wanted: torch.Tensor, shrinkage: float) -> None:
        optimiser = torch.optim.AdamW(
            self._network.parameters(), lr=0.01, weight_decay=shrinkage / 0.01
        )
        for _ in range(STEPS):
            optimiser.zero_grad()
            nn.functional.mse_loss(self._network(inputs)[:, 0], wanted).backward()
            optimiser.step()

    @torch.no_grad()
    def predict(self, vectors: np.ndarray) -> np.ndarray:
        """Expected regret on users, `(users,)`."""
        standard = self._network(torch.from_numpy(self._units.apply(vectors)))[:, 0]
        predicted: np.ndarray = self._mean + self._spread * standard.numpy()
        return predicted


class TiltedSource:
    """The generator's users, chosen more often the more regret is expected on them.

    Among all distributions q within a divergence of the generator p, the expected regret is largest
    for q = p exp(regret / temperature) / Z, with the temperature at which KL(q || p) is just that
    divergence (Hu and Hong 2013, "Kullback-Leibler divergence constrained distributionally robust
    optimization", section 2): what policy gradients on a proposal with a KL bound converge to.
    Draws are by resampling among `candidates`, which keeps the density ratio below that number.

    Args:
        generator: what is tilted.
        regret: predicts it.
        config: see `TiltConfig`.
        seed: of the users by whom the temperature is set.

    Attributes:
        temperature: in units of regret; infinite where nothing is to be gained, or allowed.
        kl: divergence from the generator, in nats, before candidates bound it further.
    """

    def __init__(
        self, generator: Generator, regret: RegretModel, config: TiltConfig, seed: int
    ) -> None:
        self.generator, self.regret, self.config = generator, regret, config
        pool = regret.predict(generator.draw(POOL, np.random.default_rng([seed, POOL])))
        self.temperature = temperature_for(pool, config.kl)
        self.kl = divergence(pool, self.temperature)

    def draw(self, users: int, rng: np.random.Generator) -> np.ndarray:
        """Vectors of proposed users, float32 `(users, size)`."""
        count = self.config.candidates
        vectors = self.generator.draw(users * count, rng)
        logits = self.regret.predict(vectors).reshape(users, count) / self.temperature
        # The largest of logits plus Gumbel noise is a draw by their softmax.
        chosen = (logits + rng.gumbel(size=logits.shape)).argmax(1)
        rows = vectors.reshape(users, count, vectors.shape[1])
        proposed: np.ndarray = rows[np.arange(users), chosen]
        return proposed


def divergence(scores: np.ndarray, temperature: float) -> float:
    """KL(q || p) in nats, for p uniform on the scores' owners and q by softmax(scores / T)."""
    logits = np.asarray(scores, np.float64) / temperature
    logits = logits - logits.max()
    weights = np.exp(logits)
    share = weights / weights.sum()
    return float((share * (logits - np.log(weights.mean()))).sum())


def temperature_for(scores: np.ndarray, kl: float) -> float:
    """The lowest temperature at which `divergence` does not exceed `kl`; infinite for no spread."""
    spread = float(np.ptp(scores))
    if spread < 1e-12 or kl == 0:
        return float("inf")
    low, high = 1e-4 * spread, 1e4 * spread
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if divergence(scores, middle) > kl else (low, middle)
    return high
