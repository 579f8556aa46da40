"""What the engine asks of a user model's answers before it reads anything of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from driftrec.envs.arrays import Array, namespace
from driftrec.envs.feedback import IndependentClicks, LogisticClicks, MultinomialClick
from driftrec.envs.user_model import ReturnGap, UserModel, UserModelError

SLACK = 1e-6
"""Rounding that a number may lie outside its range by."""

CLICKS = (IndependentClicks, LogisticClicks, MultinomialClick)
"""Answers whose mean is the chance of a click."""


def breach(model: UserModel, message: str) -> UserModelError:
    """The error for a breach of the contract, which says where to find out more."""
    return UserModelError(
        f"{type(model).__name__}.{message}; driftrec.envs.testing.check_user_model checks all that "
        "is asked of a user model"
    )


def check_state(model: UserModel, method: str, state: Any, users: int) -> None:
    """Refuse a state that is no dataclass of arrays with a row for each user.

    Raises:
        UserModelError: if it is none.
    """
    names = getattr(type(state), "__dataclass_fields__", None)
    if names is None:
        raise breach(model, f"{method} must give a dataclass of arrays, got {kind_of(state)}")
    for name in names:
        array = getattr(state, name)
        if hasattr(array, "__dataclass_fields__"):
            check_state(model, f"{method}: {name}", array, users)
            continue
        shape = getattr(array, "shape", None)
        if shape is None:
            raise breach(model, f"{method}: {name} must be an array, got {kind_of(array)}")
        if not shape or shape[0] != users:
            raise breach(
                model,
                f"{method}: {name} must have the user as first axis, ({users}, ...), got "
                f"{tuple(shape)}",
            )


def check_answer(model: UserModel, answer: Any) -> None:
    """Refuse an answer to a slate that is no distribution of feedback.

    Raises:
        UserModelError: if it is none.
    """
    # A mean may take long to work out: whether there is one is all that is asked.
    own, kind = getattr(answer, "__dict__", {}), type(answer)
    missing = [name for name in ("draw", "mean") if name not in own and not hasattr(kind, name)]
    if missing:
        raise breach(
            model,
            f"respond must give a distribution of feedback, got {kind_of(answer)} without "
            f"{', '.join(missing)}: click probabilities go into IndependentClicks(...)",
        )


def check_feedback(model: UserModel, answer: Any, feedback: Any, shape: tuple[int, ...]) -> None:
    """Refuse feedback of another shape, or out of the model's range: of clicks, their chances.

    Raises:
        UserModelError: if it is so.
    """
    _check_shape(model, "respond(...).draw", feedback, shape)
    what, numbers = ("mean", answer.mean) if isinstance(answer, CLICKS) else ("draw", feedback)
    low, high = model.feedback_range
    _check_range(model, f"respond(...).{what}", numbers, low, high, " (feedback_range)")


def check_visits(model: UserModel, state: Any, leave: Any, users: int) -> None:
    """Refuse chances of leaving, or a law of the days until the next session, that are none.

    Raises:
        UserModelError: if they are none.
    """
    _check_shape(model, "leave", leave, (users,))
    _check_range(model, "leave", leave, 0, 1)
    gap = model.return_after(state)
    if not isinstance(gap, ReturnGap):
        raise breach(model, f"return_after must give a ReturnGap, got {kind_of(gap)}")
    for name in ("never", "median"):
        _check_shape(model, f"return_after(...).{name}", getattr(gap, name), (users,))


def _check_shape(model: UserModel, what: str, array: Any, shape: tuple[int, ...]) -> None:
    got = getattr(array, "shape", None)
    if got is None or tuple(got) != shape:
        came = kind_of(array) if got is None else tuple(got)
        raise breach(model, f"{what} must have shape {shape}, got {came}")


def _check_range(
    model: UserModel, what: str, array: Array, low: float, high: float, by: str = ""
) -> None:
    """Refuse numbers out of a range, NaN among them."""
    inside = (array >= low - SLACK) & (array <= high + SLACK)
    if namespace(array).count_nonzero(inside) != math.prod(array.shape):
        worst = float(array[~inside][0])
        raise breach(model, f"{what} must lie in [{low:g}, {high:g}]{by}, got {worst:g}")


def kind_of(value: Any) -> str:
    """What something is, for an error."""
    if value is None:
        return "None (is a return missing?)"
    return f"an array of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
