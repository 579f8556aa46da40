"""Deep reinforcement learning as methods of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from driftrec.agents.deep.saved import Saved
from driftrec.agents.deep.slateq_policy import consumed_by_clicks
from driftrec.agents.method import Method, Size
from driftrec.agents.policy import PolicyFactory
from driftrec.envs import Population


@dataclass(frozen=True)
class AgentMethod(Method):
    """An agent of Stable-Baselines3, or of sb3-contrib.

    Its network reads what `driftrec.agents.deep.reading.Reader` says: the last slate's features,
    the feedback, the clock; and a running summary of the trial, which recurrent-ppo does without,
    having an LSTM. Its logits or values of items are products of a query with their features, and
    items that were shown before are left out, in training too: see `driftrec.agents.deep.policies`
    and, for sac, `driftrec.agents.deep.training_env.QueryVecEnv`. It acts greedily.

    Attributes:
        algorithm: name in `driftrec.agents.deep.sb3_agents.AGENTS`.
        users: simulated at once.
        steps: environment steps of the standard size.
        options: of the algorithm's class.
    """

    trains: ClassVar[bool] = True

    algorithm: str = "ppo"
    users: int = 64
    steps: int = 1_000_000
    options: Mapping[str, Any] = field(default_factory=dict)

    def unsuited(self, population: Population) -> str:
        """Slates of several items are too many actions for dqn."""
        if self.algorithm == "dqn" and population.slate > 1:
            return f"it chooses one item, and here a slate holds {population.slate}"
        return ""

    def fit(
        self, population: Population, folder: Path, *, seed: int, size: Size
    ) -> Mapping[str, float]:
        """Train, and keep the weights that are best on the validation users."""
        # Imported late: a worker that only acts needs no torch.
        from driftrec.agents.deep.sb3_agents import train

        best = train(
            self.algorithm, population, users=self.users, steps=self.steps, options=self.options,
            seed=seed, size=size,
        )  # fmt: skip
        best.write(folder)
        return {"user_steps": best.steps, "validation": best.score}

    def policy(self, folder: Path) -> PolicyFactory:
        """The greedy policy of the weights that were kept."""
        return Saved(folder)


@dataclass(frozen=True)
class SlateQMethod(Method):
    """SlateQ; see `driftrec.agents.deep.slateq.SlateQ`. It acts greedily.

    Attributes:
        options: changes to `driftrec.agents.deep.slateq.SlateQConfig`.
    """

    trains: ClassVar[bool] = True

    options: Mapping[str, Any] = field(default_factory=dict)

    def unsuited(self, population: Population) -> str:
        """Slates of which the user's choice cannot be told from the feedback."""
        if population.slate > 1 and not consumed_by_clicks(population):
            return "feedback may be negative, so that it does not tell what of a slate was consumed"
        return ""

    def fit(
        self, population: Population, folder: Path, *, seed: int, size: Size
    ) -> Mapping[str, float]:
        """Train, and keep the weights that are best on the validation users."""
        from driftrec.agents.deep.slateq import SlateQConfig, train

        best = train(population, SlateQConfig(**self.options), seed=seed, size=size)
        best.write(folder)
        return {"user_steps": best.steps, "validation": best.score}

    def policy(self, folder: Path) -> PolicyFactory:
        """The greedy policy of the weights that were kept."""
        return Saved(folder)

    @property
    def settings(self) -> dict[str, Any]:
        """With the defaults of what is not changed."""
        from driftrec.agents.deep.slateq import SlateQConfig

        return super().settings | {"options": asdict(SlateQConfig(**self.options))}


METHODS: dict[str, Method] = {
    "ppo": AgentMethod(
        "ppo", "deep-rl", "ppo", steps=700_000,
        options={
            "n_steps": 60, "batch_size": 480, "n_epochs": 4, "gamma": 0.7, "gae_lambda": 0.5,
            "learning_rate": 1e-3, "policy_kwargs": {"sharpness": 2.0},
        },
    ),
    "a2c": AgentMethod(
        "a2c", "deep-rl", "a2c", steps=600_000,
        options={
            "n_steps": 16, "gamma": 0.5, "gae_lambda": 0.5, "learning_rate": 3e-3,
            "policy_kwargs": {"sharpness": 2.0},
        },
    ),
    "dqn": AgentMethod(
        "dqn", "deep-rl", "dqn", steps=350_000,
        options={
            "buffer_size": 100_000, "learning_starts": 2_000, "batch_size": 512, "gamma": 0.5,
            "train_freq": 1, "gradient_steps": 1, "target_update_interval": 3_200,
            "exploration_initial_eps": 0.3, "exploration_final_eps": 0.03,
            "exploration_fraction": 1.0, "learning_rate": 5e-4,
        },
    ),
    "sac": AgentMethod(
        "sac", "deep-rl", "sac", steps=300_000,
        options={
            "buffer_size": 200_000, "learning_starts": 2_000, "batch_size": 256, "gamma": 0.5,
            "train_freq": 1, "gradient_steps": 1, "learning_rate": 1e-3,
            "policy_kwargs": {"net_arch": [64, 64]},
        },
    ),
    "recurrent-ppo": AgentMethod(
        "recurrent-ppo", "deep-rl", "recurrent-ppo", steps=200_000,
        options={
            "n_steps": 60, "batch_size": 480, "n_epochs": 4, "gamma": 0.7, "gae_lambda": 0.5,
            "learning_rate": 1e-3,
            "policy_kwargs": {
                "sharpness": 2.0, "lstm_hidden_size": 64, "net_arch": [64],
            },
        },
    ),
    "slateq": SlateQMethod("slateq", "deep-rl"),
}  # fmt: skip
"""By name. Discounts, step sizes and lengths of training are chosen on the validation users of
Feed, where what is shown matters to the next few clicks alone; a training of the standard size
takes about 80 CPU-seconds there."""
