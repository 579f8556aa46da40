"""DriftRec/RecSimNG-v0: a recsim-ng story whose slates an agent outside of it chooses."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from typing import Any

import numpy as np

from driftrec.envs.arrays import Array
from driftrec.envs.env import RecommendationEnv
from driftrec.envs.observation import Observation
from driftrec.envs.population import Population
from driftrec.envs.published.tasks import seeded_population
from driftrec.envs.recsim_ng.story import Story, resolve_story
from driftrec.envs.recsim_ng.users import StoryUsers
from driftrec.envs.simulation import Simulation
from driftrec.envs.vector import RecommendationVectorEnv

MOST_POPULATIONS = 8
"""Populations that are kept, with their compiled stories, for environments yet to be made."""

_SHARED = ("xp", "split", "model", "catalogue")
"""What a simulation does not change."""

Snapshot = dict[str, Any]


@lru_cache(maxsize=MOST_POPULATIONS)
def story_population(
    story: Story | str = "InterestEvolution", documents_seed: int = 0, compiled: bool = True
) -> Population:
    """The users of a recsim-ng story, for environments, learners and evaluation.

    Users of `ood-items` are shown other documents of the same kind.

    Args:
        story: a story, the name of a registered one, or where it is, "package.module:attribute".
        documents_seed: of documents that do not change.
        compiled: whether TensorFlow compiles the story.

    Raises:
        ValueError: if there is no such story, or its classes do not fit together.
        MissingExtraError: if recsim-ng is not installed.
    """
    found = resolve_story(story)
    return seeded_population(
        f"RecSimNG.{found.name}",
        StoryUsers(found, documents_seed, compiled),
        slate=found.slate,
        max_requests=found.horizon,
        repeats=True,
    )


class RecSimNGVectorEnv(RecommendationVectorEnv):
    """`RecSimNGEnv` for many users at once: one step of the story's network a request."""

    def __init__(
        self,
        num_envs: int = 1,
        *,
        story: Story | str = "InterestEvolution",
        documents_seed: int = 0,
        compiled: bool = True,
        **options: Any,
    ) -> None:
        population = story_population(story, documents_seed, compiled)
        super().__init__(population, num_envs, **options)

    def step(self, actions: Array) -> tuple[Observation, Array, Array, Array, dict[str, Any]]:
        """Show a slate to each user; `info["response"]` holds every field of their response.

        Raises:
            ValueError, TypeError: if the action is not valid, see `checked_slates`.
        """
        observation, reward, terminated, truncated, info = super().step(actions)
        return observation, reward, terminated, truncated, info | response_of(self.simulation)

    def snapshot(self) -> Snapshot:
        """All that the users are and will meet: `restore` goes on from here as this would have."""
        return snapshot_of(self.simulation)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to where a snapshot was taken, of this environment or of its like."""
        restore_to(self.simulation, snapshot)


class RecSimNGEnv(RecommendationEnv):
    """One user of a recsim-ng story: user, documents and choice model are classes of recsim-ng.

    The story's classes are run as they are, with the package recsim-ng (the extra `recsim-ng`). The
    default story is the application `recsys_partially_observable_rl` of its wheel;
    `DriftRec/recsim_ng.InterestEvolution-v0` is the same world without TensorFlow. For a story of
    your own, see the guide's page on recsim-ng.

    Action space:
        `SlateSpace(documents, slate)`, or `Discrete(documents)` for slates of one; by default
        `SlateSpace(100, 2)`. A slate with a document twice is an error.

    Observation space:
        `Dict`, float32, a function of public history alone; of the default story:

        ==============  ==========  ======================================================
        key             shape       meaning
        ==============  ==========  ======================================================
        `slate`         (2, 5)      the last documents: 2 features, topic one-hot, quality
        `feedback`      (2,)        what each of them earned
        `new_user`      (1,)        1 in the first observation of a trial
        `new_session`   (1,)        likewise
        `log_elapsed`   (1,)        log(1 + seconds since the last request): log 31
        `position`      (1,)        requests so far
        ==============  ==========  ======================================================

        If the story's users show something of themselves (`observation`), or its documents change,
        `context` holds that.

    Rewards:
        The field `reward` of the story's metrics, for the response of this very step; by default
        the time for which a document was watched. `info["response"]` is that response.

    Starting state:
        A new user of the split, drawn by the story.

    Episode end:
        Truncated after the story's horizon, by default 100 requests; never terminated.

    Arguments:
        `story`: a `Story`, the name of a registered one, or "package.module:attribute".
        `documents_seed`: of documents that do not change. `compiled`: whether TensorFlow compiles
        the story. `split`, `reward`, `render_mode`; the vector environment takes `num_envs` and the
        options of `RecommendationVectorEnv`.

    Version history:
        v0: first release.
    """

    def __init__(
        self,
        *,
        story: Story | str = "InterestEvolution",
        documents_seed: int = 0,
        compiled: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(story_population(story, documents_seed, compiled), **options)

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Show one slate; `info["response"]` holds every field of the user's response.

        Raises:
            ValueError, TypeError: if the action is not valid, see `checked_slates`.
            RuntimeError: if the trial is over.
        """
        observation, reward, terminated, truncated, info = super().step(action)
        response = response_of(self._simulation)["response"]
        info["response"] = {name: values[0] for name, values in response.items()}
        return observation, reward, terminated, truncated, info

    def snapshot(self) -> Snapshot:
        """All that the user is and will meet: `restore` goes on from here as this would have."""
        return snapshot_of(self._simulation)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to where a snapshot was taken, of this environment or of its like."""
        restore_to(self._simulation, snapshot)


def response_of(simulation: Simulation) -> dict[str, dict[str, np.ndarray]]:
    """The last response, as an entry of info."""
    model = simulation.model
    last = model.last if isinstance(model, StoryUsers) else None
    return {"response": {} if last is None else last.response}


def snapshot_of(simulation: Simulation) -> Snapshot:
    """A copy of all that a simulation changes."""
    return _copied(
        {name: of for name, of in vars(simulation).items() if name not in _SHARED}, simulation
    )


def restore_to(simulation: Simulation, snapshot: Snapshot) -> None:
    """Put a copy of what was copied back, so that a snapshot can be restored again.

    Raises:
        ValueError: if it is of another number of users.
    """
    if snapshot.get("users") != simulation.users:
        raise ValueError(
            f"a snapshot of {simulation.users} users was expected, got one of "
            f"{snapshot.get('users')}"
        )
    vars(simulation).update(_copied(snapshot, simulation))


def _copied(snapshot: Snapshot, simulation: Simulation) -> Snapshot:
    # Streams of draws hold the array library, a module, which has no copies.
    return deepcopy(snapshot, {id(simulation.xp): simulation.xp})
