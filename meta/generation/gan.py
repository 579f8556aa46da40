"""A generator trained against a discriminator: generative adversarial users."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from driftrec.meta.checks import check_counts
from driftrec.meta.generation.generator import SLOPE, Generator, Standardiser

CALIBRATION = 20_000
"""Generated users by which mean and variance are set."""


@dataclass(frozen=True)
class GANConfig:
    """How a generator of users is trained (WGAN-GP: Gulrajani et al. 2017, algorithm 1)."""

    latent: int = 32
    """Numbers of noise a user."""
    hidden: int = 96
    """Units of each of two hidden layers, in generator and critic alike."""
    iterations: int = 1000
    """Steps of the generator."""
    critic_steps: int = 3
    """Steps of the critic for each of them."""
    batch: int = 128
    """Users in a step."""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it falls to 0 linearly."""
    penalty: float = 3.0
    """Weight of the gradient penalty, which keeps the critic's slope near 1."""
    averaging: float = 0.995
    """The generator that is kept is a moving average that forgets by this factor a step."""

    def __post_init__(self) -> None:
        check_counts(self, "latent", "hidden", "iterations", "critic_steps", "batch")
        if self.learning_rate <= 0 or self.penalty < 0 or not 0 <= self.averaging < 1:
            raise ValueError(
                "learning_rate must be positive, penalty not negative and averaging in [0, 1), got "
                f"{self.learning_rate}, {self.penalty} and {self.averaging}"
            )


class _GeneratorNetwork(nn.Module):
    def __init__(self, latent: int, hidden: int, size: int) -> None:
        super().__init__()
        self.body = _mlp(latent, hidden, size)
        self.skip = nn.Linear(latent, size, bias=False)
        nn.init.orthogonal_(self.skip.weight)
        nn.init.orthogonal_(self.body[-1].weight, 0.1)  # type: ignore[arg-type]  # a linear layer

    def forward(self, noise: Tensor) -> Tensor:
        """Standardised vectors, `(users, size)`."""
        made: Tensor = self.body(noise) + self.skip(noise)
        return made


def train_generator(vectors: np.ndarray, config: GANConfig, seed: int) -> Generator:
    """Train a generator to draw users like those given.

    Args:
        vectors: of real users, `(users, size)`.
        config: see `GANConfig`.
        seed: reproduces the result.

    Raises:
        ValueError: if there are fewer than two users, or all are alike.
    """
    units = Standardiser.of(vectors)
    real = torch.from_numpy(units.apply(vectors))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return _exported(_calibrated(_Game(real, config).play()), units)


class _Game:
    def __init__(self, real: Tensor, config: GANConfig) -> None:
        self.real, self.config = real, config
        size = real.shape[1]
        self.generator = _GeneratorNetwork(config.latent, config.hidden, size)
        self.average = _GeneratorNetwork(config.latent, config.hidden, size)
        self.average.load_state_dict(self.generator.state_dict())
        self.critic = _mlp(size, config.hidden, 1)
        self.optimisers = [
            torch.optim.Adam(network.parameters(), lr=config.learning_rate, betas=(0.0, 0.9))
            for network in (self.generator, self.critic)
        ]

    def play(self) -> _GeneratorNetwork:
        for iteration in range(self.config.iterations):
            for optimiser in self.optimisers:
                left = 1 - iteration / self.config.iterations
                optimiser.param_groups[0]["lr"] = self.config.learning_rate * left
            for _ in range(self.config.critic_steps):
                self._step(self.optimisers[1], self._critic_loss())
            self._step(self.optimisers[0], -self.critic(self._made()).mean())
            self._keep()
        return self.average

    def _made(self) -> Tensor:
        made: Tensor = self.generator(torch.randn(self.config.batch, self.config.latent))
        return made

    def _critic_loss(self) -> Tensor:
        rows = torch.randint(len(self.real), (self.config.batch,))
        real, made = self.real[rows], self._made().detach()
        share = torch.rand(self.config.batch, 1)
        between = (share * real + (1 - share) * made).requires_grad_()
        slope = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)[0]
        penalty = (slope.norm(dim=1) - 1).square().mean()
        distance = self.critic(real).mean() - self.critic(made).mean()
        loss: Tensor = self.config.penalty * penalty - distance
        return loss

    @staticmethod
    def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    @torch.no_grad()
    def _keep(self) -> None:
        pairs = zip(self.average.parameters(), self.generator.parameters(), strict=True)
        for kept, now in pairs:
            kept.lerp_(now, 1 - self.config.averaging)


def _mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.LeakyReLU(SLOPE),
        nn.Linear(hidden, hidden),
        nn.LeakyReLU(SLOPE),
        nn.Linear(hidden, outputs),
    )


@torch.no_grad()
def _calibrated(network: _GeneratorNetwork) -> _GeneratorNetwork:
    """Brings mean and variance of each number to those of the real users, 0 and 1.

    They are known better than a critic tells them; shapes and dependence stay as they were learnt.
    """
    spread, mean = torch.std_mean(network(torch.randn(CALIBRATION, network.skip.in_features)), 0)
    last = network.body[-1]
    assert isinstance(last, nn.Linear)
    last.bias.sub_(mean).div_(spread)
    for layer in (last, network.skip):
        layer.weight.div_(spread[:, None])
    return network


@torch.no_grad()
def _exported(network: _GeneratorNetwork, units: Standardiser) -> Generator:
    linear = [layer for layer in network.body if isinstance(layer, nn.Linear)]
    layers = [(layer.weight.T.numpy().copy(), layer.bias.numpy().copy()) for layer in linear]
    return Generator(units, network.skip.weight.T.numpy().copy(), layers)
