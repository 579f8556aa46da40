"""Users whose taste goes round with the tide: a user model for driftrec."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from driftrec.envs import Catalogue, IndependentClicks, ReturnGap, Slate, Stream, UserModel
from driftrec.envs.arrays import Array, namespace, sigmoid

TURN = 2 * np.pi
TOPICS = ("mud", "crabs", "birds", "boats", "waves", "moon")


@dataclass
class TidesState:
    """Hidden state; every array is `(users,)`.

    Attributes:
        level: logit of a click on an average item.
        period: days in which the taste goes round once.
        phase: where it is now, in turns.
        tired: requests of late.
        joy: clicks of late.
    """

    level: Array
    period: Array
    phase: Array
    tired: Array
    joy: Array


@dataclass(frozen=True, eq=False)
class Tides(UserModel):
    """Users who like what lies where their tide stands, and leave when tired.

    Attributes:
        strength: logits between the best item and an average one.
        period: days in which the taste goes round once, for the median user.
        wander: turns by which it strays in a day.
        rest: days in which tiredness and joy are forgotten.
    """

    strength: float = 2.0
    period: float = 0.5175
    wander: float = 0.05
    rest: float = 0.2

    seconds_per_request: ClassVar[float] = 60.0

    def __post_init__(self) -> None:
        if not self.period > 0 or not self.rest > 0:
            raise ValueError(f"period and rest must be positive, got {self.period}, {self.rest}")

    def sample(self, users: int, rng: np.random.Generator) -> TidesState:
        """New users, at any point of their tide."""
        return TidesState(
            level=rng.normal(-0.5, 0.5, users).astype(np.float32),
            period=rng.lognormal(np.log(self.period), 0.2, users).astype(np.float32),
            phase=rng.random(users).astype(np.float32),
            tired=np.zeros(users, np.float32),
            joy=np.zeros(users, np.float32),
        )

    def respond(self, state: TidesState, slate: Slate) -> IndependentClicks:
        """Clicks by how near an item lies to the tide."""
        xp = namespace(state.phase)
        tide = xp.stack([xp.cos(TURN * state.phase), xp.sin(TURN * state.phase)], axis=1)
        appeal = self.strength * xp.vecdot(slate.features, tide[:, None, :])
        return IndependentClicks(sigmoid(state.level[:, None] + slate.quality + appeal))

    def react(self, state: TidesState, slate: Slate, feedback: Array) -> TidesState:
        """A request tires, a click gives joy."""
        clicks = namespace(feedback).sum(feedback, axis=1)
        return replace(state, tired=state.tired + 1, joy=state.joy + clicks)

    def drift(self, state: TidesState, elapsed: Array, rng: Stream) -> TidesState:
        """The tide moves on and strays; rest makes fresh."""
        xp = namespace(elapsed)
        strayed = self.wander * xp.sqrt(elapsed) * rng.normal(elapsed.shape[0])
        kept = xp.exp(elapsed * (-1 / self.rest))
        return replace(
            state,
            phase=(state.phase + elapsed / state.period + strayed) % 1,
            tired=kept * state.tired,
            joy=kept * state.joy,
        )

    def leave(self, state: TidesState) -> Array:
        """Probability of ending the session: the tired leave."""
        return sigmoid(0.2 * state.tired - 4)

    def return_after(self, state: TidesState) -> ReturnGap:
        """Back within hours, or never: the fewer clicks of late, the more often never."""
        return ReturnGap(never=sigmoid(-2 - 0.5 * state.joy), median=0.6 * state.period)

    def default_catalogue(self) -> Catalogue:
        """Ten items on each of six topics around a circle."""
        topic = np.repeat(np.arange(len(TOPICS)), 10)
        angle = TURN * topic / len(TOPICS)
        return Catalogue(
            features=np.stack([np.cos(angle), np.sin(angle)], axis=1),
            topics=np.eye(len(TOPICS))[topic],
            quality=np.tile(np.linspace(-1, 1, 10), len(TOPICS)),
            titles=tuple(f"{name} {number}" for name in TOPICS for number in range(10)),
            topic_names=TOPICS,
        )
