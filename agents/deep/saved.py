"""Policies of trained networks, from files or from memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from driftrec.agents.deep.acting import QueryPolicy
from driftrec.agents.deep.layers import read_network
from driftrec.agents.deep.slateq_policy import SlateQPolicy
from driftrec.agents.policy import Policy
from driftrec.agents.repeating import Repeating
from driftrec.envs import RecommendationVectorEnv
from driftrec.envs.arrays import Array


def check_fits(about: Mapping[str, Any], env: RecommendationVectorEnv) -> None:
    """Refuse an environment that a network does not fit.

    Args:
        about: what the network is, as `read_network` gives it.
        env: whose users are to be met.

    Raises:
        ValueError: if items have another number of features than the network was trained on, or
            the slate or the public context has another size.
    """
    simulation = env.simulation
    sizes = {
        "width": (simulation.catalogue.table.shape[1], "features (with topics and quality)"),
        "slate": (simulation.slate, "item(s) a request"),
        "context": (simulation.model.context_size, "numbers of public context"),
    }
    for name, (found, words) in sizes.items():
        if found != about[name]:
            raise ValueError(
                f"the policy was trained with {about[name]} {words}; here there are {found}"
            )


@dataclass(frozen=True)
class Saved:
    """Makes the policy that a folder holds for an environment.

    Attributes:
        folder: of `fit`.
    """

    folder: Path

    def __call__(self, env: RecommendationVectorEnv) -> Policy:
        """The policy on this environment's catalogue.

        Raises:
            FileNotFoundError: if nothing was trained there.
            ValueError: if the files are damaged, or the network does not fit the environment.
        """
        arrays, about = read_network(self.folder)
        return policy_of(arrays, about, env)


def policy_of(
    arrays: Mapping[str, Array], about: Mapping[str, Any], env: RecommendationVectorEnv
) -> Policy:
    """The policy of a network on an environment's catalogue; see `Saved`."""
    check_fits(about, env)
    kind: Any = SlateQPolicy if about["kind"] == "slateq" else QueryPolicy
    policy: Policy = kind(arrays, about, np.asarray(env.simulation.catalogue.table))
    return Repeating(policy) if env.population.repeats else policy


@dataclass(frozen=True, eq=False)
class OfArrays:
    """Makes the policy of a network in memory for an environment: for validation in training.

    Attributes:
        arrays: of the network.
        about: what it is.
    """

    arrays: Mapping[str, Array]
    about: Mapping[str, Any]

    def __call__(self, env: RecommendationVectorEnv) -> Policy:
        """The policy on this environment's catalogue."""
        return policy_of(self.arrays, self.about, env)
