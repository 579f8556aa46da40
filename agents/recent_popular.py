"""What was popular lately, by the clicks of others."""

from __future__ import annotations

import numpy as np

from driftrec.agents.memory import Memory, new_memory, top_unseen
from driftrec.agents.recommenders.ratings import impressions
from driftrec.agents.recommenders.training_log import TrainingLog
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation


def recent_rates(log: TrainingLog, items: int, *, days: float, prior: float) -> Array:
    """Click rate of each item, of which impressions of d days ago count exp(-d / days).

    Days are counted back from each user's own last request, since a log does not say who came
    when; each item has `prior` impressions more at the rate of the whole log.

    Args:
        log: clicks of training users.
        items: size of the catalogue.
        days: in which an impression loses all but 1/e of its weight.
        prior: in impressions.

    Returns:
        float32 `(items,)`.
    """
    if not days > 0 or not prior > 0:
        raise ValueError(f"days and prior must be positive, got {days} and {prior}")
    _, shown, clicks = impressions(log)
    ago = np.where(log.active, log.day, 0).max(1, keepdims=True) - log.day
    weight = np.repeat(np.exp(-ago[log.active].astype(np.float64) / days), log.items.shape[2])
    met = np.bincount(shown, weight, minlength=items)
    clicked = np.bincount(shown, weight * clicks, minlength=items)
    overall = clicked.sum() / max(met.sum(), 1e-12)
    return ((clicked + prior * overall) / (met + prior)).astype(np.float32)


class RecentPopular:
    """Shows the unseen items that others click most.

    Args:
        rates: click rate of each item, `(items,)`.
        slate: items in a request.
    """

    def __init__(self, rates: Array, slate: int = 1) -> None:
        self._rates = np.asarray(rates, np.float32)
        self._slate = slate

    def start(self, users: int) -> Memory:
        """Nothing shown yet."""
        return new_memory(users, len(self._rates), self._slate)

    def act(self, observation: Observation, state: Memory) -> tuple[Array, Memory]:
        """The best unseen items, `(users, slate)`, and the new state."""
        items = top_unseen(self._rates, state.shown, self._slate)
        return items, state.after(items)

    def predict(self, state: Memory, items: Array) -> Array:
        """Click probability of `items`, the same for everyone, float32 `(users, slate)`."""
        return np.clip(self._rates[items], 0, 1)
