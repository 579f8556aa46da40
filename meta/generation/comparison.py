"""Does training on generated users help? RL² on few fitted users, beside generated ones, and more.

For example::

    from driftrec.envs import make_population
    from driftrec.meta.generation import CurriculumConfig, compare_training_users

    results = compare_training_users(make_population("KuaiRand"), CurriculumConfig())
    print(results["test"].difference("fitted + generated", "fitted"))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial

from driftrec.agents import make_policy
from driftrec.agents.comparison import Comparison
from driftrec.agents.evaluation import Evaluation
from driftrec.agents.harness import evaluate
from driftrec.agents.policy import Policy
from driftrec.envs import Population, RecommendationVectorEnv
from driftrec.meta.generation.curriculum import Curriculum
from driftrec.meta.generation.curriculum_config import CurriculumConfig
from driftrec.meta.learner import LearnedPolicy
from driftrec.meta.rl2 import RL2
from driftrec.meta.rl2_config import RL2Config

REPORTED = ("test", "ood-drift", "ood-taste", "ood-items")

REFERENCES = ("most-popular", "filter-ucb")

EVERYONE = "all users"
"""RL² that meets a new user of the population in every trial: what more users could bring."""

Report = Callable[[str, int], None]
"""Told of each policy that was trained: its name, and the seed."""


def training_users(config: CurriculumConfig) -> dict[str, CurriculumConfig]:
    """Configs that differ in whom they train on: fitted users, then others beside them.

    Generated users take the whole share of those who are not fitted, or leave the adversary its
    own.

    Args:
        config: whose shares are those of the last.
    """
    beside = config.generated_share + config.adversarial_share
    return {
        "fitted": replace(config, fitted_share=1.0, generated_share=0.0, adversarial_share=0.0),
        "fitted + generated": replace(config, generated_share=beside, adversarial_share=0.0),
        "fitted + adversarial": config,
    }


def compare_training_users(
    population: Population,
    config: CurriculumConfig,
    *,
    seeds: Sequence[int] = (0,),
    users: int = 2000,
    splits: Sequence[str] = REPORTED,
    report: Report | None = None,
) -> dict[str, Comparison]:
    """Train on each choice of users, with each seed, and evaluate all on the same other users.

    Each seed also stands for another set of fitted users. All policies are greedy.

    Args:
        population: what it is about.
        config: how to train; its shares are those of "fitted + adversarial".
        seeds: of the trainings.
        users: met in each split.
        splits: to report on.
        report: told of each training that is done.

    Returns:
        A comparison for each split, with policies named as by `training_users`, `EVERYONE`, and the
        references.
    """
    trained: dict[str, list[LearnedPolicy]] = {}
    for seed in seeds:
        for name, own in training_users(config).items():
            policy = Curriculum(replace(own, seed=seed)).fit(population)
            trained.setdefault(name, []).append(policy)
            if report:
                report(name, seed)
        common = {item.name: getattr(config, item.name) for item in fields(RL2Config)}
        policy = RL2(RL2Config(**common | {"seed": seed})).fit(population)
        trained.setdefault(EVERYONE, []).append(policy)
        if report:
            report(EVERYONE, seed)
    return {split: _compared(population, trained, split, users) for split in splits}


def _compared(
    population: Population, trained: Mapping[str, Sequence[LearnedPolicy]], split: str, users: int
) -> Comparison:
    def met(make: Callable[[RecommendationVectorEnv], Policy], name: str) -> Evaluation:
        return evaluate(make, population, name=name, split=split, users=users)

    evaluations: dict[str, Sequence[Evaluation]] = {
        name: [met(_on_catalogue(policy), name) for policy in policies]
        for name, policies in trained.items()
    }
    for name in REFERENCES:
        evaluations[name] = [met(partial(make_policy, name), name)]
    return Comparison(evaluations)


def _on_catalogue(policy: LearnedPolicy) -> Callable[[RecommendationVectorEnv], Policy]:
    return lambda env: policy.on(env.simulation.split.catalogue)
