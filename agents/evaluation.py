"""What happened in an evaluation: every trial of every user, request by request."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from driftrec.envs.files import replacing

DAMAGE = (zipfile.BadZipFile, zlib.error, AttributeError, EOFError, KeyError, TypeError, ValueError)
"""What reading a damaged or foreign file raises."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Whole trials of many users under one policy.

    Requests that a user did not live to see hold 0 (NaN in `gap`) and are False in `active`.

    Attributes:
        policy: name of the policy.
        population: name of the population.
        split: the part of it that the users come from.
        seed: seeds of the users, one for each stratum; with `batch` it says who they are.
        batch: users simulated at once.
        slate: items in a request.
        feedback: summed over the slate, float32 `(users, requests)`.
        items: what was shown, int32 `(users, requests, slate)`.
        active: whether the request took place, `(users, requests)`.
        session: number of the session from 0, int32 `(users, requests)`.
        day: days since first contact, float32 `(users, requests)`.
        gap: days until the next session where the request ended one and the user came back,
            float32 `(users, requests)`.
        reward: float32 `(users, requests)`.
        expected: expected feedback on the slate shown, float32 `(users, requests)`, or None.
        best: expected feedback on the best slate of unseen items, likewise.
        churned: whether the user left for good, `(users,)`.
        truncated: whether the trial reached its limits, `(users,)`.
        last_day: the last day on which the user is known to be there, float32 `(users,)`: of the
            last request for who churned, of the next one for who would have come back.
        stratum: which of the seeds the user was drawn by, int32 `(users,)`.
        clicks: feedback on each item of the slate, float32 `(users, requests, slate)`; None where
            the slate is one item, whose feedback it is.
        predicted: what the policy took for the click probability of each item that it showed,
            float32 `(users, requests, slate)`; None where it says nothing of it.
        group: which of `group_names` the user belonged to at first contact, int32 `(users,)`;
            None in older files. Privileged: policies never see it.
        group_names: names of the groups of users that there are.
    """

    policy: str
    population: str
    split: str
    seed: tuple[int, ...]
    batch: int
    slate: int
    feedback: np.ndarray
    items: np.ndarray
    active: np.ndarray
    session: np.ndarray
    day: np.ndarray
    gap: np.ndarray
    reward: np.ndarray
    expected: np.ndarray | None
    best: np.ndarray | None
    churned: np.ndarray
    truncated: np.ndarray
    last_day: np.ndarray
    stratum: np.ndarray
    clicks: np.ndarray | None = None
    predicted: np.ndarray | None = None
    group: np.ndarray | None = None
    group_names: tuple[str, ...] = ()

    @property
    def item_feedback(self) -> np.ndarray:
        """Feedback on each item shown, float32 `(users, requests, slate)`.

        In files of slates that were written before `clicks` was, it is taken to be spread evenly.
        """
        if self.clicks is not None:
            return self.clicks
        each: np.ndarray = np.broadcast_to(
            self.feedback[:, :, None] / np.float32(self.slate), self.items.shape
        )
        return each

    @property
    def users(self) -> int:
        """Number of users."""
        return len(self.active)

    @property
    def requests(self) -> int:
        """Requests in the longest trial that the population allows."""
        return int(self.active.shape[1])

    @property
    def who(self) -> tuple[Any, ...]:
        """What says who the users are: evaluations that agree in it met the same ones."""
        return (self.population, self.split, self.seed, self.batch, self.users, self.requests)

    def save(self, path: str | Path) -> None:
        """Write to a compressed numpy archive, atomically."""
        arrays: dict[str, Any] = {}
        settings: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            (arrays if isinstance(value, np.ndarray) else settings)[field.name] = value
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, settings=np.array(json.dumps(settings)), **arrays)

    @classmethod
    def load(cls, path: str | Path) -> Evaluation:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if the file is damaged or something else.
        """
        try:
            # Opened here, since numpy leaves a damaged file open.
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
                content = {name: archive[name] for name in archive.files}
            settings = json.loads(str(content.pop("settings")))
            names = tuple(settings.get("group_names", ()))
            known = {"seed": tuple(settings["seed"]), "group_names": names}
            return cls(**content, **(settings | known))
        except DAMAGE as error:
            raise ValueError(
                f"{path} must be an evaluation saved by driftrec; it is damaged or something "
                f"else ({error}): delete it and evaluate again"
            ) from error


def join(parts: Sequence[Evaluation]) -> Evaluation:
    """One evaluation of all users of several: batches of one seed, or whole seeds.

    Args:
        parts: by the same policy on the same split, with the same settings.

    Raises:
        ValueError: if there are none, or they are of different things.
    """
    if not parts:
        raise ValueError("there must be at least one evaluation to join, got none")
    kinds = {(p.policy, p.population, p.split, p.batch, p.slate, p.requests) for p in parts}
    if len(kinds) > 1:
        raise ValueError(f"evaluations to join must be of one kind, got {sorted(kinds)}")
    seeds = list(dict.fromkeys(seed for part in parts for seed in part.seed))
    content: dict[str, Any] = {}
    for field in fields(Evaluation):
        values = [getattr(part, field.name) for part in parts]
        several = isinstance(values[0], np.ndarray)
        content[field.name] = np.concatenate(values) if several else values[0]
    strata = [
        np.array([seeds.index(seed) for seed in part.seed], np.int32)[part.stratum]
        for part in parts
    ]
    return Evaluation(**(content | {"seed": tuple(seeds), "stratum": np.concatenate(strata)}))
