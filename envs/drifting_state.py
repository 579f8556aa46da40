"""The hidden state of the default user."""

from __future__ import annotations

from dataclasses import dataclass

from driftrec.envs.arrays import Array


@dataclass(slots=True)
class Traits:
    """What stays with a user for life; the first axis of every array is the user.

    The fields that begin with `pause` follow from the rates: they are the transition over the
    usual time between two requests, worked out once because nearly every step needs it.

    Attributes:
        key: seed of the user's own rare events.
        level: base logit of a click, intercept included.
        transient_rate: relaxation of mood (column 0) and whims, per day, `(users, 1 + topics)`.
        satiation_rate: per day.
        satiation_weight: logits lost per recent exposure to the topic.
        expectation: click probability that the user takes for granted.
        leave_bias: logit of leaving after a request, when content and rested.
        churn_bias: logit of never returning after a session, when content.
        return_days: median gap between sessions when content.
        pause_kept: share of mood and whims left after a pause, `(users, 1 + topics)`.
        pause_fresh: standard deviation that they gain in a pause, `(users, 1 + topics)`.
        pause_sated: share of the satiation left after a pause.
    """

    key: Array
    level: Array
    transient_rate: Array
    satiation_rate: Array
    satiation_weight: Array
    expectation: Array
    leave_bias: Array
    churn_bias: Array
    return_days: Array
    pause_kept: Array
    pause_fresh: Array
    pause_sated: Array


@dataclass(slots=True)
class DriftingUserState:
    """Hidden state of a batch of users; the first axis of every array is the user.

    Attributes:
        traits: what does not change.
        session: number of the session, from 0.
        requests: requests so far in this session.
        core_age: days since the core was last moved.
        persona: number of the persona whose taste the user shares.
        core: lasting taste over item features, `(users, d)`.
        transient: mood (column 0) and whim by topic, in logits, `(users, 1 + topics)`.
        satiation: recent exposures by topic, `(users, topics)`.
        satisfaction: recent clicks above the user's own expectation, in [-1, 1].
        boredom: recent share of what was shown that the user was already sated with.
    """

    traits: Traits
    session: Array
    requests: Array
    core_age: Array
    persona: Array
    core: Array
    transient: Array
    satiation: Array
    satisfaction: Array
    boredom: Array

    @property
    def mood(self) -> Array:
        """Mood in logits, shared by all topics, `(users,)`."""
        return self.transient[:, 0]

    @property
    def whim(self) -> Array:
        """Passing taste by topic in logits, `(users, topics)`."""
        return self.transient[:, 1:]
