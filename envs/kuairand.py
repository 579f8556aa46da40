"""DriftRec/KuaiRand-v0: a feed of short videos with users fitted to a real log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from driftrec.envs.env import RecommendationEnv
from driftrec.envs.population import Population
from driftrec.envs.storage import load_population
from driftrec.envs.vector import RecommendationVectorEnv

SHIPPED = Path(__file__).parent / "data" / "populations"
"""Folder of the fitted populations that come with the package."""


def kuairand_population() -> Population:
    """Users fitted to KuaiRand-Pure, as shipped; its `card` says what comes from where."""
    return load_population(SHIPPED / "KuaiRand")


class KuaiRandEnv(RecommendationEnv):
    """A feed of 1000 short videos, one a request, with users fitted to KuaiRand-Pure.

    The user is a `DriftingUser` whose level, mood, whims, satiation, repeat effect, sessions and
    gaps are fitted to half the log's users for `train` and `validation`, and to the other half for
    `test` and the `ood-*` splits. The videos are the 1000 that the log's feed showed most, with
    their topics and quality; their features are drawn to fit the topics, since the log is too
    thin for latent factors. `ood-items` has the 1000 next ones. A session lasts about 50 requests,
    so that a trial of 120 is two or three sessions and a day or two. The population's `card`
    lists every parameter with its interval and source; `scripts/fit.py` makes it anew.

    Action space:
        `Discrete(1000)`: the video to show. A video may be shown again, and is then clicked less.

    Observation space:
        `Dict`, float32, a function of public history alone:

        ==============  =========  ====================================================
        key             shape      meaning
        ==============  =========  ====================================================
        `slate`         (1, 24)    10 features, 13 topics and quality of the last video
        `feedback`      (1,)       1 if it was clicked
        `new_user`      (1,)       1 in the first observation of a trial
        `new_session`   (1,)       1 in the first observation of a session
        `log_elapsed`   (1,)       log(1 + seconds since the last request)
        `position`      (1,)       requests so far in this session
        ==============  =========  ====================================================

    Rewards:
        `reward="clicks"` (default): 1 for a click. `"retention"`: -1 when the user leaves for
        good. `"returns"`: 1 when a session ends and the user comes back. A mapping of names to
        weights gives their sum.

    Starting state:
        A new user of the split, in the stationary law of mood and whims, not yet sated.

    Episode end:
        Terminated when the user never returns; truncated after 120 requests.

    Arguments:
        `split` ("train", "validation", "test", "ood-drift", "ood-taste", "ood-items"), `reward`,
        `parameters` (changes to `DriftingUser`, such as `{"mood_sd": 0}`), `render_mode`.

    Version history:
        v0: first release.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("KuaiRand", **options)


class KuaiRandVectorEnv(RecommendationVectorEnv):
    """`KuaiRandEnv` for many users at once, stepped by the batch engine."""

    def __init__(self, num_envs: int = 1, **options: Any) -> None:
        super().__init__("KuaiRand", num_envs, **options)
