"""The hidden state of the default user."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from driftrec.envs.arrays import Array


@dataclass
class Traits:
    """What stays with a user for life; the first axis of every array is the user.

    The numbers stand in one array, so that a new user is written into a batch at one go; the
    properties are views of it.

    Attributes:
        key: seed of the user's own rare events.
        numbers: all the rest, `(users, 19 + 3 topics)`.
    """

    key: Array
    numbers: Array

    @cached_property
    def topics(self) -> int:
        """Number of topics."""
        return int(self.numbers.shape[1] - 19) // 3

    @cached_property
    def level(self) -> Array:
        """Base logit of a click, intercept included, `(users,)`."""
        return self.numbers[:, 0]

    @cached_property
    def expectation(self) -> Array:
        """Click probability that the user takes for granted, `(users,)`."""
        return self.numbers[:, 1]

    @cached_property
    def leave_bias(self) -> Array:
        """Logit of leaving after a request, when content and rested, `(users,)`."""
        return self.numbers[:, 2]

    @cached_property
    def churn_bias(self) -> Array:
        """Logit of never returning after a session, when content, `(users,)`."""
        return self.numbers[:, 3]

    @cached_property
    def return_days(self) -> Array:
        """Median gap between sessions, `(users,)`."""
        return self.numbers[:, 4]

    @cached_property
    def rate(self) -> Array:
        """Relaxation per day of mood, whims, satiation, satisfaction with boredom, and nothing."""
        return self.numbers[:, 5:10]

    @cached_property
    def pause_fresh(self) -> Array:
        """Standard deviation that mood and whims gain in the usual pause between two requests.

        It follows from `rate`, as `pause_kept` does; nearly every step needs them.
        """
        return self.numbers[:, 10 : 11 + self.topics]

    @cached_property
    def pause_kept(self) -> Array:
        """Share of each column of `DriftingUserState.relaxing` that is left after such a pause."""
        return self.numbers[:, 11 + self.topics : -4]

    @cached_property
    def request_effect(self) -> Array:
        """What a request without a click adds to satisfaction, boredom and requests, `(users, 3)`.

        It follows from `expectation`.
        """
        return self.numbers[:, -4:-1]

    @cached_property
    def satiation_weight(self) -> Array:
        """Logits lost per recent exposure to the topic, `(users,)`."""
        return self.numbers[:, -1]


@dataclass(slots=True)
class DriftingUserState:
    """Hidden state of a batch of users; the first axis of every array is the user.

    Attributes:
        traits: what does not change.
        session: number of the session, from 0.
        core_age: days since the core was last moved.
        persona: number of the persona whose taste the user shares.
        core: lasting taste over item features, `(users, d)`.
        relaxing: what moves within a session, side by side: mood, whim by topic, satiation by
            topic, satisfaction and boredom, all of which return to 0 by themselves, and the
            requests so far in this session, `(users, 4 + 2 topics)`. See the properties.
    """

    traits: Traits
    session: Array
    core_age: Array
    persona: Array
    core: Array
    relaxing: Array

    @property
    def topics(self) -> int:
        """Number of topics."""
        return int(self.relaxing.shape[1] - 4) // 2

    @property
    def mood(self) -> Array:
        """Mood in logits, shared by all topics, `(users,)`."""
        return self.relaxing[:, 0]

    @property
    def whim(self) -> Array:
        """Passing taste by topic in logits, `(users, topics)`."""
        return self.relaxing[:, 1 : 1 + self.topics]

    @property
    def satiation(self) -> Array:
        """Recent exposures by topic, `(users, topics)`."""
        return self.relaxing[:, 1 + self.topics : -3]

    @property
    def satisfaction(self) -> Array:
        """Recent clicks above the user's own expectation, in [-1, 1], `(users,)`."""
        return self.relaxing[:, -3]

    @property
    def boredom(self) -> Array:
        """Recent share of what was shown that the user was already sated with, `(users,)`."""
        return self.relaxing[:, -2]

    @property
    def requests(self) -> Array:
        """Requests so far in this session, `(users,)`."""
        return self.relaxing[:, -1]
