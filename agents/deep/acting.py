"""Trained policies: from an observation to a query, and from a query to a slate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from driftrec.agents.deep.layers import Perceptron, lstm_step
from driftrec.agents.deep.reading import Reader, Summary
from driftrec.agents.memory import Memory, new_memory, top_unseen
from driftrec.agents.named_arrays import within
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation


@dataclass(slots=True)
class QueryState:
    """What a policy remembers of each user; the first axis of every array is the user.

    Attributes:
        memory: what was shown.
        summary: of the trial; without means where an LSTM remembers it.
        hidden: of the LSTM, `(users, h)`; h is 0 without one.
        cell: of the LSTM, `(users, h)`.
    """

    memory: Memory
    summary: Summary
    hidden: Array
    cell: Array


class QueryPolicy:
    """Shows the unseen items whose features have the highest product with the network's query.

    Args:
        arrays: of the network: `actor.…` layers, and `lstm.…` where there is a memory.
        about: sizes and activations, as `read_network` gives them.
        table: features, topics and quality of the items that can be shown, `(items, width)`.
    """

    def __init__(self, arrays: Mapping[str, Array], about: Mapping[str, Any], table: Array) -> None:
        self.table = table * arrays["scale"]
        self.reader = Reader(arrays["scale"], about["slate"], about["context"], about["summarised"])
        self.actor = Perceptron.of(within("actor", arrays), about["between"], about["last"])
        self.lstm = within("lstm", arrays)
        self.slate = about["slate"]

    def start(self, users: int) -> QueryState:
        """The state for users of whom nothing is known."""
        size = self.lstm["hidden.weight"].shape[1] if self.lstm else 0
        nothing = np.zeros((users, size), np.float32)
        memory = new_memory(users, len(self.table), self.slate)
        return QueryState(memory, self.reader.start(users), nothing, nothing.copy())

    def act(self, observation: Observation, state: QueryState) -> tuple[Array, QueryState]:
        """The best items by the query, `(users, slate)`, and the new state."""
        known, summary = self.reader.read(observation, state.summary)
        hidden, cell = state.hidden, state.cell
        if self.lstm:
            known, cell = lstm_step(self.lstm, known, hidden, cell)
            hidden = known
        items = top_unseen(self.actor(known) @ self.table.T, state.memory.shown, self.slate)
        return items, QueryState(state.memory.after(items), summary, hidden, cell)
