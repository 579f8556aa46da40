"""How RL² is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from driftrec.envs.rewards import reward_function
from driftrec.meta.ppo import PPOConfig
from driftrec.meta.schedules import LearningRate, ScheduleName


@dataclass(frozen=True)
class RL2Config:
    """How RL² is trained. The defaults are tuned on the validation users of `DriftRec/Feed-v0`."""

    iterations: int = 150
    """Batches of trials to learn from."""
    users: int = 1024
    """Users in a batch, over all workers; each plays one whole trial."""
    hidden: int = 96
    """Units of the GRU."""
    learning_rate: float = 3e-3
    """Adam's step size at the start."""
    own_rate: float = 0.02
    """Share of the step size for what the policy adds to its belief, which learns from rewards, far
    noisier than the belief's labels."""
    schedule: ScheduleName = "linear"
    """How the learning rate goes on: constant, linear, inverse-time, cosine or adaptive (on KL)."""
    target_kl: float = 0.01
    """Divergence an update that the adaptive schedule aims at."""
    ppo: PPOConfig = field(default_factory=PPOConfig)
    """How the policy is updated from a batch."""
    reward: str | dict[str, float] = "clicks"
    """Name of the reward, or weights of several."""
    unseen_only: bool = True
    """Never show an item twice to a user, while there are others."""
    continuing: bool = True
    """A truncated trial is a longer story cut short: the value of its last observation follows.
    If false, the trial's end is the end, and the network sees the time in the trial."""
    probes: int = 32
    """Items a request whose true click probability the belief is trained on; 0 for plain RL²."""
    expected_rewards: bool = True
    """Learn from each request's expected reward given the hidden state, known in training,
    instead of the reward that chance gave; and from the risk of losing users instead of the loss
    (see `driftrec.meta.never_lost`)."""
    sharpness: float = 4.0
    """The first policy draws items by softmax(sharpness * quality)."""
    validate_every: int = 10
    """Iterations between two looks at the validation users."""
    validation_users: int = 1000
    """Validation users, met with the same luck each time."""
    patience: int = 0
    """Stop after this many looks without a better one; 0 for never."""
    gradient_tolerance: float = 0.0
    """Stop when the gradient norm of an iteration falls below this; 0 for never."""
    workers: int = 1
    """Processes among which the users are divided."""
    seed: int = 0
    """Reproduces the run, together with the number of workers."""

    def __post_init__(self) -> None:
        for name in ("iterations", "users", "hidden", "validate_every", "workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.continuing and self.ppo.gamma >= 1:
            raise ValueError("gamma must be below 1 where trials are continuing, or values diverge")
        for name in ("probes", "patience", "gradient_tolerance", "validation_users"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if not 0 <= self.own_rate <= 1:
            raise ValueError(f"own_rate must lie in [0, 1], got {self.own_rate}")
        if self.users % self.workers:
            raise ValueError(f"users ({self.users}) must divide among {self.workers} workers")
        LearningRate(self.schedule, self.learning_rate, self.iterations)
        reward_function(self.reward)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RL2Config:
        """The config that `dataclasses.asdict` described.

        Raises:
            ValueError: if a field is unknown.
        """
        known = {item.name for item in fields(cls)}
        if unknown := set(values) - known:
            raise ValueError(f"RL2Config has no field {sorted(unknown)}")
        return cls(**{**values, "ppo": PPOConfig(**values["ppo"])})
