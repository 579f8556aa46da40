"""How MAML is trained on recommender users."""

from __future__ import annotations

from dataclasses import dataclass, field

from driftrec.meta.learner import LearnerConfig
from driftrec.meta.maml.rule import RuleConfig
from driftrec.meta.ppo import PPOConfig


@dataclass(frozen=True)
class MAMLConfig(LearnerConfig):
    """How MAML is trained. The defaults are tuned on the validation users of `DriftRec/Feed-v0`."""

    iterations: int = 16
    """Batches of trials to learn from."""
    users: int = 512
    """Users in a batch, over all workers; each plays one whole trial."""
    learning_rate: float = 0.01
    """Adam's step size at the start."""
    hidden: int = 32
    """Units of the layer between inputs and belief."""
    rule: RuleConfig = field(default_factory=RuleConfig)
    """How a user's own weights follow the user."""
    validate_every: int = 2
    """Iterations between two looks at the validation users."""
    ppo: PPOConfig = field(default_factory=lambda: PPOConfig(minibatches=16))
    """How the start is improved from a batch, over all rounds of the trials."""
    own_rate: float = 0.02
    """Share of the step size for what the policy adds to its belief; 1 without probes."""
    rule_rate: float = 4.0
    """Step size for the lengths of inner steps, in shares of the others'; ten times that for the
    logarithms of forgetting."""
    continuing: bool = True
    """A truncated trial is a longer story cut short: the value of its last observation follows."""
    probes: int = 32
    """Items a request whose true click probability the adapted belief is trained on; 0 to learn
    from rewards alone, through the inner steps."""
    expected_rewards: bool = True
    """Learn from each request's expected reward given the hidden state, and from the risk of losing
    users instead of the loss (see `driftrec.meta.never_lost`)."""
    sharpness: float = 4.0
    """The first policy draws items by softmax(sharpness * quality)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden < 1 or self.probes < 0:
            raise ValueError(
                "hidden must be at least 1 and probes not negative, got "
                f"{self.hidden} and {self.probes}"
            )
        if self.continuing and self.ppo.gamma >= 1:
            raise ValueError("gamma must be below 1 where trials are continuing, or values diverge")
