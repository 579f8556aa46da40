"""Candidates: the items from which a slate is chosen, where not all of the catalogue is offered."""

from __future__ import annotations

from typing import Any

import numpy as np

from driftrec.envs.arrays import Array, rows_where, to_numpy

AHEAD = 64
"""Most requests that are drawn ahead."""

BLOCK = 16384
"""Most candidates that are drawn ahead."""


class Candidates:
    """Distinct items for each user and request, each set of so many as likely as the others.

    They are drawn by Floyd's algorithm (Bentley and Floyd 1987, "A sample of brilliance"), by numpy
    for every library, so that all see the same ones.

    Args:
        rng: of what the catalogue offers.
        users: size of the batch.
        items: size of the catalogue.
        count: candidates a request.
        xp: array namespace.
        device: where they live, for torch.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        users: int,
        items: int,
        count: int,
        xp: Any = np,
        device: Any = None,
    ) -> None:
        self._rng = rng
        self._requests = max(1, min(AHEAD, BLOCK // (users * count)))
        self._shape = (count, self._requests, users)
        self._from = items - count
        self._xp, self._device = xp, device
        self._ready: list[Array] = []

    def draw(self, trials: Any = None, shown: Array | None = None) -> Array:
        """Item numbers, int64 `(users, count)`, whatever happened so far."""
        if not self._ready:
            self._refill()
        return self._ready.pop()

    def _refill(self) -> None:
        count = self._shape[0]
        upper = np.arange(self._from, self._from + count, dtype=np.float32)
        draws = self._rng.random(self._shape, np.float32) * (upper[:, None, None] + 1)
        chosen = draws.astype(np.int32)
        for one in range(1, count):
            taken = (chosen[:one] == chosen[one]).any(0)
            chosen[one][taken] = self._from + one
        requests = list(chosen.transpose(1, 2, 0).astype(np.int64, order="C"))
        if self._xp is not np:
            whole = self._xp.asarray(np.stack(requests), device=self._device)
            requests = [whole[request] for request in range(self._requests)]
        self._ready = requests[::-1]


class Arrivals:
    """Distinct items for each user among those that are there already and were not shown yet.

    The last items of the catalogue arrive one after another, evenly over the trial. Which of the
    others are drawn is chance, each set as likely as any; where too few are left that were not
    shown, some that were make up the number.

    Args:
        rng: of what the catalogue offers.
        items: size of the catalogue.
        count: candidates a request.
        arrivals: items that are not there from the start.
        requests: in a whole trial.
        xp: array namespace.
        device: where they live, for torch.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        items: int,
        count: int,
        arrivals: int,
        requests: int,
        xp: Any = np,
        device: Any = None,
    ) -> None:
        self._rng = rng
        self._count = count
        self._first = items - arrivals
        self._arrivals, self._requests = arrivals, requests
        self._numbers = np.arange(items)
        self._xp, self._device = xp, device

    def there(self, request: np.ndarray) -> np.ndarray:
        """How many items are there by a request, counted from 0, `(users,)`."""
        return self._first + self._arrivals * request // self._requests

    def draw(self, trials: Any, shown: Array) -> Array:
        """Item numbers, int64 `(users, count)`.

        Args:
            trials: where the users stand.
            shown: 1 where an item was shown to a user, `(users, items)`.
        """
        order = self._rng.random(shown.shape, np.float32)
        order += to_numpy(shown)
        absent = self._numbers >= self.there(to_numpy(trials.request).astype(np.int64))[:, None]
        order[absent] = np.inf
        offered = np.argpartition(order, self._count - 1, axis=1)[:, : self._count]
        return offered if self._xp is np else self._xp.asarray(offered, device=self._device)


def check_offered(items: Array, offered: Array) -> None:
    """Refuse items that are not among the candidates.

    Args:
        items: numbers, `(users, slate)`.
        offered: `(users, candidates)`.

    Raises:
        ValueError: if one of them is not offered.
    """
    among = (items[:, :, None] == offered[:, None, :]).any(-1)
    if not bool(among.all()):
        row = int(rows_where(~among.all(-1))[0])
        raise ValueError(
            f"items must be among those offered: user {row} is offered "
            f"{offered[row].tolist()}, got {items[row].tolist()}"
        )
