"""The policy of SlateQ: shows the slate of highest value, and predicts who clicks on what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from driftrec.agents.deep.choice import ItemValues, best_slates, choice_probabilities
from driftrec.agents.deep.layers import Perceptron
from driftrec.agents.deep.reading import Reader, Summary
from driftrec.agents.memory import Memory, new_memory
from driftrec.agents.named_arrays import within
from driftrec.envs import Population
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation

LOGIT = 12.0
"""Largest logarithm of an appeal."""


def consumed_by_clicks(population: Population) -> bool:
    """Whether feedback is 0 or more, so that what is above 0 says that an item was consumed."""
    return population.split("train").model.feedback_range[0] >= 0


def item_values(output: Array, table: Array, clicks: bool) -> ItemValues:
    """What the network's output says of items.

    Args:
        output: a query for worth, one for the logarithm of appeal, a constant for each, and the
            worth of nothing, `(users, 2 * width + 3)`.
        table: scaled features, `(items, width)`.
        clicks: whether an item is consumed by a click; else the only item always is.
    """
    width = table.shape[1]
    worth = output[:, :width] @ table.T + output[:, -3:-2]
    logits = output[:, width : 2 * width] @ table.T + output[:, -2:-1]
    appeal = np.exp(np.clip(logits, -LOGIT, LOGIT)) if clicks else np.ones_like(worth)
    return ItemValues(worth, appeal, output[:, -1], float(clicks))


@dataclass(slots=True)
class SlateQState:
    """What the policy remembers of each user; the first axis of every array is the user.

    Attributes:
        memory: what was shown.
        summary: of the trial.
        output: of the network at the last request, `(users, 2 * width + 3)`.
    """

    memory: Memory
    summary: Summary
    output: Array


class SlateQPolicy:
    """Shows the slate of unseen items that has the highest value.

    Args:
        arrays: of the network.
        about: sizes, as `read_network` gives them.
        table: features, topics and quality of the items that can be shown, `(items, width)`.
    """

    def __init__(self, arrays: Mapping[str, Array], about: Mapping[str, Any], table: Array) -> None:
        self.table = table * arrays["scale"]
        self.reader = Reader(arrays["scale"], about["slate"], about["context"])
        self.network = Perceptron.of(within("actor", arrays), about["between"], about["last"])
        self.slate = about["slate"]
        self.clicks = about["clicks"]

    def start(self, users: int) -> SlateQState:
        """The state for users of whom nothing is known."""
        output = np.zeros((users, 2 * self.table.shape[1] + 3), np.float32)
        memory = new_memory(users, len(self.table), self.slate)
        return SlateQState(memory, self.reader.start(users), output)

    def act(self, observation: Observation, state: SlateQState) -> tuple[Array, SlateQState]:
        """The best slates, `(users, slate)`, and the new state."""
        inputs, summary = self.reader.read(observation, state.summary)
        output = self.network(inputs)
        values = item_values(output, self.table, self.clicks)
        items = best_slates(values, state.memory.shown, self.slate)
        return items, SlateQState(state.memory.after(items), summary, output)

    def predict(self, state: SlateQState, items: Array) -> Array:
        """Probability of a click on each item of a slate, float32 `(users, slate)`.

        All 1 where feedback is no click, and an item counts as consumed whenever it is shown.
        """
        values = item_values(state.output, self.table, self.clicks)
        return choice_probabilities(values, items).astype(np.float32)
