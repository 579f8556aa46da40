"""DriftRec/meta.TabularMDP-v0: small random Markov decision processes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from driftrec.envs.arrays import Array, as_float32, namespace
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.env import RecommendationEnv
from driftrec.envs.feedback import GaussianFeedback
from driftrec.envs.meta_tasks import check_counts, check_noise, one_hot_catalogue, task_population
from driftrec.envs.population import Population
from driftrec.envs.random import Stream
from driftrec.envs.user_model import ReturnGap, UserModel
from driftrec.envs.vector import RecommendationVectorEnv


@dataclass
class Process:
    """A decision process and where it stands; the first axis is the user.

    Attributes:
        reward: expected reward, `(users, states, actions)`.
        reach: cumulative probabilities of the next state, `(users, states, actions, states)`.
        now: the current state, int64 `(users,)`.
        action: the last action, int64 `(users,)`.
        step: steps so far in the episode, int64 `(users,)`.
    """

    reward: Array
    reach: Array
    now: Array
    action: Array
    step: Array


@dataclass(frozen=True, eq=False)
class TabularMDP(UserModel):
    """A user is a decision process: items are actions, sessions are episodes.

    The state is public: the context is its one-hot code. An episode begins in state 0, takes
    `steps` requests and is followed by another a day later, without end. Should a slate hold
    several items, the uppermost is the action.

    Attributes:
        states: number of states.
        actions: number of items.
        steps: requests in an episode.
        sd: standard deviation of rewards around their mean.
    """

    feedback_range: ClassVar[tuple[float, float]] = (-float("inf"), float("inf"))

    states: int = 10
    actions: int = 5
    steps: int = 10
    sd: float = 1.0

    def __post_init__(self) -> None:
        check_counts(states=self.states, actions=self.actions, steps=self.steps)
        check_noise(self.sd)
        object.__setattr__(self, "context_size", self.states)

    def sample(self, users: int, rng: np.random.Generator) -> Process:
        """Transitions by a flat Dirichlet, mean rewards by N(1, 1) (Duan et al. 2016, 3.2)."""
        shape = (users, self.states, self.actions)
        # Exponentials in proportion to their sum are a flat Dirichlet.
        chance = rng.standard_exponential((*shape, self.states), dtype=np.float32)
        reach = np.cumsum(chance / chance.sum(-1, keepdims=True), axis=-1)
        reward = 1 + rng.standard_normal(shape, dtype=np.float32)
        now, action, step = np.zeros((3, users), np.int64)
        return Process(reward, reach, now.copy(), action.copy(), step.copy())

    def respond(self, state: Process, slate: Slate) -> GaussianFeedback:
        """Around the expected reward of the action in the current state."""
        xp = namespace(state.reward)
        means = xp.take_along_axis(_current(state.reward, state), slate.items, axis=1)
        return GaussianFeedback(means, self.sd)

    def react(self, state: Process, slate: Slate, feedback: Array) -> Process:
        """The action is noted."""
        return replace(state, action=slate.items[:, 0], step=state.step + 1)

    def drift(self, state: Process, elapsed: Array, rng: Stream) -> Process:
        """The next state by the transition law, or state 0 after the end of an episode."""
        xp = namespace(state.reward)
        chance = rng.uniform(state.now.shape[0], 1)
        # The last cumulative probability is 1 but for rounding, and left out.
        passed = _current(state.reach, state, state.action)[:, :-1] <= chance
        reached = xp.sum(xp.astype(passed, xp.int64), axis=1)
        again = state.step >= self.steps
        nothing = xp.zeros_like(state.now)
        return replace(
            state,
            now=xp.where(again, nothing, reached),
            step=xp.where(again, nothing, state.step),
        )

    def leave(self, state: Process) -> Array:
        """1 after the last step of an episode."""
        return as_float32(state.step >= self.steps)

    def return_after(self, state: Process) -> ReturnGap:
        """A day later, always."""
        never = as_float32(state.now) * 0
        return ReturnGap(never, never + 1, shape=float("inf"))

    def context(self, state: Process) -> Array:
        """The current state, one-hot, `(users, states)`."""
        xp = namespace(state.reward)
        numbers = xp.arange(self.states, dtype=xp.int64, device=state.now.device)
        return as_float32(state.now[:, None] == numbers)

    def click_probability(self, state: Process, catalogue: Catalogue) -> Array:
        """Expected reward of each action in the current state, `(users, actions)`."""
        return _current(state.reward, state)

    def item_values(self, state: Process, catalogue: Catalogue) -> Array:
        """Optimal value of each action for the rest of the episode, less their mean.

        By backward induction (Puterman 1994, section 4.5), `(users, actions)`.
        """
        xp = namespace(state.reward)
        below = xp.concat([xp.zeros_like(state.reach[..., :1]), state.reach[..., :-1]], axis=-1)
        chance = state.reach - below
        left = self.steps - state.step
        value = xp.zeros_like(state.reward[..., 0])
        found = xp.zeros_like(state.reward[:, 0])
        for steps in range(1, self.steps + 1):
            worth = state.reward + xp.sum(chance * value[:, None, None, :], axis=-1)
            found = xp.where((left == steps)[:, None], _current(worth, state), found)
            value = xp.max(worth, axis=-1)
        return found - xp.mean(found, axis=1, keepdims=True)

    def default_catalogue(self) -> Catalogue:
        """Actions that differ in nothing but their number, one-hot."""
        return one_hot_catalogue(self.actions)


def _current(array: Array, state: Process, action: Array | None = None) -> Array:
    """What an array says of each user's current state, and of an action there."""
    xp = namespace(array)
    users = xp.arange(array.shape[0], dtype=xp.int64, device=array.device)
    return array[users, state.now] if action is None else array[users, state.now, action]


def tabular_population(
    episodes: int = 10, states: int = 10, actions: int = 5, steps: int = 10, sd: float = 1.0
) -> Population:
    """Random decision processes with a trial of a number of episodes."""
    check_counts(episodes=episodes)
    model = TabularMDP(states, actions, steps, sd)
    return task_population(f"TabularMDP-n{episodes}", model, episodes * steps)


class TabularMDPEnv(RecommendationEnv):
    """A random decision process of 10 states and 5 actions, played for n episodes of 10 steps.

    Transition probabilities are drawn from a flat Dirichlet and mean rewards from N(1, 1) for the
    trial; rewards have unit variance (Duan et al. 2016, section 3.2; Osband et al. 2013). Each
    episode begins in state 0. Published rewards over 10 episodes: random 100.1, PSRL 138.1,
    RL² 156.2.

    Action space:
        `Discrete(actions)`.

    Observation space:
        `Dict`, float32, a function of public history alone:

        ==============  ================  ================================================
        key             shape             meaning
        ==============  ================  ================================================
        `slate`         (1, actions + 2)  the last action one-hot, one topic, no quality
        `feedback`      (1,)              its reward
        `new_user`      (1,)              1 in the first observation of a trial
        `new_session`   (1,)              1 in the first observation of an episode
        `log_elapsed`   (1,)              log(1 + seconds since the last step)
        `position`      (1,)              steps so far in the episode
        `context`       (states,)         the current state, one-hot
        ==============  ================  ================================================

    Rewards:
        The reward of the action.

    Starting state:
        A new process in state 0. Those of one split never appear in another.

    Episode end:
        One Gymnasium episode is a trial: it is truncated after `episodes` episodes of the
        process, and never terminated.

    Arguments:
        `episodes` (10), `states` (10), `actions` (5), `steps` (10), `sd` (1), `split`,
        `render_mode`; the vector environment takes `num_envs` and the options of
        `RecommendationVectorEnv`.

    Version history:
        v0: first release.
    """

    def __init__(
        self,
        episodes: int = 10,
        states: int = 10,
        actions: int = 5,
        steps: int = 10,
        sd: float = 1.0,
        **options: Any,
    ) -> None:
        population = partial(
            tabular_population, episodes=episodes, states=states, actions=actions, steps=steps,
            sd=sd,
        )  # fmt: skip
        super().__init__(population, **options)


class TabularMDPVectorEnv(RecommendationVectorEnv):
    """`TabularMDPEnv` for many users at once, stepped by the batch engine."""

    def __init__(
        self,
        num_envs: int = 1,
        *,
        episodes: int = 10,
        states: int = 10,
        actions: int = 5,
        steps: int = 10,
        sd: float = 1.0,
        **options: Any,
    ) -> None:
        population = partial(
            tabular_population, episodes=episodes, states=states, actions=actions, steps=steps,
            sd=sd,
        )  # fmt: skip
        super().__init__(population, num_envs, **options)
