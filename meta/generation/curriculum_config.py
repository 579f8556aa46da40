"""How RL² is trained on a curriculum of users."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from driftrec.meta.checks import check_counts
from driftrec.meta.generation.gan import GANConfig
from driftrec.meta.generation.regret import ReferenceName
from driftrec.meta.generation.sources import check_shares
from driftrec.meta.generation.tilt import TiltConfig
from driftrec.meta.rl2_config import RL2Config


@dataclass(frozen=True)
class CurriculumConfig(RL2Config):
    """How RL² is trained on a curriculum of users."""

    smoke: ClassVar[dict[str, Any]] = RL2Config.smoke | {
        "fitted_users": 50, "gan": GANConfig(iterations=10), "refresh_every": 1, "regret_users": 16,
    }  # fmt: skip

    fitted_users: int = 300
    """Users fitted to a log; they are drawn from the population's `train` split."""
    fitted_share: float = 0.5
    """Share of the training users who are these."""
    generated_share: float = 0.25
    """Share who are drawn by a generator trained on the fitted ones."""
    adversarial_share: float = 0.25
    """Share who are proposed by the adversary."""
    gan: GANConfig = field(default_factory=GANConfig)
    """How the generator is trained."""
    tilt: TiltConfig = field(default_factory=TiltConfig)
    """How far the adversary may go."""
    reference: ReferenceName = "filter-ucb"
    """What the adversary's regret is measured against."""
    refresh_every: int = 10
    """Iterations between two proposals; before the first, those users are merely generated."""
    regret_users: int = 512
    """Users on whom regret is measured for a proposal, half of them generated and half proposed."""
    regret_rounds: int = 3
    """Latest measurements that a proposal goes by."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_shares(self.shares, 3)
        if self.fitted_users < 2:
            raise ValueError(f"fitted_users must be at least 2, got {self.fitted_users}")
        check_counts(self, "refresh_every", "regret_rounds")
        if self.regret_users < 2 or self.regret_users % (2 * self.workers):
            raise ValueError(
                f"regret_users ({self.regret_users}) must divide into two halves among "
                f"{self.workers} workers"
            )

    @property
    def shares(self) -> tuple[float, float, float]:
        """Of fitted, generated and proposed users."""
        return self.fitted_share, self.generated_share, self.adversarial_share
