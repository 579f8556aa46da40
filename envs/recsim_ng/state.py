"""What a story's users are between requests, and what a request brings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftrec.envs.arrays import Array
from driftrec.envs.user_model import UserModelError

LARGEST = 2**31 - 1
"""The largest seed, a whole number of TensorFlow's int32."""


@dataclass
class StoryState:
    """All that a story remembers, and the luck that its users will have.

    Attributes:
        numbers: fields of the users that are floats, float32 `(users, ...)`.
        whole: those that are integers or booleans, int64 `(users, ...)`.
        world_numbers: fields of corpus and documents, the same for all users, if they change.
        world_whole: likewise.
        luck: a number of the user's own, and the requests so far, int64 `(users, 2)`.
    """

    numbers: Array
    whole: Array
    world_numbers: Array
    world_whole: Array
    luck: Array


@dataclass(frozen=True)
class Outcome:
    """What a request brought.

    Attributes:
        before: the state before it.
        items: what was shown.
        after: the state after it.
        feedback: what each slot earned, `(users, slate)`.
        response: fields of the users' response, each `(users, ...)`.
    """

    before: StoryState
    items: np.ndarray
    after: StoryState
    feedback: np.ndarray
    response: dict[str, np.ndarray]


def state_of(matrices: list[np.ndarray], luck: np.ndarray) -> StoryState:
    """The state of matrices of people `(users, ...)` and of the world `(1, ...)`."""
    numbers, whole, world_numbers, world_whole = matrices
    users = len(luck)
    return StoryState(
        numbers[:users],
        whole[:users],
        # Every user has a copy of the world, as engines write into rows of a state.
        np.repeat(world_numbers, users, axis=0),
        np.repeat(world_whole, users, axis=0),
        luck,
    )


def matrices_of(state: StoryState) -> list[np.ndarray]:
    """The matrices of a state: people `(users, ...)`, and the world `(1, ...)`.

    Raises:
        UserModelError: if the arrays are not numpy's, or the users are not all of one world.
    """
    if not isinstance(state.luck, np.ndarray):
        raise UserModelError(
            f"a recsim-ng story runs on numpy's arrays, got {type(state.luck).__name__}: leave "
            "array_library at 'numpy'"
        )
    world = [state.world_numbers, state.world_whole]
    if any((matrix != matrix[:1]).any() for matrix in world):
        raise UserModelError(
            "users of a story whose documents change live in one world, and these do not: reset "
            "all of them together"
        )
    return [state.numbers, state.whole, *(matrix[:1] for matrix in world)]


def seed_of(state: StoryState) -> np.ndarray:
    """The seed of the next request, int32 `(2,)`, of the luck of all users.

    It differs from request to request even if some of the users stand still.
    """
    seed: np.ndarray = (state.luck.sum(axis=0) & LARGEST).astype(np.int32)
    return seed


def chosen_slot(feedback: np.ndarray) -> np.ndarray:
    """The only slot that earned anything, int32 `(users,)`; the size of the slate if none did."""
    earned = feedback != 0
    slot = np.where(earned.sum(axis=1) == 1, earned.argmax(axis=1), feedback.shape[1])
    slots: np.ndarray = slot.astype(np.int32)
    return slots
