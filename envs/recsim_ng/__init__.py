"""Stories of the package recsim-ng as environments, run live; it is imported when one is made."""

from driftrec.envs.recsim_ng.environment import RecSimNGEnv, RecSimNGVectorEnv, story_population
from driftrec.envs.recsim_ng.library import MissingExtraError, compatible, missing
from driftrec.envs.recsim_ng.story import (
    INTEREST_EVOLUTION,
    Story,
    register_story,
    resolve_story,
)
from driftrec.envs.recsim_ng.users import StoryUsers

__all__ = [
    "INTEREST_EVOLUTION",
    "MissingExtraError",
    "RecSimNGEnv",
    "RecSimNGVectorEnv",
    "Story",
    "StoryUsers",
    "compatible",
    "missing",
    "register_story",
    "resolve_story",
    "story_population",
]
