"""How RL² is trained."""

from __future__ import annotations

from dataclasses import dataclass, field

from driftrec.meta.checks import check_counts, check_fractions, check_names, check_not_negative
from driftrec.meta.heads import HeadName
from driftrec.meta.learner import LearnerConfig
from driftrec.meta.memories import MemoryName
from driftrec.meta.ppo import PPOConfig
from driftrec.meta.rl2_policy import RL2Policy


@dataclass(frozen=True)
class RL2Config(LearnerConfig):
    """How RL² is trained. The defaults are tuned on the validation users of `DriftRec/Feed-v0`."""

    hidden: int = 96
    """Units of the memory."""
    memory: MemoryName = "gru"
    """What remembers the trial: gru, lstm or transformer."""
    layers: int = 2
    """Of a transformer."""
    window: int = 128
    """Requests that a transformer remembers."""
    filter: bool = True
    """Give the memory the belief of a filter whose parameters are learnt too; see
    `driftrec.meta.learned_filter`. It needs probes."""
    head: HeadName = "linear"
    """What makes the query of what is known: linear, or a hypernetwork."""
    privileged_critic: bool = True
    """Whether the critic reads a hint about the hidden state, while training."""
    own_rate: float = 0.02
    """Share of the step size for what the policy adds to its belief, which learns from rewards, far
    noisier than the belief's labels."""
    ppo: PPOConfig = field(default_factory=PPOConfig)
    """How the policy is updated from a batch."""
    continuing: bool = True
    """A truncated trial is a longer story cut short: the value of its last observation follows.
    If false, the trial's end is the end, and the network sees the time in the trial."""
    probes: int = 32
    """Items a request whose true click probability the belief is trained on; 0 for plain RL²."""
    belief: bool = True
    """Whether the policy builds on the belief, and memory learns from belief and value alone; else
    the policy is all its own, and memory learns from its rewards. Without probes it is."""
    optimism: float = 0.0
    """Standard deviations of its filter by which a policy that builds on a belief overrates each
    weight: it starts as UCB does, and rewards move it from there."""
    expected_rewards: bool = True
    """Learn from each request's expected reward given the hidden state, known in training,
    instead of the reward that chance gave; and from the risk of losing users instead of the loss
    (see `driftrec.meta.never_lost`)."""
    sharpness: float = 4.0
    """The first policy draws items by softmax(sharpness * quality)."""
    acting: str = "greedy"
    """How the learned policy acts, on validation users too: greedy shows the most probable slate,
    sample draws it, as in training."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(self, "hidden", "layers", "window")
        check_names(self, memory=MemoryName, head=HeadName)
        if self.continuing and self.ppo.gamma >= 1:
            raise ValueError("gamma must be below 1 where trials are continuing, or values diverge")
        check_not_negative(self, "probes", "optimism", "sharpness")
        if self.acting not in RL2Policy.actings:
            raise ValueError(
                f"acting must be one of {', '.join(RL2Policy.actings)}; got {self.acting!r}"
            )
        if self.filter and not self.probes:
            raise ValueError("a filter learns from probes: set probes above 0, or filter=False")
        if self.optimism and not (self.filter and self.builds_on_belief):
            raise ValueError("optimism needs a filter, and a policy that builds on its belief")
        check_fractions(self, "own_rate")

    @property
    def builds_on_belief(self) -> bool:
        """Whether the policy builds on a belief."""
        return self.belief and self.probes > 0
