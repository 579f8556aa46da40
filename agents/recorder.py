"""Takes down what happens to a batch of users, request by request."""

from __future__ import annotations

import numpy as np

from driftrec.agents.evaluation import Evaluation
from driftrec.agents.groups import user_groups
from driftrec.envs.arrays import Array
from driftrec.envs.simulation import Simulation, among


class Recorder:
    """Fills the arrays of an `Evaluation` while a simulation runs.

    Args:
        simulation: of numpy arrays, whose users all begin a trial.
        regret: whether to record the expected feedback on the slate shown and on the best one.
        repeats: whether the best one may hold items that were shown before.
    """

    def __init__(self, simulation: Simulation, regret: bool = False, repeats: bool = False) -> None:
        self._simulation = simulation
        self._repeats = repeats
        self._request = 0
        shape = (simulation.users, simulation.max_requests)
        self._active = np.zeros(shape, bool)
        self._items = np.zeros((*shape, simulation.slate), np.int32)
        self._feedback, self._reward, self._day, self._session = (
            np.zeros(shape, dtype) for dtype in (np.float32, np.float32, np.float32, np.int32)
        )
        self._gap = np.full(shape, np.nan, np.float32)
        self._expected = np.zeros(shape, np.float32) if regret else None
        self._best = np.zeros(shape, np.float32) if regret else None
        several = simulation.slate > 1
        self._clicks = np.zeros(self._items.shape, np.float32) if several else None
        self._predicted: np.ndarray | None = None
        self._group = np.zeros(simulation.users, np.int32)
        self._group_names: tuple[str, ...] = ()

    def before(self, items: Array, predicted: Array | None = None) -> None:
        """Take down a request that is about to be made.

        Args:
            items: the slates, `(users, slate)`.
            predicted: their click probabilities as the policy sees them, likewise, if it does.
        """
        trials, now = self._simulation.trials, self._request
        if now == 0:
            self._group, self._group_names = user_groups(self._simulation)
        active = ~trials.over
        self._active[:, now] = active
        self._items[active, now] = items[active]
        self._day[active, now] = trials.day[active]
        self._session[active, now] = trials.session[active]
        if predicted is not None:
            if self._predicted is None:
                self._predicted = np.zeros(self._items.shape, np.float32)
            self._predicted[active, now] = predicted[active]
        if self._expected is not None and self._best is not None:
            self._expected[:, now] = self._value(items) * active
            self._best[:, now] = self._value(self._best_slate()) * active

    def after(self, reward: Array) -> None:
        """Take down what came of it, with the reward `(users,)`."""
        trials, now = self._simulation.trials, self._request
        self._feedback[:, now] = trials.feedback.sum(1)
        if self._clicks is not None:
            self._clicks[:, now] = trials.feedback
        self._reward[:, now] = reward
        self._gap[trials.returned, now] = trials.elapsed[trials.returned]
        self._request += 1

    def evaluation(self, policy: str, seed: int, batch: int) -> Evaluation:
        """The record, under the name of the policy and the settings that say who the users are."""
        simulation = self._simulation
        return Evaluation(
            policy=policy,
            population=simulation.split.population,
            split=simulation.split.name,
            seed=(seed,),
            batch=batch,
            slate=simulation.slate,
            feedback=self._feedback,
            items=self._items,
            active=self._active,
            session=self._session,
            day=self._day,
            gap=self._gap,
            reward=self._reward,
            expected=self._expected,
            best=self._best,
            churned=np.array(simulation.trials.churned),
            truncated=np.array(simulation.trials.truncated),
            last_day=np.array(simulation.trials.day, np.float32),
            stratum=np.zeros(simulation.users, np.int32),
            clicks=self._clicks,
            predicted=self._predicted,
            group=self._group,
            group_names=self._group_names,
        )

    def _value(self, items: Array) -> Array:
        """Expected feedback on a slate, summed over it, `(users,)`."""
        simulation = self._simulation
        repeats = np.take_along_axis(simulation.shown, items, axis=1)
        slate = simulation.catalogue.show(items, repeats)
        return simulation.model.respond(simulation.state, slate).mean.sum(1)

    def _best_slate(self) -> Array:
        """The items most likely to be clicked that may be shown, best first, `(users, slate)`."""
        simulation = self._simulation
        chance = simulation.click_probability()
        if not self._repeats:
            chance = np.where(simulation.shown, -np.inf, chance)
        chance = among(simulation, chance)
        if simulation.slate == 1:
            return chance.argmax(1)[:, None]
        return np.argsort(-chance, axis=1, kind="stable")[:, : simulation.slate]
