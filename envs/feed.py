"""DriftRec/Feed-v0: one item a request from a feed of 500."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from driftrec.envs.catalogue import synthetic_catalogue
from driftrec.envs.drifting_user import DriftingUser, default_personas
from driftrec.envs.env import RecommendationEnv
from driftrec.envs.population import Population
from driftrec.envs.vector import RecommendationVectorEnv

ITEMS = 500


def feed_population() -> Population:
    """Users of a feed with the sizes of taste, mood and drift that real logs show."""
    catalogue = synthetic_catalogue(ITEMS, np.random.default_rng([500, 0]))
    unseen = synthetic_catalogue(ITEMS, np.random.default_rng([500, 1]))
    model = DriftingUser()
    faster = DriftingUser(
        retained_per_year=0.05, life_events_per_year=20.0, whim_minutes=3.0, mood_hours=0.5
    )
    strangers = DriftingUser(personas=default_personas(12, model.dimension, seed=1))
    return Population(
        "Feed",
        model,
        catalogue,
        variants={
            "ood-drift": (faster, catalogue),
            "ood-taste": (strangers, catalogue),
            "ood-items": (model, unseen),
        },
        max_requests=120,
        card=CARD,
    )


def retention_population() -> Population:
    """Users of the feed whom sameness drives away, met for up to 300 requests or 30 days.

    The more of one topic a user was shown in the last quarter of an hour, the more boring is the
    next item of it. Boredom hardly touches clicks but decides whether the user returns, and whims
    are strong: what is clicked most now is more of the same.
    """
    population = feed_population().replace_parameters(
        satiation=0.03,
        satiation_hours=0.2,
        whim_sd=1.0,
        churn=0.01,
        churn_spread=0.3,
        churn_boredom=1.0,
        churn_satisfaction=2.0,
    )
    return replace(
        population, name="Retention", max_requests=300, max_days=30.0, card=RETENTION_CARD
    )


CARD = """\
A synthetic feed. Sizes are standard deviations in logits, from real logs: level .65, mood .65
over 3 hours, quality .7, lasting taste .7 over 10 item factors in 12 personas, whims .7 over
minutes in 8 topics. An item is news to a user once: shown again it is not clicked.
`ood-drift` drifts faster, `ood-taste` has other personas, `ood-items` another catalogue."""


RETENTION_CARD = """\
The users of the feed with stronger whims (1.0) and with boredom that drives them away: the odds of
never returning rise by e for each recent exposure to a topic that the last items had on average.
Parameters are chosen so that clicks now and users later ask for different slates."""


class FeedEnv(RecommendationEnv):
    """A feed of 500 items, one a request, for about 120 requests over several sessions.

    The user is a `DriftingUser`: clicks by level, item quality, mood, lasting taste, passing whims
    and satiation; leaves sessions when bored or let down, returns after a heavy-tailed gap, and
    may never return. An item shown before is not clicked again: `action_masks` names the others.

    Action space:
        `Discrete(500)`: the item to show.

    Observation space:
        `Dict`, float32, a function of public history alone:

        ==============  =========  ===================================================
        key             shape      meaning
        ==============  =========  ===================================================
        `slate`         (1, 19)    10 features, 8 topics and quality of the last item
        `feedback`      (1,)       1 if it was clicked
        `new_user`      (1,)       1 in the first observation of a trial
        `new_session`   (1,)       1 in the first observation of a session
        `log_elapsed`   (1,)       log(1 + seconds since the last request)
        `position`      (1,)       requests so far in this session
        ==============  =========  ===================================================

    Rewards:
        `reward="clicks"` (default): 1 for a click. `"retention"`: -1 when the user leaves for
        good. `"returns"`: 1 when a session ends and the user comes back. A mapping of names to
        weights gives their sum.

    Starting state:
        A new user of the split, in the stationary law of mood and whims.

    Episode end:
        Terminated when the user never returns; truncated after 120 requests.

    Arguments:
        `split` ("train", "validation", "test", "ood-drift", "ood-taste", "ood-items"), `reward`,
        `parameters` (changes to `DriftingUser`, such as `{"mood_sd": 0}`), `render_mode`.

    Version history:
        v0: first release.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("Feed", **options)


class FeedVectorEnv(RecommendationVectorEnv):
    """`FeedEnv` for many users at once, stepped by the batch engine."""

    def __init__(self, num_envs: int = 1, **options: Any) -> None:
        super().__init__("Feed", num_envs, **options)
