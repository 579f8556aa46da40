"""The checks of the conformance kit, each of one clause of the user model's contract, in order."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np

from driftrec.envs.arrays import Array, leaves, library, take, to_library, to_numpy
from driftrec.envs.catalogue import Slate
from driftrec.envs.conformance import Kit
from driftrec.envs.conformance_form import (
    LARGEST,
    check_answers,
    check_mean,
    check_parameters,
    check_signatures,
    check_states,
    check_visits,
)
from driftrec.envs.random import RandomStreams

MOST_ENUMERATED = 3
ELAPSED_DAYS = (0.0, 1e-9, 30 / 86400, 1 / 24, 1.0, 365.0, 1e7)
DRAWS = 1000
CERTAINTY = 1e-10
LONG_RUN = 10
ITEMS_COMPARED = 25
SEEDS = 5


def _check_likelihood(kit: Kit) -> None:
    """Over all binary outcomes the likelihood sums to one and gives back the mean."""
    for size in range(1, min(kit.slate, MOST_ENUMERATED) + 1):
        state, slate = kit.sample(kit.users), kit.slates(kit.users, size)
        if not _binary(kit, state, slate):
            return
        answer = kit.respond(state, slate)
        outcomes = np.array(list(itertools.product((0.0, 1.0), repeat=size)), np.float32)
        chances = np.array(
            [
                np.exp(kit.ask(answer, "log_likelihood", np.tile(row, (kit.users, 1))))
                for row in outcomes
            ]
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
    answer, rng = kit.respond(state, slate), RandomStreams([kit.seed, 2]).response
    return all(np.isin(answer.draw(rng), (0, 1)).all() for _ in range(20))


def _check_draws(kit: Kit) -> None:
    """What is drawn has the mean that is claimed, by Hoeffding's bound (1963, theorem 2)."""
    low, high = kit.model.feedback_range
    if not np.isfinite([low, high]).all():
        return
    bound = (high - low) * np.sqrt(np.log(2 / CERTAINTY) / (2 * DRAWS))
    state, slate = kit.sample(kit.users), kit.slates(kit.users, kit.slate)
    answer, rng = kit.respond(state, slate), RandomStreams([kit.seed, 3]).response
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
                    "only, and draw from rng alone",
                )


def _outcomes(
    kit: Kit, state: Any, slate: Slate, feedback: np.ndarray, rows: np.ndarray
) -> dict[str, np.ndarray]:
    """Everything that follows from a state, by the method that gave it."""
    answer = kit.respond(state, slate)
    found = {"respond(...).mean": answer.mean}
    found["respond(...).log_likelihood"] = kit.ask(answer, "log_likelihood", feedback)
    reacted = kit.call("react", state, slate, feedback)
    found |= {f"react: {name}": array for name, array in leaves(reacted).items()}
    found["leave"] = kit.call("leave", reacted)
    gap = kit.call("return_after", reacted)
    found |= {"return_after(...).never": gap.never, "return_after(...).median": gap.median}
    if kit.model.context_size:
        found["context"] = kit.call("context", state)
    for days in (30 / 86400, 3.0):
        drifted = kit.call("drift", reacted, kit.elapsed(len(rows), days), kit.stream(rows))
        found |= {f"drift: {name}": array for name, array in leaves(drifted).items()}
    for name, array in found.items():
        kit.check_library(name, array)
    return {name: to_numpy(array) for name, array in found.items()}


def _check_determinism(kit: Kit) -> None:
    advice = "draw from the generator that is given and keep nothing in the model"
    for name, array in leaves(kit.sample(kit.users)).items():
        kit.expect(
            np.array_equal(array, leaves(kit.sample(kit.users))[name]),
            f"sample: {name} must be the same again from the same seed: {advice}",
        )
    for state, slate in kit.situations(kit.users):
        feedback = kit.draw(state, slate)
        kit.expect(
            np.array_equal(feedback, kit.draw(state, slate)),
            f"respond(...).draw must be the same again from the same draws: {advice}",
        )
        first, second = (
            _outcomes(kit, state, slate, feedback, np.arange(kit.users)) for _ in range(2)
        )
        for name, array in first.items():
            kit.expect(
                np.array_equal(array, second[name]),
                f"{name} must be the same again from the same draws: {advice}",
            )


def _check_luck(kit: Kit) -> None:
    """Whatever tells users apart is drawn."""
    drawn = [leaves(kit.sample(kit.users, seed)) for seed in range(SEEDS)]
    for name, array in drawn[0].items():
        fixed = all(np.array_equal(array, other[name]) for other in drawn[1:])
        kit.expect(
            not fixed or (array == array[:1]).all(),
            f"sample: {name} must be drawn from the generator that is given: it differs between "
            f"users, but {SEEDS} seeds give the same",
        )


def _check_purity(kit: Kit) -> None:
    """No method changes what it is given."""
    for state, slate in kit.situations(kit.users):
        feedback, elapsed = kit.draw(state, slate), kit.elapsed(kit.users, 0.5)
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
            kit.call("drift", state, kit.elapsed(kit.users, days), stream)
            calls.append(stream.calls)
    for other in calls:
        kit.expect(
            other == calls[0],
            "drift must draw the same numbers at every call, whatever the state and the elapsed "
            f"time, {calls[0]}, got {other}: draw always, and use what is needed",
        )


def _check_time(kit: Kit) -> None:
    """What drifts goes by elapsed time, where that is not the same at every request."""
    situations = list(kit.situations(kit.users))
    if not any(_gaps_vary(kit, state) for state, _ in situations):
        return
    for state, _ in situations:
        drifted = kit.call("drift", state, kit.elapsed(kit.users, 0.0), kit.stream(kit.users))
        for name, before in leaves(state).items():
            after = leaves(drifted)[name]
            kit.expect(
                np.allclose(after, before, rtol=1e-5, atol=1e-6),
                f"drift: {name} must stay as it is over 0 days, {before.ravel()[:3]}, got "
                f"{after.ravel()[:3]}: go by elapsed, as exp(-elapsed / days) does, and do in "
                "react what each request does",
            )


def _gaps_vary(kit: Kit, state: Any) -> bool:
    """Whether chance says when some user comes back."""
    gap = kit.call("return_after", state)
    days = np.array([gap.draw(np.full(kit.users, chance, np.float32)) for chance in (0.5, 0.9)])
    back = np.isfinite(days).all(0) & (kit.call("leave", state) > 0)
    return bool((back & (days[0] != days[1])).any())


def _check_long_run(kit: Kit) -> None:
    state = kit.sample(kit.users)
    for number, days in enumerate(ELAPSED_DAYS * LONG_RUN):
        slate = kit.slates(kit.users, kit.slate, number)
        state = kit.step(state, slate, days, number)
        origin = f"drift over {days:g} days"
        kit.check_state(state, kit.users, origin)
        mean = kit.respond(state, slate).mean
        check_mean(kit, mean, slate.items.shape, f" after {origin}")
        check_visits(kit, state, kit.users)


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
                mean = np.asarray(kit.respond(state, shown).mean)[:, 0]
                kit.expect(
                    _close(claimed[:, item], mean),
                    f"click_probability must be the mean of respond to item {item} shown alone, "
                    f"{mean[:3]}, got {claimed[:3, item]}",
                )
    state, size = kit.sample(kit.users), len(kit.catalogue)
    values = kit.call("item_values", state, kit.catalogue)
    kit.check_array("item_values", values, (kit.users, size), -LARGEST, LARGEST)


def check_torch(kit: Kit) -> None:
    """What the model gives on numpy arrays, it gives on torch tensors."""
    from driftrec.envs.conformance_torch import NoNumpy

    on_torch, everyone = copy(kit), np.arange(kit.users)
    on_torch.xp, on_torch.guard = library("torch"), NoNumpy
    for state, slate in kit.situations(kit.users):
        feedback = kit.draw(state, slate)
        expected = _outcomes(kit, state, slate, feedback, everyone)
        state, slate = to_library(state, on_torch.xp), to_library(slate, on_torch.xp)
        feedback = to_library(feedback, on_torch.xp)
        for name, array in _outcomes(on_torch, state, slate, feedback, everyone).items():
            kit.expect(
                _close(array, expected[name]),
                f"{name} must give on torch what it gives on numpy, {expected[name].ravel()[:4]}, "
                f"got {array.ravel()[:4]}",
            )


CHECKS: tuple[Callable[[Kit], None], ...] = (
    check_parameters,
    check_signatures,
    check_states,
    check_answers,
    _check_likelihood,
    _check_draws,
    _check_purity,
    _check_determinism,
    _check_luck,
    _check_rows,
    _check_draw_counts,
    _check_time,
    _check_long_run,
    _check_click_probability,
)


def _close(one: Array, other: Array) -> bool:
    """Equal up to the rounding of float32 sums taken in another order."""
    one, other = np.asarray(one), np.asarray(other)
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-3, atol=1e-4)
