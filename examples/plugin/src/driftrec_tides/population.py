"""The population: these users, what they are shown, and who is met in which split."""

from __future__ import annotations

from dataclasses import replace

from driftrec.envs import Population
from driftrec_tides.users import Tides

CARD = "Invented: no log stands behind these users. Say here where your parameters come from."


def tides_population() -> Population:
    """Users of a usual tide, and two kinds of strangers to report on.

    In `ood-drift` the tide turns four times as fast, in `ood-taste` it matters less. What is not
    said of a split is as in `train`, whose users are others all the same.
    """
    users = Tides()
    items = users.default_catalogue()
    return Population(
        "tides",
        users,
        items,
        variants={
            "ood-drift": (replace(users, period=users.period / 4), items),
            "ood-taste": (replace(users, strength=users.strength / 2), items),
        },
        card=CARD,
    )
