"""The users of the suites' scenarios: populations made from those of the package."""

from __future__ import annotations

from dataclasses import replace

from driftrec.envs import Catalogue, DriftingUser, Population, make_population
from driftrec.envs.persona_jump import PersonaJump

ARRIVALS = 250
"""Items of the feed that arrive within a trial: half of them."""

EARLY_ARRIVALS = 50
"""Of the other half, those that arrive within a trial while methods learn."""

CANDIDATES = 100
"""Items from which each request of such a feed chooses."""

JUMP = 60
"""Requests after which everybody's persona changes: half a trial."""


def early_feed() -> Population:
    """The feed before its second half of items exists; some of the first half arrive meanwhile.

    As on the growing feed, each request has 100 candidates that are new to the user.
    """
    feed = make_population("Feed")
    return replace(
        feed,
        name="Feed-Early",
        catalogue=part_of(feed.catalogue, len(feed.catalogue) - ARRIVALS),
        variants={},
        candidates=CANDIDATES,
        arrivals=EARLY_ARRIVALS,
        repeats=True,
    )


def growing_feed() -> Population:
    """The feed whose second half of items arrives while a user is there."""
    feed = make_population("Feed")
    return replace(
        feed,
        name="Feed-Growing",
        variants={},
        candidates=CANDIDATES,
        arrivals=ARRIVALS,
        repeats=True,
    )


def part_of(catalogue: Catalogue, items: int) -> Catalogue:
    """The first items of a catalogue."""
    return replace(
        catalogue,
        features=catalogue.features[:items],
        topics=catalogue.topics[:items],
        quality=catalogue.quality[:items],
        titles=catalogue.titles[:items],
    )


def feed_where(name: str, **parameters: float) -> Population:
    """The feed with other parameters of its users, in all splits alike."""
    feed = replace(make_population("Feed"), name=name, variants={})
    return feed.replace_parameters(**parameters)


def still_feed() -> Population:
    """The feed of users who do not change: no drift, no moods, no whims, no satiation."""
    return feed_where(
        "Feed-Still",
        retained_per_year=1.0,
        life_events_per_year=0.0,
        influence=0.0,
        mood_sd=0.0,
        whim_sd=0.0,
        satiation=0.0,
    )


def fast_feed() -> Population:
    """The feed of users whose lasting taste is another after a few days.

    What is individual in it has half gone in under four days, and a new persona comes every nine.
    """
    return feed_where("Feed-Fast", retained_per_year=1e-30, life_events_per_year=40.0, taste_sd=1.0)


def jumping_feed() -> Population:
    """The feed of users who all take on another persona after 60 of 120 requests.

    Lasting taste is stronger than on the feed, so that whoever had learned it has much to lose.
    """
    feed = feed_where("Feed-Jump", taste_sd=2.0)
    return replace(feed, model=PersonaJump(feed.model, JUMP))


def moody_feed() -> Population:
    """The feed of users with moods and whims twice as strong that pass in minutes."""
    return feed_where("Feed-Moody", mood_sd=1.3, mood_hours=0.5, whim_sd=1.4, whim_minutes=3.0)


def sated_feed() -> Population:
    """The feed of users who soon have had enough of a topic, for an hour or two."""
    return feed_where("Feed-Sated", satiation=0.4, satiation_hours=2.0)


def month_of_feed() -> Population:
    """The users of the feed for up to 300 requests or 30 days."""
    return replace(make_population("Feed"), name="Feed-Month", max_requests=300, max_days=30.0)


def default_users() -> Population:
    """Default users, fitted to nothing, who are shown the videos of KuaiRand."""
    videos = make_population("KuaiRand").catalogue
    model = DriftingUser(topics=int(videos.topics.shape[1]))
    return replace(
        make_population("Feed"), name="Default", model=model, catalogue=videos, variants={}
    )
