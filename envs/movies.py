"""DriftRec/Movies-v0: films for users fitted to a real log of ratings."""

from __future__ import annotations

from typing import Any

from driftrec.envs.env import RecommendationEnv
from driftrec.envs.kuairand import SHIPPED
from driftrec.envs.population import Population
from driftrec.envs.storage import load_population
from driftrec.envs.vector import RecommendationVectorEnv


def movies_population() -> Population:
    """Users fitted to MovieTweetings, as shipped; its `card` says what comes from where."""
    return load_population(SHIPPED / "Movies")


class MoviesEnv(RecommendationEnv):
    """1000 films, one suggested at a time, to users fitted to MovieTweetings.

    The user is a `DriftingUser` whose level, satiation, sessions, gaps and churn are fitted to
    half the log's users for `train` and `validation`, and to the other half for `test` and the
    `ood-*` splits. A click is a like, a rating of 8 or more out of 10. The films are the 1000
    that were rated most, with their titles, genres, quality and latent factors. `ood-items` has
    the 1000 next ones. A user is there for one film or two and back after days or weeks, so that
    a trial of 120 requests takes years: passing moods are chance here, and what drifts is lasting
    taste. The population's `card` lists every parameter with its interval and source;
    `scripts/fit.py` makes it anew.

    Action space:
        `Discrete(1000)`: the film to suggest. A film suggested before is not liked again:
        `action_masks` names the others.

    Observation space:
        `Dict`, float32, a function of public history alone:

        ==============  =========  ==========================================================
        key             shape      meaning
        ==============  =========  ==========================================================
        `slate`         (1, 24)    10 latent factors, 13 genres and quality of the last film
        `feedback`      (1,)       1 if it was liked
        `new_user`      (1,)       1 in the first observation of a trial
        `new_session`   (1,)       1 in the first observation of a session
        `log_elapsed`   (1,)       log(1 + seconds since the last request)
        `position`      (1,)       requests so far in this session
        ==============  =========  ==========================================================

    Rewards:
        `reward="clicks"` (default): 1 for a like. `"retention"`: -1 when the user leaves for
        good. `"returns"`: 1 when a session ends and the user comes back. A mapping of names to
        weights gives their sum.

    Starting state:
        A new user of the split, not yet sated.

    Episode end:
        Terminated when the user never returns; truncated after 120 requests.

    Arguments:
        `split` ("train", "validation", "test", "ood-drift", "ood-taste", "ood-items"), `reward`,
        `parameters` (changes to `DriftingUser`, such as `{"taste_sd": 1}`), `render_mode`.

    Version history:
        v0: first release.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("Movies", **options)


class MoviesVectorEnv(RecommendationVectorEnv):
    """`MoviesEnv` for many users at once, stepped by the batch engine."""

    def __init__(self, num_envs: int = 1, **options: Any) -> None:
        super().__init__("Movies", num_envs, **options)
