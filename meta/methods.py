"""Meta-learners by name, as methods of a benchmark."""

from __future__ import annotations

from driftrec.agents.method import Method
from driftrec.meta.fine_tuning import FineTuned
from driftrec.meta.learner_method import LearnerMethod
from driftrec.meta.ppo import PPOConfig
from driftrec.meta.pretrained import pretrained_methods
from driftrec.meta.registry import learner_names

FEW_ITERATIONS = {"iterations": 12, "learning_rate": 5e-3, "validate_every": 4}

LEARNED: tuple[LearnerMethod, ...] = (
    LearnerMethod(
        "rl2",
        learner="rl2",
        standard={"iterations": 60, "users": 512, "ppo": PPOConfig(minibatches=16)},
        short=FEW_ITERATIONS,
    ),
    LearnerMethod(
        "amortised",
        learner="amortised",
        standard={"iterations": 80, "users": 512},
        short={"iterations": 18, "learning_rate": 3e-3, "validate_every": 6},
    ),
    LearnerMethod("trees", learner="trees"),
    LearnerMethod("maml", learner="maml", short={"iterations": 8}),
    # A transformer of its default size costs four times as much here.
    LearnerMethod(
        "dpt",
        learner="dpt",
        standard={"iterations": 30, "users": 512, "memory": "gru", "learning_rate": 5e-3},
        short={"iterations": 15, "validate_every": 5},
    ),
    LearnerMethod("reptile", learner="reptile", short={"iterations": 15}),
    LearnerMethod(
        "gradient-aggregation",
        learner="gradient-aggregation",
        always={"learning_rate": 0.018},
        short={"iterations": 15},
    ),
    LearnerMethod(
        "es",
        learner="es",
        standard={"iterations": 20, "users": 2048},
        short={"iterations": 12, "validate_every": 4},
    ),
    LearnerMethod(
        "curriculum",
        learner="curriculum",
        standard={"iterations": 30, "users": 512, "ppo": PPOConfig(minibatches=16)},
        short={**FEW_ITERATIONS, "refresh_every": 4},
    ),
    # Slower steps than for clicks: what keeps a user shows only much later.
    LearnerMethod(
        "rl2-retention",
        learner="rl2",
        always={
            "reward": "retention",
            "learning_rate": 1e-3,
            "own_rate": 1.0,
            "sharpness": 1.0,
            "ppo": PPOConfig(lam=0.9, epochs=3, minibatches=16),
        },
        standard={"iterations": 60, "users": 512, "validate_every": 4},
    ),
)
"""The built-in learners; trees, MAML and its kin train in minutes as they are."""

FINE_TUNED = {"rl2": 1e-3, "amortised": 1e-3, "trees": 0.08}
"""Learners that are also fine-tuned on a few users of another population, with their learning rates
there; that of trees is their own, since what they grow is new."""


def _methods() -> dict[str, Method]:
    learned = {method.name: method for method in LEARNED}
    for name in learner_names():
        learned.setdefault(name, LearnerMethod(name, learner=name))
    tuned = [
        FineTuned(f"{name}-finetuned-100", learner=learned[name], learning_rate=rate)
        for name, rate in FINE_TUNED.items()
    ]
    return {**learned, **{method.name: method for method in tuned}, **pretrained_methods()}


METHODS: dict[str, Method] = _methods()
"""Learners, those of other packages included; fine-tuned ones; and checkpoints that are shipped."""
