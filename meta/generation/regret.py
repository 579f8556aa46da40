"""What a policy loses on users against one that knows more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from driftrec.agents.evaluation import Evaluation
from driftrec.agents.filter import BayesFilter
from driftrec.agents.filter_model import FilterModel
from driftrec.agents.harness import evaluate
from driftrec.agents.policy import Policy
from driftrec.envs import Population, RecommendationVectorEnv
from driftrec.envs.rewards import Reward
from driftrec.meta.generation.generated_users import drifting_model, with_training_users
from driftrec.meta.generation.sources import VectorSource
from driftrec.meta.generation.vectors import UserVectors

ReferenceName = Literal["filter-ucb", "clairvoyant"]


@dataclass(frozen=True)
class RegretMeter:
    """Measures regret a request on users from a source.

    Against "filter-ucb", the Bayesian filter that knows the true model, regret is what can be won
    by learning about the user better (as in PAIRED: Dennis et al. 2020, section 4). Against
    "clairvoyant", who sees the hidden state at each of the policy's own requests, it is also what
    nobody can know.

    Attributes:
        population: what the users are shown, and how they behave.
        reference: "filter-ucb" or "clairvoyant".
        reward: what is lost; clicks are taken in expectation, given the hidden state. Against
            "clairvoyant" they are what is lost in any case.

    Raises:
        ValueError: if there is no such reference, or it cannot read these users.
    """

    population: Population
    reference: str = "filter-ucb"
    reward: Reward = "clicks"

    def __post_init__(self) -> None:
        if self.reference not in get_args(ReferenceName):
            known = " or ".join(get_args(ReferenceName))
            raise ValueError(f"reference must be {known}, got {self.reference!r}")

    def measure(
        self, policy: Policy, source: VectorSource, users: int, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Vectors `(users, size)` of new users and the regret on them, `(users,)`."""
        population = with_training_users(self.population, source)
        met: list[np.ndarray] = []

        def watched(env: RecommendationVectorEnv) -> Policy:
            met.append(UserVectors(drifting_model(self.population)).of(env.simulation.state))
            return policy

        played = self._played(watched, population, users, seed)
        if self.reference == "clairvoyant":
            return met[0], _a_request(played, _there(played.best) - _there(played.expected))
        best = self._played(self._filter, population, users, seed)
        return met[0], self._won(best) - self._won(played)

    def _played(
        self, make_policy: object, population: Population, users: int, seed: int
    ) -> Evaluation:
        return evaluate(
            make_policy,  # type: ignore[arg-type]  # both are factories
            population,
            split="train",
            users=users,
            batch=users,
            seed=seed,
            reward=self.reward,
            regret=True,
        )

    def _won(self, played: Evaluation) -> np.ndarray:
        clicks = self.reward == "clicks"
        return _a_request(played, _there(played.expected) if clicks else played.reward)

    def _filter(self, env: RecommendationVectorEnv) -> Policy:
        simulation = env.simulation
        model = FilterModel.from_user_model(drifting_model(self.population), simulation.catalogue)
        return BayesFilter(model, simulation.slate, acting="ucb")


def _a_request(played: Evaluation, values: np.ndarray) -> np.ndarray:
    mean: np.ndarray = (values * played.active).sum(1) / played.active.sum(1)
    return mean


def _there(values: np.ndarray | None) -> np.ndarray:
    """What an evaluation with regret always has."""
    assert values is not None
    return values
