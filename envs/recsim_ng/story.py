"""Stories: which recsim-ng classes play the users, the documents and the reward."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from driftrec.envs.populations import register_population
from driftrec.envs.recsim_ng.library import compatible, library

Constructor = Callable[[dict[str, Any]], Any] | str
"""A class (or function) of recsim-ng's config, or where it is: "package.module:Class"."""

APPLICATION = "recsim_ng.applications.recsys_partially_observable_rl"


@dataclass(frozen=True, eq=False)
class Story:
    """Users, documents and reward of recsim-ng, whose slates an agent outside of it chooses.

    Classes are best given by where they are ("package.module:Class"): their module is then imported
    when a story is first run, with what recsim-ng needs for it.

    Attributes:
        name: of the story, in the names of populations and in seeds.
        user: a `recsim_ng.entities.recommendation.user.User`.
        documents: a `recsim_ng.entities.recommendation.corpus.Corpus`.
        metrics: a `recsim_ng.entities.recommendation.metrics.RecsMetricsBase`, whose field `reward`
            is the reward; None for 1 where a document is chosen.
        config: what recsim-ng's classes are made with: `num_topics`, `num_docs`, `slate_size` and
            whatever they ask for. `num_users` is the size of the batch.
        gin: bindings of gin, or the path of a `.gin` file of them, that hold while the classes are
            made and compiled.
        horizon: requests after which a trial is truncated.
        choice: the field of the response that names the chosen slots; the size of the slate stands
            for none.
        features: fields of the documents that agents see as features; every floating-point field
            but that of the quality if none are named.
        topic: the field that numbers the topic, if the documents have it.
        quality: the field that agents see as quality, likewise.
        documents_change: whether documents change over time or are drawn anew for every batch of
            users. If not, they are drawn once, by the seed of the population.

    Raises:
        ValueError: if the config lacks a size or has `num_users`, or the horizon is not positive.
    """

    name: str
    user: Constructor
    documents: Constructor
    metrics: Constructor | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    gin: str = ""
    horizon: int = 100
    choice: str = "choice"
    features: tuple[str, ...] = ()
    topic: str = "doc_topic"
    quality: str = "doc_quality"
    documents_change: bool = False

    def __post_init__(self) -> None:
        for size in ("num_topics", "num_docs", "slate_size"):
            value = self.config.get(size)
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"a story's config needs {size}, a whole number of 1 or more, got {value!r}"
                )
        if "num_users" in self.config:
            raise ValueError(
                "num_users is the size of the batch: leave it out of a story's config and give "
                "num_envs to gymnasium.make_vec"
            )
        if self.horizon < 1:
            raise ValueError(f"a story's horizon must be at least 1, got {self.horizon}")

    @property
    def slate(self) -> int:
        """Documents shown in a request."""
        return int(self.config["slate_size"])

    @contextmanager
    def bound(self) -> Iterator[None]:
        """Within this context gin's bindings are the story's; they are gone when it ends."""
        for where in (self.user, self.documents, self.metrics):
            # Gin can bind only what has been imported.
            attribute_of(where)
        with _bound(self.gin):
            yield

    def cast(self, users: int, slate: int) -> Cast:
        """The story's entities for a batch of users and a size of slate."""
        config = {**self.config, "num_users": users, "slate_size": slate}
        return Cast(
            attribute_of(self.user)(dict(config)),
            attribute_of(self.documents)(dict(config)),
            None if self.metrics is None else attribute_of(self.metrics)(dict(config)),
        )


@dataclass(frozen=True)
class Cast:
    """The entities of a story for a batch of users."""

    user: Any
    documents: Any
    metrics: Any


INTEREST_EVOLUTION = Story(
    name="InterestEvolution",
    user=f"{APPLICATION}.user:InterestEvolutionUser",
    documents=f"{APPLICATION}.corpus:CorpusWithTopicAndQuality",
    metrics=f"{APPLICATION}.metrics:ConsumedTimeAsRewardMetrics",
    config={"num_topics": 2, "num_docs": 100, "slate_size": 2},
    features=("doc_features",),
)
"""The application `recsys_partially_observable_rl` of recsim-ng's wheel, with its own numbers."""

_stories: dict[str, Story] = {INTEREST_EVOLUTION.name: INTEREST_EVOLUTION}


def register_story(story: Story) -> None:
    """Make a story available by its name to `DriftRec/RecSimNG-v0`, and as a population.

    The population's name is that of the story after "RecSimNG.".

    Raises:
        ValueError: if the name is taken.
    """
    if story.name in _stories:
        raise ValueError(f"the story {story.name!r} is registered already: choose another name")
    # Imported here, since environments are made of stories.
    from driftrec.envs.recsim_ng.environment import story_population

    register_population(f"RecSimNG.{story.name}", partial(story_population, story))
    _stories[story.name] = story


def resolve_story(story: Story | str) -> Story:
    """A story as it is, by the name it is registered under, or by where it is.

    Args:
        story: a story, a registered name, or "package.module:attribute".

    Raises:
        ValueError: if there is none.
    """
    if isinstance(story, str) and ":" not in story and story not in _stories:
        raise ValueError(
            f"story must be one of {', '.join(sorted(_stories))}, or 'package.module:attribute'; "
            f"got {story!r}"
        )
    found = _stories.get(story) or attribute_of(story) if isinstance(story, str) else story
    if not isinstance(found, Story):
        raise ValueError(f"{story!r} must be a Story, got {type(found).__name__}")
    return found


def attribute_of(where: Any) -> Any:
    """What a "package.module:attribute" names, imported as recsim-ng needs it; others as they are.

    Raises:
        ValueError: if there is no such module or attribute.
    """
    if not isinstance(where, str):
        return where
    library()
    module, _, attribute = where.partition(":")
    try:
        with compatible():
            found: Any = importlib.import_module(module)
        for name in attribute.split("."):
            found = getattr(found, name)
    except (ModuleNotFoundError, AttributeError) as error:
        raise ValueError(f"expected 'package.module:attribute', got {where!r}: {error}") from error
    return found


@contextmanager
def _bound(bindings: str) -> Iterator[None]:
    """Bindings of gin that are gone, as if they had never been, when the context ends."""
    if not bindings:
        yield
        return
    config: Any = importlib.import_module("gin.config")
    # Gin has no way to take bindings back but to forget all, those of others too.
    tables = {name: getattr(config, name) for name in ("_CONFIG", "_OPERATIVE_CONFIG")}
    before = {name: deepcopy(table) for name, table in tables.items()}
    imports = set(config._IMPORTS)
    try:
        with compatible(), config.unlock_config():
            if bindings.endswith(".gin"):
                config.parse_config_file(bindings)
            else:
                config.parse_config(bindings)
        yield
    finally:
        for name, table in tables.items():
            table.clear()
            table.update(before[name])
        config._IMPORTS.clear()
        config._IMPORTS.update(imports)
