"""What networks read of a user: the last request, the clock, and a running summary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftrec.agents.memory import known
from driftrec.envs import Catalogue
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation

KEPT = np.array([0.8, 0.97], np.float32)
"""Share of a running mean that a request leaves: means over the last 5 and the last 33 requests."""

CLOCK = 4
"""Numbers of the clock: new user, new session, time since the last request, place in the session"""


@dataclass(slots=True)
class Summary:
    """Exponentially weighted means over a trial's requests, which begin at 0; n of them.

    Attributes:
        rate: of the feedback, `(users, n)`.
        shown: of the items' scaled features, `(users, n, width)`.
        liked: of features times (feedback - rate), `(users, n, width)`: what is clicked beyond
            the usual points where it leads.
    """

    rate: Array
    shown: Array
    liked: Array


class Reader:
    """Turns observations into the inputs of a network, one float32 row for each user.

    All see the last slate's features (scaled to unit variance over the catalogue), the feedback on
    it, the clock, and the public context where there is one. Networks without a memory see a
    `Summary` besides: without it they could not adapt to a user at all. Nothing else is told.

    Args:
        scale: of each feature, `(width,)`.
        slate: items in a request.
        context: numbers of the public context.
        summarised: whether a summary is seen.
    """

    def __init__(self, scale: Array, slate: int, context: int = 0, summarised: bool = True) -> None:
        self.scale = scale
        self.slate = slate
        self.context = context
        self.summarised = summarised
        width = len(scale)
        self.size = slate * (width + 1) + CLOCK + context
        if summarised:
            self.size += len(KEPT) * (2 * width + 1)

    def start(self, users: int) -> Summary:
        """Of users of whom nothing is known; with no means where no summary is seen."""
        means, width = len(KEPT) if self.summarised else 0, len(self.scale)
        rate = np.zeros((users, means), np.float32)
        shown = np.zeros((users, means, width), np.float32)
        return Summary(rate, shown, shown.copy())

    def read(self, observation: Observation, summary: Summary) -> tuple[Array, Summary]:
        """The inputs, `(users, size)`, and the new summary: an empty one for a new user."""
        slate = observation["slate"] * self.scale
        feedback = observation["feedback"]
        parts = [
            slate.reshape(len(slate), -1),
            feedback,
            observation["new_user"],
            observation["new_session"],
            observation["log_elapsed"] / np.float32(10),
            np.log1p(observation["position"]) / np.float32(3),
        ]
        if self.context:
            parts.append(observation["context"])
        if self.summarised:
            summary = self._summed_up(slate, feedback, known(observation)[:, None], summary)
            # Means of features shrink as they run longer: brought back to a size of about one.
            size = np.sqrt((1 + KEPT) / (1 - KEPT))[:, None]
            for means in (summary.rate, summary.shown * size, summary.liked * size):
                parts.append(means.reshape(len(means), -1))
        return np.concatenate(parts, axis=1), summary

    def _summed_up(self, slate: Array, feedback: Array, old: Array, before: Summary) -> Summary:
        rate = (
            before.rate * old + (1 - KEPT) * (feedback.mean(1, keepdims=True) - before.rate) * old
        )
        surprise = feedback[:, None, :] - before.rate[:, :, None]
        liked = np.einsum("uns,usw->unw", surprise, slate) / self.slate
        kept, old = KEPT[:, None], old[:, :, None]
        new = 1 - kept
        return Summary(
            rate,
            (kept * before.shown + new * slate.mean(1)[:, None]) * old,
            (kept * before.liked + new * liked) * old,
        )


def feature_scale(catalogue: Catalogue) -> Array:
    """What brings each column of a catalogue's table to unit variance; 1 for a constant one."""
    spread = np.asarray(catalogue.table).std(0)
    return np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 1).astype(np.float32)
