"""What the tests of the recsim-ng back end share."""

from pathlib import Path

import numpy as np
import pytest

# Written for recsim-ng, whose imports fail unless driftrec makes them; `--doctest-modules` would.
collect_ignore = ["tiring.py"]


@pytest.fixture
def own_story(monkeypatch):
    """The example story, where Python finds its modules."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return "tiring_story:STORY"


@pytest.fixture
def slates():
    """Draws slates of two out of a hundred documents, without an item twice, by a seed."""

    def draw(seed, users, requests):
        rng = np.random.default_rng(seed)
        first = rng.integers(100, size=(requests, users))
        second = (first + rng.integers(1, 100, size=(requests, users))) % 100
        return np.stack([first, second], axis=2)

    return draw
