"""The simulators of other people that ours follow, run as they are where they are installed.

None of them is needed by driftrec; `INSTALL` says how to get each. RecSim and RecoGym were written
for gym and TensorFlow, of which their simulators use little: stand-ins take the place of these
while they are imported.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Protocol

import gymnasium
import numpy as np

INSTALL = {
    "sardine": "pip install sardine-rec",
    "recsim": "pip install --no-deps recsim==0.2.4 gin-config absl-py six",
    "recogym": "pip install --no-deps recogym numba llvmlite",
}
"""How to install each original."""

NEEDED = {
    "sardine": ("sardine",),
    "recsim": ("recsim", "gin", "absl", "six"),
    "recogym": ("recogym", "numba", "scipy"),
}
"""What has to be there to run it."""


def installed(name: str) -> bool:
    """Whether an original can be run here."""
    return all(find_spec(module) is not None for module in NEEDED[name])


class Original(Protocol):
    """One user of an original, driven as it wants to be driven.

    Attributes:
        items: that a slate is chosen from.
        slate: items in a request.
        requests: after which a trial is cut.
    """

    items: int
    slate: int
    requests: int

    def begin(self) -> None:
        """A new user."""

    def step(self, action: np.ndarray) -> tuple[float, bool]:
        """Reward of a slate, `(slate,)` places among the items, and whether the trial is over."""
        ...

    def scores(self) -> np.ndarray:
        """By which a greedy policy, that knows the user, chooses among the items, `(items,)`."""
        ...

    def state(self) -> dict[str, float]:
        """What is known of the user before a request, by name."""
        ...


class SardineOriginal:
    """SARDINE's `Sardine`."""

    def __init__(self, task: str, seed: int = 0) -> None:
        import sardine  # noqa: F401 (registers the ids)

        env = gymnasium.make(f"sardine/{task}-v0", disable_env_checker=True)
        self.env: Any = env.unwrapped
        self.items, self.slate = self.env.num_items, self.env.slate_size
        self.requests = self.env.H
        self.env.reset(seed=seed)

    def begin(self) -> None:
        """A new user."""
        self.env.reset()

    def step(self, action: np.ndarray) -> tuple[float, bool]:
        """Show a slate."""
        _, reward, terminated, _, _ = self.env.step(action)
        return reward, terminated

    def scores(self) -> np.ndarray:
        """How well items meet the taste that is left by boredom."""
        found: np.ndarray = self.env.item_embedd @ self.env.cur_user_embedd
        return found

    def state(self) -> dict[str, float]:
        """Taste without boredom, and boredom."""
        taste = self.env.user_embedd
        return {
            "strongest taste": taste.max(),
            "sum of tastes": taste.sum(),
            "topics that bore": self.env.bored.sum(),
        }


RECSIM_TASKS = {
    "InterestEvolution": ("interest_evolution", 3, 500),
    "InterestExploration": ("interest_exploration", 2, 100),
    "LongTermSatisfaction": ("long_term_satisfaction", 1, 60),
}
"""Module, items in a slate, and requests after which a trial is cut."""


class RecSimOriginal:
    """An environment of RecSim, with ten documents drawn anew for each request."""

    def __init__(self, task: str, seed: int = 0, **parameters: float) -> None:
        module, self.slate, self.requests = RECSIM_TASKS[task]
        with _stand_ins(_gym() | {"gin.tf": {}, "recsim.simulator.runner_lib": {}}):
            made = importlib.import_module(f"recsim.environments.{module}").create_environment
        self.items = 10
        sizes = {"num_candidates": self.items, "slate_size": self.slate}
        self.env = made(sizes | {"resample_documents": True, "seed": seed})
        self.users = self.env.environment.user_model
        if parameters:
            self.users._user_sampler._state_parameters.update(parameters)
        # Its choices are drawn from the global state of numpy, and from nowhere else.
        self.env.seed(seed)
        self.requests_done = 0

    def begin(self) -> None:
        """A new user."""
        self.requests_done = 0
        self.env.reset()

    def step(self, action: np.ndarray) -> tuple[float, bool]:
        """Show a slate."""
        _, reward, over, _ = self.env.step(action)
        self.requests_done += 1
        return reward, over or self.requests_done == self.requests

    @property
    def documents(self) -> list[Any]:
        """Those on offer."""
        return list(self.env.environment.candidate_set.get_all_documents())

    def scores(self) -> np.ndarray:
        """Interest or affinity, or how much is promised, of the documents on offer."""
        return np.array([self._score(self.users._user_state, one) for one in self.documents])

    @staticmethod
    def _score(user: Any, document: Any) -> float:
        if hasattr(document, "clickbait_score"):
            return float(document.clickbait_score)
        return float(user.score_document(document.create_observation()))

    def state(self) -> dict[str, float]:
        """Of users and of what is on offer."""
        user = self.users._user_state
        if hasattr(user, "time_budget") and hasattr(user, "user_interests"):
            interests = user.user_interests
            return {
                "budget": user.time_budget,
                "strongest interest": interests.max(),
                "mean interest": interests.mean(),
                "interests at 0.9 or more": (interests >= 0.9).sum(),
            }
        if hasattr(user, "topic_affinity"):
            return {
                "affinity to topic 0": user.topic_affinity[0],
                "affinity to topic 1": user.topic_affinity[1],
                "offers of topic 0": sum(one.cluster_id == 0 for one in self.documents),
                "best quality on offer": max(one.quality for one in self.documents),
            }
        return {
            "exposure": user.net_positive_exposure,
            "best clickbait on offer": max(one.clickbait_score for one in self.documents),
        }


class RecoGymOriginal:
    """RecoGym's environment of a version, with ten products; users never shown anything are none.

    The program draws its products from the seed, so that users may be drawn by others.
    """

    def __init__(self, task: str, seed: int = 0, products: int = 10) -> None:
        # The first two are for its logs; its package imports agents, which import much more.
        planted = {"pandas": {}, "tqdm": {"trange": range}, "recogym.agents": {"Agent": object}}
        planted |= {"recogym": {"__path__": find_spec("recogym").submodule_search_locations}}
        with _stand_ins(_gym() | planted):
            envs = importlib.import_module("recogym.envs")
        args = envs.env_1_args | {"num_products": products, "random_seed": 42}
        self.env = getattr(envs, f"RecoEnv{task[1:]}")()
        self.env.init_gym(args)
        self.env.rng.seed(seed)
        self.items, self.slate, self.requests = products, 1, 500
        self.version = task
        self.views = self.requests_done = 0

    def begin(self) -> None:
        """A new user, who is shown something."""
        over = True
        while over:
            self.env.reset()
            observation, _, over, _ = self.env.step(None)
        self.views, self.requests_done = len(observation.sessions()), 0

    def step(self, action: np.ndarray) -> tuple[float, bool]:
        """Show a product."""
        observation, reward, over, _ = self.env.step(int(action[0]))
        self.views = len(observation.sessions())
        self.requests_done += 1
        return reward, over or self.requests_done == self.requests

    def scores(self) -> np.ndarray:
        """What grows with the chance of a click."""
        if self.version == "v0":
            return np.asarray(self.env.click_probs[:, self.env.product_view])
        return (self.env.beta @ self.env.omega + self.env.mu_bandit).ravel()

    def state(self) -> dict[str, float]:
        """Views, and what they come from."""
        known = {"views before it": float(self.views), "product viewed last": self.env.product_view}
        if self.version == "v1":
            known |= {f"interest {one}": self.env.omega[one, 0] for one in (0, 1)}
            known["size of interest"] = float(np.linalg.norm(self.env.omega))
        return known


MAKERS: dict[str, Callable[..., Any]] = {
    "sardine": SardineOriginal,
    "recsim": RecSimOriginal,
    "recogym": RecoGymOriginal,
}
"""By the name of our module; called with a task and a seed."""


def _gym() -> dict[str, dict[str, Any]]:
    """What takes the place of gym: of its successor, the little that is used."""
    return {
        "gym": {"Env": gymnasium.Env, "spaces": gymnasium.spaces},
        "gym.spaces": {"Discrete": gymnasium.spaces.Discrete},
    }


@contextmanager
def _stand_ins(modules: dict[str, dict[str, Any]]) -> Iterator[None]:
    """Modules of a few names each, importable within the block."""
    before = {name: sys.modules.get(name) for name in modules}
    for name, values in modules.items():
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(values)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
