"""The checks of the conformance kit, each of one clause of the user model's contract."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from driftrec.envs.arrays import Array, leaves, take
from driftrec.envs.catalogue import Slate
from driftrec.envs.conformance import Kit, kind_of
from driftrec.envs.random import RandomStreams
from driftrec.envs.user_model import ReturnGap

MOST_ENUMERATED = 3
ELAPSED_DAYS = (0.0, 1e-9, 30 / 86400, 1 / 24, 1.0, 365.0, 1e7)
DRAWS = 1000
CERTAINTY = 1e-10
LONG_RUN = 10
ITEMS_COMPARED = 25


def _check_parameters(kit: Kit) -> None:
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


def _check_states(kit: Kit) -> None:
    for users in (kit.users, 1, 0):
        state = kit.sample(users)
        kit.check_state(state, users, "sample")
        slate, elapsed = kit.slates(users, kit.slate), np.full(users, 0.5, np.float32)
        reacted = kit.call("react", state, slate, kit.draw(state, slate))
        _check_successor(kit, state, reacted, users, "react")
        drifted = kit.call("drift", reacted, elapsed, kit.stream(users))
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


def _check_answers(kit: Kit) -> None:
    low, high = kit.model.feedback_range
    for users in (kit.users, 1, 0):
        for state, slate in kit.situations(users):
            shape = slate.items.shape
            answer = kit.call("respond", state, slate)
            kit.check_array("respond(...).mean", answer.mean, shape, low, high)
            feedback = answer.draw(RandomStreams([kit.seed, 1]).response)
            kit.check_array("respond(...).draw(...)", feedback, shape, low, high)
            likelihood = answer.log_likelihood(feedback)
            kit.check_array(
                "respond(...).log_likelihood of feedback that was drawn",
                likelihood, (users,), -3e38, float("inf"),
            )  # fmt: skip
            _check_visits(kit, kit.call("react", state, slate, feedback), users)
            _check_context(kit, state, users)


def _check_context(kit: Kit, state: Any, users: int) -> None:
    if kit.model.context_size:
        largest = float(np.finfo(np.float32).max)
        context = kit.call("context", state)
        kit.check_array("context", context, (users, kit.model.context_size), -largest, largest)
        kit.expect(
            context.dtype == np.float32, f"context must be float32, got {context.dtype}: cast it"
        )


def _check_visits(kit: Kit, state: Any, users: int) -> None:
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


def _check_likelihood(kit: Kit) -> None:
    """Over all binary outcomes the likelihood sums to one and gives back the mean."""
    for size in range(1, min(kit.slate, MOST_ENUMERATED) + 1):
        state, slate = kit.sample(kit.users), kit.slates(kit.users, size)
        if not _binary(kit, state, slate):
            return
        answer = kit.call("respond", state, slate)
        outcomes = np.array(list(itertools.product((0.0, 1.0), repeat=size)), np.float32)
        chances = np.array(
            [np.exp(answer.log_likelihood(np.tile(row, (kit.users, 1)))) for row in outcomes]
        )
        total = chances.sum(0)
        kit.expect(
            np.allclose(total, 1, atol=1e-3),
            "respond(...).log_likelihood must sum to one over all outcomes of a slate of "
            f"{size}, got {total[np.argmax(np.abs(total - 1))]:.4f}: normalise it",
        )
        mean, expected = np.asarray(answer.mean), chances.T @ outcomes
        kit.expect(
            np.allclose(mean, expected, atol=1e-3),
            "respond(...).mean must be the expectation under log_likelihood, "
            f"{expected[0].round(4)}, got {mean[0].round(4)} for the first user",
        )


def _binary(kit: Kit, state: Any, slate: Slate) -> bool:
    answer, rng = kit.call("respond", state, slate), RandomStreams([kit.seed, 2]).response
    return all(np.isin(answer.draw(rng), (0, 1)).all() for _ in range(20))


def _check_draws(kit: Kit) -> None:
    """What is drawn has the mean that is claimed, by Hoeffding's bound (1963, theorem 2)."""
    low, high = kit.model.feedback_range
    if not np.isfinite([low, high]).all():
        return
    bound = (high - low) * np.sqrt(np.log(2 / CERTAINTY) / (2 * DRAWS))
    state, slate = kit.sample(kit.users), kit.slates(kit.users, kit.slate)
    answer, rng = kit.call("respond", state, slate), RandomStreams([kit.seed, 3]).response
    drawn = np.mean([answer.draw(rng) for _ in range(DRAWS)], axis=0)
    off = np.abs(drawn - answer.mean)
    worst = np.unravel_index(off.argmax(), off.shape)
    kit.expect(
        off.max() <= bound,
        f"respond(...).draw must have the mean that respond(...).mean gives, "
        f"{np.asarray(answer.mean)[worst]:.3f} in slot {worst[1]}, got {drawn[worst]:.3f} "
        f"over {DRAWS} draws",
    )


def _check_rows(kit: Kit) -> None:
    """A batch of one is the row of a batch: users know nothing of each other."""
    for state, slate in kit.situations(kit.users):
        feedback = kit.draw(state, slate)
        everyone = np.arange(kit.users)
        whole = _outcomes(kit, state, slate, feedback, everyone)
        for row in everyone:
            only = np.array([row])
            alone = _outcomes(kit, take(state, only), take(slate, only), feedback[only], only)
            for name, array in alone.items():
                expected = whole[name][only]
                kit.expect(
                    _close(array, expected),
                    f"{name} must give a user alone what it gives the row of a batch, "
                    f"{expected.ravel()[:4]}, got {array.ravel()[:4]}: work along the user axis "
                    "only",
                )


def _outcomes(
    kit: Kit, state: Any, slate: Slate, feedback: np.ndarray, rows: np.ndarray
) -> dict[str, np.ndarray]:
    """Everything that follows from a state, by the method that gave it."""
    answer = kit.call("respond", state, slate)
    found = {"respond(...).mean": answer.mean}
    found["respond(...).log_likelihood"] = answer.log_likelihood(feedback)
    reacted = kit.call("react", state, slate, feedback)
    found |= {f"react: {name}": array for name, array in leaves(reacted).items()}
    found["leave"] = kit.call("leave", reacted)
    gap = kit.call("return_after", reacted)
    found |= {"return_after(...).never": gap.never, "return_after(...).median": gap.median}
    if kit.model.context_size:
        found["context"] = kit.call("context", state)
    for days in (30 / 86400, 3.0):
        elapsed = np.full(len(rows), days, np.float32)
        drifted = kit.call("drift", reacted, elapsed, kit.stream(rows))
        found |= {f"drift: {name}": array for name, array in leaves(drifted).items()}
    return {name: np.asarray(array) for name, array in found.items()}


def _check_determinism(kit: Kit) -> None:
    advice = "draw from the generator that is given and keep nothing in the model"
    for name, array in leaves(kit.sample(kit.users)).items():
        kit.expect(
            np.array_equal(array, leaves(kit.sample(kit.users))[name]),
            f"sample: {name} must be the same again from the same seed: {advice}",
        )
    for state, slate in kit.situations(kit.users):
        feedback = kit.draw(state, slate)
        first, second = (
            _outcomes(kit, state, slate, feedback, np.arange(kit.users)) for _ in range(2)
        )
        for name, array in first.items():
            kit.expect(
                np.array_equal(array, second[name]),
                f"{name} must be the same again from the same draws: {advice}",
            )


def _check_purity(kit: Kit) -> None:
    """No method changes what it is given."""
    for state, slate in kit.situations(kit.users):
        feedback, elapsed = kit.draw(state, slate), np.full(kit.users, 0.5, np.float32)
        steps: dict[str, tuple[Any, ...]] = {
            "respond": (state, slate),
            "react": (state, slate, feedback),
            "drift": (state, elapsed, kit.stream(kit.users)),
            "leave": (state,),
            "return_after": (state,),
            "click_probability": (state, kit.catalogue),
            "context": (state,),
        }
        given = {"state": state, "slate": slate, "feedback": feedback, "elapsed": elapsed}
        before = _copies(given)
        for method, arguments in steps.items():
            kit.call(method, *arguments)
            for name, array in _copies(given).items():
                kit.expect(
                    np.array_equal(array, before[name]),
                    f"{method} must not change {name}: return a new state, work on copies",
                )


def _copies(given: dict[str, Any]) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name, value in given.items():
        arrays = leaves(value) if dataclasses.is_dataclass(value) else {"": value}
        found |= {f"{name}.{key}".rstrip("."): np.array(array) for key, array in arrays.items()}
    return found


def _check_draw_counts(kit: Kit) -> None:
    """Common random numbers: the drift stream stays in step whatever happens to a user."""
    calls = []
    for state, _ in kit.situations(kit.users):
        for days in ELAPSED_DAYS:
            stream = kit.stream(kit.users)
            kit.call("drift", state, np.full(kit.users, days, np.float32), stream)
            calls.append(stream.calls)
    for other in calls:
        kit.expect(
            other == calls[0],
            "drift must draw the same numbers at every call, whatever the state and the elapsed "
            f"time, {calls[0]}, got {other}: draw always, and use what is needed",
        )


def _check_long_run(kit: Kit) -> None:
    low, high = kit.model.feedback_range
    state = kit.sample(kit.users)
    for number, days in enumerate(ELAPSED_DAYS * LONG_RUN):
        slate = kit.slates(kit.users, kit.slate, number)
        state = kit.step(state, slate, days, number)
        origin = f"drift over {days:g} days"
        kit.check_state(state, kit.users, origin)
        mean = kit.call("respond", state, slate).mean
        kit.check_array(f"respond(...).mean after {origin}", mean, slate.items.shape, low, high)
        _check_visits(kit, state, kit.users)


def _check_click_probability(kit: Kit) -> None:
    items = np.unique(np.linspace(0, len(kit.catalogue) - 1, ITEMS_COMPARED).astype(np.int64))
    for users in (kit.users, 0):
        for state, _ in kit.situations(users):
            claimed = kit.call("click_probability", state, kit.catalogue)
            shape, limits = (users, len(kit.catalogue)), kit.model.feedback_range
            kit.check_array("click_probability", claimed, shape, *limits)
            for item in items:
                shown = kit.catalogue.show(
                    np.full((users, 1), item), np.zeros((users, 1), np.uint8)
                )
                mean = np.asarray(kit.call("respond", state, shown).mean)[:, 0]
                kit.expect(
                    _close(claimed[:, item], mean),
                    f"click_probability must be the mean of respond to item {item} shown alone, "
                    f"{mean[:3]}, got {claimed[:3, item]}",
                )


CHECKS: tuple[Callable[[Kit], None], ...] = (
    _check_parameters,
    _check_states,
    _check_answers,
    _check_likelihood,
    _check_draws,
    _check_purity,
    _check_determinism,
    _check_rows,
    _check_draw_counts,
    _check_long_run,
    _check_click_probability,
)


def _close(one: Array, other: Array) -> bool:
    """Equal up to the rounding of float32 sums taken in another order."""
    one, other = np.asarray(one), np.asarray(other)
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-3, atol=1e-4)
