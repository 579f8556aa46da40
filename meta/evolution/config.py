"""How evolution strategies train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from driftrec.meta.checks import check_counts
from driftrec.meta.rl2_config import RL2Config


@dataclass(frozen=True)
class ESConfig(RL2Config):
    """How evolution strategies train; what only a gradient through time needs is not read."""

    smoke: ClassVar[dict[str, Any]] = RL2Config.smoke | {"pairs": 8, "at_once": 8}

    iterations: int = 200
    """Steps, each from one generation of perturbed networks."""
    users: int = 4096
    """Users a generation, over all workers and perturbations; each plays one whole trial."""
    learning_rate: float = 0.03
    """Adam's step size at the start."""
    hidden: int = 32
    """Units of the memory."""
    continuing: bool = False
    """What counts is the sum over the trial; if false, the network sees the time in it."""
    filter: bool = False
    """A learned filter wants probes, whose labels evolution does not read."""
    probes: int = 0
    """Above 0, the policy builds on a belief; it is perturbed like the rest."""
    own_rate: float = 1.0
    """Share of the step, and of the perturbation, of what the policy adds to a belief."""
    pairs: int = 64
    """Perturbations a generation; each is tried in both directions, on the same users and with the
    same luck."""
    at_once: int = 32
    """Perturbations played in one batch, which bounds the memory; each batch has a seed of its own,
    so that it does not matter which worker plays it."""
    noise: float = 0.05
    """Standard deviation of the perturbations."""
    ranks: bool = True
    """Weigh perturbations by the rank of what they brought, not by the amount."""
    greedy: bool = True
    """Perturbed networks show their most probable slate, as the policy will; else they draw it."""
    weight_decay: float = 0.0
    """Share by which weights shrink in a step, in units of the learning rate (decoupled from Adam:
    Loshchilov and Hutter 2019)."""
    start_from: str = ""
    """Checkpoint of an RL² policy whose weights and kind of network are the start; empty for none.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(self, "pairs", "at_once")
        if self.pairs % (self.workers * self.batch):
            raise ValueError(
                f"pairs ({self.pairs}) must divide into batches of {self.batch} among "
                f"{self.workers} workers: change pairs or at_once"
            )
        if self.users % (2 * self.pairs):
            raise ValueError(
                f"users ({self.users}) must divide among the {2 * self.pairs} perturbed networks"
            )
        if self.noise <= 0 or self.weight_decay < 0:
            raise ValueError(
                "noise must be positive and weight_decay not negative, got "
                f"{self.noise} and {self.weight_decay}"
            )
        if self.schedule == "adaptive":
            raise ValueError(
                "evolution strategies measure no KL for the adaptive schedule: choose another"
            )

    @property
    def batch(self) -> int:
        """Perturbations that a worker plays at once."""
        return min(self.at_once, max(self.pairs // self.workers, 1))
