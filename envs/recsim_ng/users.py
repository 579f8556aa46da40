"""The users of a recsim-ng story as a user model, which every engine, learner and filter takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from driftrec.envs.arrays import Array
from driftrec.envs.catalogue import Catalogue, Slate
from driftrec.envs.random import Stream
from driftrec.envs.recsim_ng.documents import catalogue_of
from driftrec.envs.recsim_ng.draws import NOT_GIVEN
from driftrec.envs.recsim_ng.layout import Field
from driftrec.envs.recsim_ng.library import library
from driftrec.envs.recsim_ng.program import Program
from driftrec.envs.recsim_ng.state import (
    LARGEST,
    Outcome,
    StoryState,
    chosen_slot,
    matrices_of,
    seed_of,
    state_of,
)
from driftrec.envs.recsim_ng.story import Story
from driftrec.envs.recsim_ng.wiring import CORPUS, DOCUMENTS, OBSERVATION, Values
from driftrec.envs.user_model import UserModel, UserModelError

MOST_PROGRAMS = 16
"""Sizes of batch and slate that are kept compiled."""


@dataclass(frozen=True, eq=False)
class StoryUsers(UserModel):
    """Users of a recsim-ng story: its classes say who they are, what they do, how they change.

    What happens at a request is a function of the state and the slate: chance comes from the luck
    in the state, by a stateless seed for every variable of the story. Feedback is what each slot
    earned: the story's reward, on the slots that were chosen, or shared by all if none was.

    If the story's documents change, all users of a batch live in one world, and begin together.

    Attributes:
        story: which classes.
        seed: of documents that do not change.
        compiled: whether TensorFlow compiles the story; if not, it runs line by line, which is
            slower and easier to debug.

    Raises:
        ValueError: if the seed is out of range; at first use, if the story's classes do not fit.
        MissingExtraError: at first use, if recsim-ng is not installed.
    """

    story: Story
    seed: int = 0
    compiled: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= LARGEST:
            raise ValueError(f"seed must lie in [0, {LARGEST}], got {self.seed}")

    def __getstate__(self) -> dict[str, Any]:
        """The parameters alone: a copy compiles the story again."""
        return {"story": self.story, "seed": self.seed, "compiled": self.compiled}

    # What there is

    @cached_property
    def _sketch(self) -> Program:
        """The story for one user, line by line, which says what fields there are."""
        return self._make(1, self.story.slate, None, compiled=False)

    @cached_property
    def _world(self) -> list[tuple[Field, np.ndarray]]:
        """Fields of corpus and documents as they are drawn first."""
        matrices = self._sketch.start(np.array([self.seed, 1], np.int32))[2:]
        return [(field, rows[0]) for field, rows in self._sketch.world.read(*matrices)]

    @cached_property
    def _frozen(self) -> Values | None:
        """Corpus and documents, if they never change."""
        if self.story.documents_change:
            return None
        return {
            name: library().Value(
                **{
                    field.name: library().tf.constant(array)
                    for field, array in self._world
                    if field.variable == name
                }
            )
            for name in (CORPUS, DOCUMENTS)
        }

    @cached_property
    def _catalogue(self) -> Catalogue:
        fields = {field.name: array for field, array in self._world if field.variable == DOCUMENTS}
        return catalogue_of(self.story, fields)

    def default_catalogue(self) -> Catalogue:
        """The documents; of documents that change, their places alone (see `context`)."""
        return self._catalogue

    @cached_property
    def feedback_range(self) -> tuple[float, float]:  # type: ignore[override]  # not of the class
        """Bounds of the story's reward, and 0."""
        low, high = self._sketch.reward_range
        return min(low, 0.0), max(high, 0.0)

    @cached_property
    def context_size(self) -> int:  # type: ignore[override]  # not of the class
        """Numbers in the users' own observation, and in the documents if they change."""
        fields = (field for fields in self._public for field in fields)
        return sum(field.columns.stop - field.columns.start for field in fields)

    @cached_property
    def observed_only(self) -> bool:  # type: ignore[override]  # not of the class
        """Whether the law of the story's choices is not known: learners then go by feedback."""
        seed, items = np.zeros(2, np.int32), np.arange(self.story.slate, dtype=np.int32)[None]
        matrices, given = self._sketch.start(seed), np.full(1, NOT_GIVEN, np.int32)
        chances, _ = self._sketch.outlook(*matrices, items, given, seed)
        return not chances.shape[1]

    @cached_property
    def _public(self) -> tuple[list[Field], list[Field]]:
        """Public fields of the users, and of the world."""
        people = [one for one in self._sketch.people.fields if one.variable == OBSERVATION]
        world = [one for one in self._sketch.world.fields if one.variable == DOCUMENTS]
        return people, world if self.story.documents_change else []

    # What happens

    def sample(self, users: int, rng: np.random.Generator) -> StoryState:
        """Users as the story draws them first."""
        seed = rng.integers(LARGEST, size=2).astype(np.int32)
        luck = np.stack([rng.integers(LARGEST, size=users), np.zeros(users, np.int64)], axis=1)
        return state_of(self.program(max(users, 1), self.story.slate).start(seed), luck)

    def respond(self, state: StoryState, slate: Slate) -> StoryFeedback:
        """What the story's own choice model does with the slate."""
        return StoryFeedback(self, state, slate.items)

    def react(self, state: StoryState, slate: Slate, feedback: Array) -> StoryState:
        """The next state, given the choice that the feedback tells of.

        Where the choice is not one categorical random variable, chance decides it again.
        """
        last = self.last
        if last is not None and last.feedback is feedback and last.before is state:
            return last.after
        return self._outcome(state, slate.items, chosen_slot(feedback)).after

    def context(self, state: StoryState) -> Array:
        """The users' own observation, and the documents if they change, `(users, context_size)`."""
        people, world = self._public
        parts = [np.zeros((len(state.luck), 0), np.float32)]
        for fields, matrices in (
            (people, (state.numbers, state.whole)),
            (world, (state.world_numbers, state.world_whole)),
        ):
            parts += [matrices[field.matrix][:, field.columns] for field in fields]
        return np.concatenate(parts, axis=1, dtype=np.float32, casting="unsafe")

    def click_probability(self, state: StoryState, catalogue: Catalogue) -> Array:
        """Expected feedback on each document shown alone, `(users, items)`.

        Raises:
            UserModelError: if the story's choices have no known law (see `StoryFeedback.mean`).
        """
        users, items = len(state.luck), self._numbers_of(catalogue)
        rows = (np.repeat(array, len(items), axis=0) for array in vars(state).values())
        alone = StoryFeedback(self, StoryState(*rows), np.tile(items, users)[:, None])
        return alone.mean.reshape(users, len(items))

    def _numbers_of(self, catalogue: Catalogue) -> np.ndarray:
        """Which documents the items of a catalogue are: all, or some of them."""
        if catalogue is self._catalogue:
            return np.arange(len(catalogue))
        return np.array([self._number_of_row[row.tobytes()] for row in catalogue.table])

    @cached_property
    def _number_of_row(self) -> dict[bytes, int]:
        return {row.tobytes(): number for number, row in enumerate(self._catalogue.table)}

    def hidden(self, state: StoryState) -> dict[str, np.ndarray]:
        """Privileged: every field that the story keeps of its users, by "variable.field"."""
        fields = self._sketch.people.read(state.numbers, state.whole)
        return {f"{field.variable}.{field.name}": values for field, values in fields}

    # How it runs

    @property
    def last(self) -> Outcome | None:
        """What the last request that was drawn brought."""
        found: Outcome | None = self.__dict__.get("_last")
        return found

    def draw(self, state: StoryState, items: np.ndarray) -> Outcome:
        """What a request brings by the luck in the state; kept, as `react` asks for it next."""
        given = np.full(len(items), NOT_GIVEN, np.int32)
        outcome = self._outcome(state, items, given)
        object.__setattr__(self, "_last", outcome)
        return outcome

    def outlook(self, state: StoryState, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log-probability of each choice, and the feedback it brings; see `Program.outlook`."""
        given = np.full(len(items), NOT_GIVEN, np.int32)
        chances, feedback = self._program_for(items).outlook(*_inputs(state, items, given))
        return chances[: len(items)], feedback[: len(items)]

    def _outcome(self, state: StoryState, items: np.ndarray, given: np.ndarray) -> Outcome:
        program, users = self._program_for(items), len(items)
        found = program.step(*_inputs(state, items, given))
        luck = state.luck + np.array([0, 1])
        response = program.response.read(*found[5:])
        return Outcome(
            state,
            items,
            state_of(found[:4], luck),
            found[4][:users],
            {field.name: values[:users] for field, values in response},
        )

    def _program_for(self, items: np.ndarray) -> Program:
        return self.program(max(len(items), 1), items.shape[1])

    def program(self, users: int, slate: int) -> Program:
        """The story for a batch of users and a size of slate, compiled when first asked for."""
        programs = self._programs
        # Taken out and put back: the one that was asked for longest ago comes first.
        found = programs.pop((users, slate), None) or self._make(users, slate, self._frozen)
        if len(programs) >= MOST_PROGRAMS:
            del programs[next(iter(programs))]
        programs[users, slate] = found
        return found

    @cached_property
    def _programs(self) -> dict[tuple[int, int], Program]:
        return {}

    def _make(
        self, users: int, slate: int, frozen: Values | None, compiled: bool | None = None
    ) -> Program:
        compiled = self.compiled if compiled is None else compiled
        return Program(self.story, users, slate, frozen=frozen, seed=self.seed, compiled=compiled)


@dataclass(frozen=True, eq=False)
class StoryFeedback:
    """The law of a story's feedback on a slate.

    Attributes:
        users: of the story.
        state: before the request.
        items: what is shown, `(users, slate)`.
    """

    users: StoryUsers
    state: StoryState
    items: np.ndarray

    def draw(self, rng: Stream) -> Array:
        """Feedback, float32 `(users, slate)`, by the luck in the state; `rng` is not used."""
        return self.users.draw(self.state, self.items).feedback

    @property
    def mean(self) -> Array:
        """Expected feedback on each slot, `(users, slate)`, over the choice.

        Whatever else a story draws at a request is taken as the luck in the state has it.

        Raises:
            UserModelError: if the choice is not one categorical random variable.
        """
        chances, feedback = self._outlook()
        mean: np.ndarray = np.einsum("uc,ucs->us", np.exp(chances), feedback)
        return mean

    def log_likelihood(self, feedback: Array) -> Array:
        """Log-probability of the choice that the feedback tells of, `(users,)`.

        Raises:
            UserModelError: if the choice is not one categorical random variable.
        """
        chances, _ = self._outlook()
        likelihood: np.ndarray = np.take_along_axis(chances, chosen_slot(feedback)[:, None], 1)[
            :, 0
        ]
        return likelihood

    def _outlook(self) -> tuple[np.ndarray, np.ndarray]:
        chances, feedback = self.users.outlook(self.state, self.items)
        if not chances.shape[1]:
            story = self.users.story
            raise UserModelError(
                f"the law of feedback in the story {story.name!r} is not known: the response's "
                f"{story.choice!r} must be an edward2 Categorical of the slots, and of none of them"
            )
        return chances, feedback


def _inputs(state: StoryState, items: np.ndarray, given: np.ndarray) -> list[np.ndarray]:
    """What a program's functions take; of nobody, a user of zeros."""
    arrays = [*matrices_of(state), items.astype(np.int32), given]
    if not len(items):
        arrays = [np.zeros((1, *array.shape[1:]), array.dtype) for array in arrays]
    return [*arrays, seed_of(state)]
