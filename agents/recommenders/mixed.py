"""A hybrid of two recommenders whose lists are interleaved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftrec.agents.memory import Memory, new_memory, top_unseen
from driftrec.agents.recommenders.scoring import Scorer, news_of
from driftrec.agents.recommenders.weighted import PairState
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation


@dataclass(slots=True)
class MixedState:
    """Attributes are arrays with the user as first axis, or dataclasses of such.

    Attributes:
        memory: what was shown.
        clicks: how many items were clicked, float32 `(users,)`.
        turn: requests so far, `(users,)`.
        pair: what the scorers remember.
    """

    memory: Memory
    clicks: Array
    turn: Array
    pair: PairState


class Mixed:
    """Shows the lists of two recommenders together, interleaved (Burke 2002, section 3.3).

    Slots are filled by the best of each list in turn; the list that begins changes with each
    request, so that slates of one item alternate. Popular items are shown until the first click.

    Args:
        first: a scorer.
        second: another one.
        popularity: score of each item for a user who has clicked nothing yet, `(items,)`.
        slate: items in a request.
    """

    def __init__(self, first: Scorer, second: Scorer, popularity: Array, slate: int = 1) -> None:
        self._pair = first, second
        self._popularity = popularity
        self._slate = slate

    def start(self, users: int) -> MixedState:
        """Nothing shown yet."""
        return MixedState(
            memory=new_memory(users, len(self._popularity), self._slate),
            clicks=np.zeros(users, np.float32),
            turn=np.zeros(users, np.int64),
            pair=PairState(*(scorer.start(users) for scorer in self._pair)),
        )

    def act(self, observation: Observation, state: MixedState) -> tuple[Array, MixedState]:
        """The heads of both lists, `(users, slate)`, and the new state."""
        news = news_of(observation, state.memory)
        clicks = state.clicks + news.feedback.sum(1)
        learned = [
            scorer.learn(part, news)
            for scorer, part in zip(self._pair, (state.pair.first, state.pair.second), strict=True)
        ]
        lists = []
        for scorer, part in zip(self._pair, learned, strict=True):
            scores = np.where(clicks[:, None] > 0, scorer.scores(part), self._popularity)
            lists.append(top_unseen(scores, state.memory.shown, self._slate))
        odd = (state.turn % 2 == 1)[:, None]
        items = interleaved(np.where(odd, lists[1], lists[0]), np.where(odd, lists[0], lists[1]))
        memory = state.memory.after(items)
        return items, MixedState(memory, clicks, state.turn + 1, PairState(*learned))


def interleaved(first: Array, second: Array) -> Array:
    """As many items as in either list, taken in turn from both, none twice.

    Args:
        first: item numbers `(users, slate)`, none twice in a row; its head comes first.
        second: likewise.
    """
    both = np.stack([first, second], axis=2).reshape(len(first), -1)
    again = np.tril(both[:, :, None] == both[:, None, :], -1).any(2)
    order = np.argsort(again, axis=1, kind="stable")[:, : first.shape[1]]
    return np.take_along_axis(both, order, axis=1)
