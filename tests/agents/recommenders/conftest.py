"""A part of the embedded log of films, and what scorers make of its users' histories."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import csr_array

from driftrec.agents.recommenders.scoring import News
from driftrec.envs.logs import load_log

ITEMS, TRAINING, STRANGERS = 150, 400, 12


def replay(scorer, histories):
    """Scores after each user was shown the films of `histories`: `(item, liked)` in order."""
    state = scorer.start(len(histories))
    for request in range(max(map(len, histories))):
        told = np.array([request < len(history) for history in histories], np.float32)
        now = [h[request] if request < len(h) else (0, 0) for h in histories]
        items, liked = (np.array(column)[:, None] for column in zip(*now, strict=True))
        state = scorer.learn(state, News(items, liked.astype(np.float32), told))
    return state, scorer.scores(state)


def top(scores, count=10):
    return np.argsort(-np.asarray(scores), axis=1, kind="stable")[:, :count]


@pytest.fixture(scope="session")
def films():
    """Feedback on the most rated films by training users, and histories of strangers."""
    log, _ = load_log("Movies")
    kept = np.argsort(-np.bincount(log.item, minlength=log.num_items), kind="stable")[:ITEMS]
    code = np.full(log.num_items, -1)
    code[kept] = np.arange(ITEMS)
    rows = code[log.item] >= 0
    user, item, liked = log.user[rows], code[log.item[rows]], log.feedback[rows]
    # Of whom nothing was liked, libraries say nothing.
    often = np.flatnonzero((np.bincount(user) >= 10) & (np.bincount(user, liked) >= 3))
    often = often[: TRAINING + STRANGERS]
    number = np.full(log.num_users, -1)
    number[often] = np.arange(len(often))
    rows = number[user] >= 0
    user, item, liked = number[user[rows]], item[rows], liked[rows]
    histories = [
        list(zip(item[user == one], liked[user == one].astype(int), strict=True))
        for one in range(TRAINING, TRAINING + STRANGERS)
    ]
    train = user < TRAINING
    signed = csr_array(
        (2 * liked[train] - 1, (user[train], item[train])), shape=(TRAINING, ITEMS), dtype="f4"
    )
    clicks = signed.copy()
    clicks.data = (clicks.data > 0).astype(np.float32)
    clicks.eliminate_zeros()
    return SimpleNamespace(
        signed=signed,
        clicks=clicks,
        histories=histories,
        topics=log.topics[kept],
        titles=tuple(log.titles[one] for one in kept),
        topic_names=log.topic_names,
    )
