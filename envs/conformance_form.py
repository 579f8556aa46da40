"""The checks of the conformance kit on form: signatures, types, shapes and ranges."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from driftrec.envs.answers import kind_of
from driftrec.envs.arrays import leaves
from driftrec.envs.conformance import KINDS, Kit
from driftrec.envs.random import RandomStreams
from driftrec.envs.user_model import ReturnGap

LARGEST = float(np.finfo(np.float32).max)

ARGUMENTS = {
    "sample": ("users", "rng"),
    "respond": ("state", "slate"),
    "react": ("state", "slate", "feedback"),
    "drift": ("state", "elapsed", "rng"),
    "leave": ("state",),
    "return_after": ("state",),
    "context": ("state",),
    "click_probability": ("state", "catalogue"),
    "item_values": ("state", "catalogue"),
}
"""What each method is given, in this order."""


def check_parameters(kit: Kit) -> None:
    """The model is a frozen dataclass, and its class constants are in range."""
    decorated = vars(type(kit.model)).get("__dataclass_params__")
    kit.expect(
        decorated is not None and decorated.frozen,
        "__init__ must come from a frozen dataclass: decorate the class with "
        "@dataclass(frozen=True, eq=False)",
    )
    low, high = kit.model.feedback_range
    kit.expect(low < high, f"feedback_range must be (low, high), got {(low, high)}")
    seconds = kit.model.seconds_per_request
    kit.expect(0 < seconds < float("inf"), f"seconds_per_request must be positive, got {seconds}")
    size = kit.model.context_size
    kit.expect(
        isinstance(size, int) and size >= 0,
        f"context_size must be a whole number, 0 or more, got {size!r}",
    )


def check_signatures(kit: Kit) -> None:
    """Every method can be called with what it is given."""
    for name, arguments in ARGUMENTS.items():
        method = getattr(kit.model, name)
        kit.expect(
            callable(method),
            f"{name} must be a method, got {kind_of(method)}: call the parameter something else",
        )
        signature = inspect.signature(method)
        try:
            signature.bind(*arguments)
        except TypeError:
            kit.fail(f"{name} must take ({', '.join(arguments)}), got {signature}")


def check_states(kit: Kit) -> None:
    """States are dataclasses of arrays, and stay what they were at first."""
    for users in (kit.users, 1, 0):
        state = kit.sample(users)
        kit.check_state(state, users, "sample")
        slate = kit.slates(users, kit.slate)
        reacted = kit.call("react", state, slate, kit.draw(state, slate))
        _check_successor(kit, state, reacted, users, "react")
        drifted = kit.call("drift", reacted, kit.elapsed(users, 0.5), kit.stream(users))
        _check_successor(kit, state, drifted, users, "drift")
    one, two = leaves(kit.sample(kit.users)), leaves(kit.sample(kit.users))
    for name in one:
        kit.expect(
            not np.shares_memory(one[name], two[name]),
            f"sample: {name} must be a new array at every call: copy what belongs to the model",
        )


def _check_successor(kit: Kit, before: Any, after: Any, users: int, origin: str) -> None:
    kit.check_state(after, users, origin)
    one, two = (
        {name: array.shape for name, array in leaves(state).items()} for state in (before, after)
    )
    kit.expect(one == two, f"{origin} must keep the state's fields and shapes {one}, got {two}")
    order = list(KINDS.values())
    for name, array in leaves(before).items():
        kind, now = (KINDS[held.dtype.kind] for held in (array, leaves(after)[name]))
        kit.expect(
            order.index(now) >= order.index(kind),
            f"{origin}: {name} must stay an array of {kind}, as sample gives it, got {now}: new "
            "users are written into it, and would be rounded",
        )


def check_answers(kit: Kit) -> None:
    """All that a model answers has its type and shape, and lies in its range."""
    for users in (kit.users, 1, 0):
        for state, slate in kit.situations(users):
            feedback = _check_feedback(kit, state, slate)
            check_visits(kit, kit.call("react", state, slate, feedback), users)
            _check_context(kit, state, users)


def _check_feedback(kit: Kit, state: Any, slate: Any) -> Any:
    answer, shape = kit.respond(state, slate), slate.items.shape
    check_mean(kit, answer.mean, shape)
    feedback = kit.ask(answer, "draw", RandomStreams([kit.seed, 1]).response)
    advice = ": set feedback_range to what there can be"
    kit.check_array("respond(...).draw(...)", feedback, shape, *kit.model.feedback_range, advice)
    kit.expect(
        feedback.dtype == np.float32,
        f"respond(...).draw(...) must be float32, as observations are, got {feedback.dtype}: "
        "cast it",
    )
    likelihood = kit.ask(answer, "log_likelihood", feedback)
    kit.check_array(
        "respond(...).log_likelihood of feedback that was drawn",
        likelihood, shape[:1], -3e38, float("inf"),
    )  # fmt: skip
    return feedback


def check_mean(kit: Kit, mean: Any, shape: tuple[int, ...], when: str = "") -> None:
    """Expected feedback on a slate."""
    kit.check_array(
        f"respond(...).mean{when}", mean, shape, *kit.model.feedback_range,
        ": a sigmoid keeps a probability in its range; other feedback has its feedback_range",
    )  # fmt: skip


def check_visits(kit: Kit, state: Any, users: int) -> None:
    """The chance of leaving, and the gap until the next session."""
    kit.check_array("leave", kit.call("leave", state), (users,), 0, 1)
    gap = kit.call("return_after", state)
    kit.expect(
        isinstance(gap, ReturnGap), f"return_after must give a ReturnGap, got {kind_of(gap)}"
    )
    kit.check_array("return_after(...).never", gap.never, (users,), 0, 1)
    kit.check_array("return_after(...).median", gap.median, (users,), 0, float("inf"))
    for chance in (0.0, 0.5, 1 - 2.0**-24):
        days = gap.draw(np.full(users, chance, np.float32))
        kit.check_array("return_after(...).draw(...)", days, (users,), 0, float("inf"))


def _check_context(kit: Kit, state: Any, users: int) -> None:
    context, size = kit.call("context", state), kit.model.context_size
    width = 0 if size else sum(np.shape(context)[1:])
    kit.expect(
        not width,
        f"context gives {width} numbers a user, but context_size is 0, so that agents would see "
        "none of them: set context_size",
    )
    kit.check_array("context", context, (users, size), -LARGEST, LARGEST)
    kit.expect(
        context.dtype == np.float32, f"context must be float32, got {context.dtype}: cast it"
    )
