"""What a trial so far says of a user and of every item, as columns that trees can split on."""

from __future__ import annotations

import numpy as np

from driftrec.agents.quadratic import QuadraticForms
from driftrec.envs import Catalogue
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation
from driftrec.meta.trees.history import COUNTS, History, RunningSums, StatisticsConfig

PRIOR = 2.0
"""Requests without a click, or a surplus, that rates start from."""


class Statistics(RunningSums):
    """Summary statistics of trials on one catalogue: functions of public history alone.

    Args:
        config: which sums.
        catalogue: what can be shown.
        slate: items in a request.
    """

    def __init__(self, config: StatisticsConfig, catalogue: Catalogue, slate: int = 1) -> None:
        super().__init__(config, catalogue, slate)
        self.topics = np.asarray(catalogue.topics)
        self._dimension = catalogue.dimension
        self._forms = QuadraticForms(self.inputs)

    def of_users(self, observation: Observation, history: History) -> Array:
        """What is said of the user alone, `(users, columns)`, the first of `names`."""
        count = dict(zip(COUNTS, history.counts.T, strict=True))
        requests, position = count["requests"], observation["position"][:, 0]
        columns = [
            np.log1p(requests),
            np.log1p(position),
            observation["log_elapsed"][:, 0],
            count["sessions"],
            np.log1p(count["days"]),
            count["clicks"] / (requests + PRIOR),
            count["surplus"] / (requests + PRIOR),
            count["session_clicks"] / (position + PRIOR),
            count["session_surplus"] / (position + PRIOR),
        ]
        return np.concatenate(
            [np.stack(columns, 1), history.exposures[:, :, -1], history.surplus[:, :, -1]], axis=1
        )

    def of_items(self, history: History) -> Array:
        """What is said of each user and item together, `(columns, users, items)`."""
        users, first = len(history.counts), self._dimension
        last = first + self.topics.shape[1]
        weights = history.weights.reshape(users, self.times, -1)
        features = self.table[:, :first].T
        columns = []
        for time in range(self.times):
            exposures = history.exposures[:, time, first:last] @ self.topics.T
            surplus = history.surplus[:, time, first:last] @ self.topics.T
            columns += [
                weights[:, time] @ self.inputs.T,
                history.surplus[:, time, :first] @ features,
                surplus,
                exposures,
                surplus / (exposures + PRIOR),
            ]
        blocks = history.covariance.reshape(users, self.times, -1, self.times, weights.shape[2])
        width = np.sqrt(self._forms(blocks.sum((1, 3))))
        return np.stack([*columns, width, history.memory.shown], dtype=np.float32)

    def rows(self, users: Array, both: Array, items: Array) -> Array:
        """What is said of some items, float32 `(users, n, columns)`.

        Args:
            users: of `of_users`.
            both: of `of_items`.
            items: numbers, `(users, n)`.
        """
        size = (*items.shape, users.shape[1])
        of_both = both[:, np.arange(len(items))[:, None], items]
        parts = [
            np.broadcast_to(users[:, None], size),
            self.table[items],
            np.moveaxis(of_both, 0, 2),
        ]
        return np.concatenate(parts, axis=2, dtype=np.float32)

    @property
    def names(self) -> list[str]:
        """Names of all columns of a row: of the user, of the item, of both."""
        times = range(self.times)
        user = ["requests", "position", "log_elapsed", "sessions", "days", "click_rate"]
        user += ["surplus_rate", "session_click_rate", "session_surplus_rate"]
        user += [f"count_{time}" for time in times] + [f"surplus_{time}" for time in times]
        item = [f"item_{number}" for number in range(self.table.shape[1])]
        kinds = ("score", "similar_surplus", "topic_surplus", "topic_exposures", "topic_rate")
        both = [f"{kind}_{time}" for time in times for kind in kinds]
        return [*user, *item, *both, "width", "shown"]
