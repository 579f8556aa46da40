"""A few users' trials request by request, for who wants to see what the numbers stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from driftrec.agents.benchmark.plain import plain
from driftrec.agents.evaluation import Evaluation
from driftrec.agents.metrics import user_ctr
from driftrec.envs import Catalogue

PLACES = (1 / 6, 1 / 2, 5 / 6)
"""Which users are shown: those at these shares of all, ordered by what the reference gained."""


def trials(
    shown: Mapping[str, Evaluation], gain: np.ndarray, catalogue: Catalogue
) -> list[dict[str, Any]]:
    """The trials of a few users under several methods, as JSON can hold them.

    Requests and sessions are numbered from 1. `clicks` is the feedback summed over the slate;
    `predicted`, `expected` (what the simulator knew) and `best` (the same of the best slate) are
    means over its items, null where they were not recorded.

    Args:
        shown: one run of each method, on the same users.
        gain: by which users are ordered and chosen, `(users,)`.
        catalogue: what they were shown.
    """
    order = np.argsort(gain, kind="stable")
    chosen = dict.fromkeys(int(order[int(share * len(order))]) for share in PLACES)
    return [
        {
            "user": user,
            "group": _group(next(iter(shown.values())), user),
            "methods": {name: trial(run, user, catalogue) for name, run in shown.items()},
        }
        for user in chosen
    ]


def trial(evaluation: Evaluation, user: int, catalogue: Catalogue) -> list[dict[str, Any]]:
    """One user's requests, in their order."""
    topic = np.asarray(catalogue.topic)
    requests = []
    for request in np.flatnonzero(evaluation.active[user]).tolist():
        items = [int(item) for item in evaluation.items[user, request]]
        requests.append(
            {
                "request": request + 1,
                "session": int(evaluation.session[user, request]) + 1,
                "day": plain(evaluation.day[user, request]),
                "items": items,
                "titles": [_title(catalogue, item) for item in items],
                "topics": [_topic(catalogue, int(topic[item])) for item in items],
                "clicks": plain(evaluation.feedback[user, request]),
                "predicted": _mean(evaluation.predicted, user, request),
                "expected": _mean(evaluation.expected, user, request, evaluation.slate),
                "best": _mean(evaluation.best, user, request, evaluation.slate),
            }
        )
    return requests


def gains(one: Evaluation | None, other: Evaluation | None, otherwise: Evaluation) -> np.ndarray:
    """By how much each user's CTR is higher under the one, or the CTR of a third run if none."""
    if one is None or other is None:
        return user_ctr(otherwise)
    gain: np.ndarray = user_ctr(one) - user_ctr(other)
    return gain


def _mean(values: np.ndarray | None, user: int, request: int, slate: int = 1) -> float | None:
    if values is None:
        return None
    mean: float = plain(values[user, request].mean() / slate)
    return mean


def _group(evaluation: Evaluation, user: int) -> str:
    if evaluation.group is None or not evaluation.group_names:
        return ""
    return evaluation.group_names[int(evaluation.group[user])]


def _title(catalogue: Catalogue, item: int) -> str:
    return catalogue.titles[item] if catalogue.titles else f"item {item}"


def _topic(catalogue: Catalogue, topic: int) -> str:
    return catalogue.topic_names[topic] if catalogue.topic_names else f"topic {topic}"
