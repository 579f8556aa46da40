"""The suites that come with the package.

From the first release on, what a name stands for never changes: a change of any scenario is a new
version under a new name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from driftrec.agents.benchmark.scenarios import (
    JUMP,
    default_users,
    early_feed,
    fast_feed,
    growing_feed,
    jumping_feed,
    month_of_feed,
    moody_feed,
    sated_feed,
    still_feed,
)
from driftrec.agents.benchmark.suite import Scenario, Suite
from driftrec.agents.method import Size
from driftrec.envs import Population, make_population

REFERENCES = (
    "random", "most-popular", "recent-popular", "satiation-aware", "filter-misspecified",
    "filter-greedy", "filter-thompson", "filter-ucb", "core-oracle", "clairvoyant",
)  # fmt: skip

BANDITS = (
    "epsilon-greedy", "linucb", "discounted-linucb", "window-linucb", "hybrid-linucb", "lin-ts",
    "logistic-ts", "kalman-ts", "neural-linear", "hierarchical-static",
    "hierarchical-bayes",
)  # fmt: skip

RECOMMENDERS = (
    "user-knn", "item-knn", "als", "bpr", "content-attributes", "content-keywords",
    "weighted-hybrid", "mixed-collaborative", "mixed-content", "gru4rec",
)  # fmt: skip

DEEP = ("ppo", "a2c", "dqn", "sac", "recurrent-ppo", "slateq")

META = (
    "rl2", "amortised", "trees", "maml", "dpt", "reptile", "gradient-aggregation", "es",
    "curriculum",
)  # fmt: skip

EVERYTHING = (*REFERENCES, *BANDITS, *RECOMMENDERS, *DEEP, *META)

SMOKE = (
    "random", "most-popular", "filter-ucb", "clairvoyant", "discounted-linucb",
    "hierarchical-bayes", "item-knn", "ppo", "amortised", "rl2",
)  # fmt: skip
"""One or two of each family."""

ON_LOGS = (*REFERENCES, *BANDITS, *RECOMMENDERS, "ppo", "recurrent-ppo", *META[:5])
"""Methods for users fitted to a log, without those that cost most and give least on the feed."""

PORTABLE = (
    *REFERENCES, *BANDITS, "item-knn", "als", "content-attributes", "ppo", "recurrent-ppo",
    *META[:5],
)  # fmt: skip
"""Methods for another catalogue than the one trained on, and a few that cannot serve it."""

FINE_TUNED = ("rl2-finetuned-100", "amortised-finetuned-100")

GROWING = (
    *REFERENCES, *BANDITS, "item-knn", "als", "content-attributes", "mixed-content", "gru4rec",
    "recurrent-ppo", "rl2", "amortised", "trees",
)  # fmt: skip
"""Methods for items that arrive, a few of each kind."""

LASTING = (
    "random", "most-popular", "recent-popular", "satiation-aware", "filter-greedy", "filter-ucb",
    "core-oracle", "clairvoyant", "epsilon-greedy", "linucb", "discounted-linucb", "lin-ts",
    "hierarchical-bayes", "neural-linear", "item-knn", "als", "mixed-content", "gru4rec",
    "recurrent-ppo", "rl2", "amortised", "trees",
)  # fmt: skip
"""Methods for trials of 300 requests, a few of each kind."""

ELSEWHERE = (
    "random", "most-popular", "recent-popular", "clairvoyant", "epsilon-greedy", "linucb",
    "discounted-linucb", "window-linucb", "lin-ts", "kalman-ts", "hierarchical-bayes", "item-knn",
    "als", "recurrent-ppo", "rl2", "amortised", "trees",
)  # fmt: skip
"""Methods for users of other simulators, of which no filter knows the model."""


def cold_start(size: Size) -> tuple[Scenario, ...]:
    """New users, and items that are new as well."""
    feed = make_population("Feed")
    if size == "smoke":
        return (_scenario(size, "feed", NEW_USERS, feed, feed),)
    videos = make_population("KuaiRand")
    make = partial(_scenario, size, trainings=3)
    return (
        make("feed", NEW_USERS, feed, feed),
        make("kuairand", f"{NEW_USERS} {FITTED}", videos, videos, ON_LOGS),
        make("new-items", NEW_ITEMS, growing_feed(), early_feed(), GROWING),
    )


def dynamic(size: Size) -> tuple[Scenario, ...]:
    """Users who change more, less, or otherwise than those trained on."""
    feed = make_population("Feed")
    make = partial(_scenario, size, trained_on=feed, trainings=3)
    if size == "smoke":
        return (make("jump", JUMPS, jumping_feed(), jump=JUMP),)
    return (
        make("still", "Nobody changes: does a method that expects drift lose by it?", still_feed()),
        make("slow", "People change as real ones do.", feed),
        make("fast", "Lasting taste is another after days: who follows?", fast_feed()),
        make("jump", JUMPS, jumping_feed(), jump=JUMP),
        make("moody", "Moods and whims pass in minutes: who reads the last clicks?", moody_feed()),
        make("sated", "A topic soon is too much: who varies what is shown?", sated_feed()),
    )


def cross_domain(size: Size) -> tuple[Scenario, ...]:
    """Trained on users and items of one domain, met in another."""
    videos, films, made_up = make_population("KuaiRand"), make_population("Movies"), default_users()
    tuned = (*PORTABLE, *FINE_TUNED)
    make = partial(_scenario, size)
    if size == "smoke":
        return (make("kuairand-to-movies", ABROAD, films, videos),)
    return (
        make("kuairand-to-movies", ABROAD, films, videos, tuned),
        make("movies-to-kuairand", ABROAD, videos, films, tuned),
        make("default-to-kuairand", MADE_UP, videos, made_up, tuned),
        make("movies-at-home", AT_HOME, films, films, PORTABLE),
    )


def retention(size: Size) -> tuple[Scenario, ...]:
    """Long trials in which users stay or leave for good."""
    bored, feed, month = make_population("Retention"), make_population("Feed"), month_of_feed()
    if size == "smoke":
        return (_scenario(size, "boredom", BOREDOM, bored, bored),)
    return (
        _scenario(size, "boredom", BOREDOM, bored, bored, (*LASTING, "rl2-retention")),
        _scenario(size, "satisfaction", SATISFACTION, month, feed, LASTING),
    )


def published(size: Size) -> tuple[Scenario, ...]:
    """Users of simulators that others published."""
    names = {
        "sardine": "sardine.SingleItem-BoredInf",
        "recogym": "recogym.v1",
        "reclab": "reclab.TopicsDynamic",
    }
    if size == "smoke":
        names = {"recogym": names["recogym"]}
    return tuple(
        _scenario(
            size,
            name,
            f"Users of {source}, as they were published.",
            make_population(source),
            make_population(source),
            ELSEWHERE,
            baseline="random",
            reference="clairvoyant",
        )
        for name, source in names.items()
    )


NEW_USERS = "Nothing is known of a user at first: who learns most within a few requests?"

FITTED = "These are fitted to a real log."

AT_HOME = "Trained on films as well: what the transfer loses."

NEW_ITEMS = (
    "Half of the items arrive while the user is there, unknown to everyone who learned from a log: "
    "who shows them, to whom?"
)

JUMPS = "Everybody's persona changes after 60 requests: how long until a method has recovered?"

ABROAD = "Trained on users and items of another log: what carries over?"

MADE_UP = (
    "Trained on default users, fitted to nothing: what does that say of users fitted to a log?"
)

BOREDOM = "Whoever is bored leaves for good: who keeps people, and at what price in clicks?"

SATISFACTION = "Whoever is content comes back: do clicks and retention go together?"


def _scenario(
    size: Size,
    name: str,
    question: str,
    population: Population,
    trained_on: Population,
    methods: tuple[str, ...] = EVERYTHING,
    *,
    jump: int = 0,
    baseline: str = "most-popular",
    reference: str = "filter-ucb",
    trainings: int = 1,
) -> Scenario:
    """A scenario of a size: smoke has few users and one or two methods of each family.

    Methods are trained once in smoke, `trainings` times in standard, and three times in full.
    """
    users, seeds = {"smoke": (100, 1), "standard": (500, trainings), "full": (2000, 3)}[size]
    chosen = [name for name in methods if size != "smoke" or name in SMOKE]
    return Scenario(
        name=name,
        question=question,
        population=population,
        trained_on=trained_on,
        split="test",
        users=users,
        methods=tuple(chosen),
        batch=min(users, 250),
        baseline=baseline,
        reference=reference,
        seeds=seeds,
        jump=jump,
    )


def _suite(name: str, title: str, make: Callable[[Size], tuple[Scenario, ...]]) -> Suite:
    return Suite(name, title, (make.__doc__ or "").strip(), make)


SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        _suite("cold-start-v1", "Cold start", cold_start),
        _suite("dynamic-v1", "Dynamic", dynamic),
        _suite("cross-domain-v1", "Cross-domain", cross_domain),
        _suite("retention-v1", "Retention", retention),
        _suite("published-v1", "Published simulators", published),
    )
}
"""By name."""


def make_suite(name: str) -> Suite:
    """The suite called `name`.

    Raises:
        ValueError: if there is none of that name.
    """
    if name not in SUITES:
        raise ValueError(f"suite must be one of {', '.join(SUITES)}; got {name!r}")
    return SUITES[name]
