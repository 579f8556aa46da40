"""The conformance kit passes sound user models and names the defect of each broken one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from driftrec.envs import (
    DriftingUser,
    IndependentClicks,
    MultinomialClick,
    ReturnGap,
    UserModel,
    UserModelError,
    synthetic_catalogue,
)
from driftrec.envs.testing import check_user_model

CATALOGUE = synthetic_catalogue(30, np.random.default_rng(1))
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "multinomial": {"choice": "multinomial"},
    "position bias": {"slot_bias": -0.5},
    "multinomial with position bias": {"choice": "multinomial", "slot_bias": -0.5},
    "all switched off": dict.fromkeys(
        ("level_sd", "mood_sd", "taste_sd", "whim_sd", "satiation", "influence", "repeat_penalty",
         "leave_boredom", "leave_fatigue", "churn_spread", "spread"), 0.0),
    "wild": {"influence": 0.5, "life_events_per_year": 50.0, "retained_per_year": 0.0,
             "whim_minutes": 0.01, "satiation": 5.0, "churn": 0.5},
    "endless sessions": {"session_requests": float("inf"), "churn": 0.0},
}  # fmt: skip


@dataclass
class PlainState:
    level: Any
    wave: Any


@dataclass(frozen=True, eq=False)
class Plain(UserModel):
    """A sound model, of which each defect below breaks one clause."""

    sd: float = 0.5

    def sample(self, users: int, rng: np.random.Generator) -> Any:
        level, wave = rng.standard_normal((2, users)).astype(np.float32)
        return PlainState(level.copy(), wave.copy())

    def respond(self, state: Any, slate: Any) -> Any:
        logits = (state.level + state.wave)[:, None] + slate.quality
        return IndependentClicks((1 / (1 + np.exp(-logits))).astype(np.float32))

    def react(self, state: Any, slate: Any, feedback: Any) -> Any:
        return replace(state, level=state.level + 0.01 * feedback.sum(1))

    def drift(self, state: Any, elapsed: Any, rng: Any) -> Any:
        kept = np.exp(-elapsed)
        noise = self.sd * np.sqrt(1 - kept**2) * rng.normal(len(elapsed))
        return replace(state, wave=kept * state.wave + noise)

    def leave(self, state: Any) -> Any:
        return np.full(len(state.level), 0.1, np.float32)


class Wrapped:
    """A distribution of feedback of which some answers are replaced."""

    def __init__(self, inner: Any, **answers: Any) -> None:
        self.mean = answers.get("mean", inner.mean)
        self.draw = answers.get("draw", inner.draw)
        self.log_likelihood = answers.get("log_likelihood", inner.log_likelihood)


def broken(**methods: Callable[..., Any]) -> UserModel:
    """`Plain` with methods replaced; each takes `Plain`'s own answer, then its arguments."""

    def method(name: str, change: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *arguments: Any) -> Any:
            return change(lambda: getattr(Plain, name)(self, *arguments), *arguments)

        return call

    changed = {name: method(name, change) for name, change in methods.items()}
    return dataclass(frozen=True, eq=False)(type("Broken", (Plain,), changed))()


def changed_in_place(right: Any, state: Any, *_: Any) -> Any:
    answer = right()
    state.level += 1
    return answer


def sampled(**arrays: Callable[[int], Any]) -> UserModel:
    return broken(
        sample=lambda right, users, _: replace(
            right(), **{name: array(users) for name, array in arrays.items()}
        )
    )


def answering(**answers: Callable[..., Any]) -> UserModel:
    """Answers are functions of the sound distribution and what they are asked."""

    def respond(right: Any, state: Any, slate: Any) -> Any:
        sound = right()
        return Wrapped(
            sound,
            **{
                name: (lambda *given, change=change: change(sound, *given))
                if name != "mean"
                else change(sound)
                for name, change in answers.items()
            },
        )

    return broken(respond=respond)


def telling(context: Callable[[Any], Any]) -> UserModel:
    """`Plain` with a context of two numbers."""
    methods = {"context": lambda self, state: context(state), "context_size": 2}
    return dataclass(frozen=True, eq=False)(type("Broken", (Plain,), methods))()


def both_columns(array: np.ndarray) -> np.ndarray:
    return np.stack([array, np.zeros_like(array)], axis=1)


def gap(never: float = 0.1, median: float = 1.0) -> UserModel:
    return broken(
        return_after=lambda right, state: ReturnGap(
            0 * state.level + never, median + 0 * state.level
        )
    )


def both(array: np.ndarray) -> PlainState:
    return PlainState(array, array[:])


@dataclass
class OtherState:
    level: Any


SHARED = np.zeros(10_000, np.float32)
LUCK = np.random.default_rng(0)

DEFECTS: dict[str, tuple[UserModel, str]] = {
    "state is a dict": (
        broken(sample=lambda right, *_: vars(right())),
        "sample must give a dataclass of arrays, got dict",
    ),
    "objects": (
        sampled(level=lambda users: np.array([None] * users, object)),
        "sample: level must be an array of floats, integers or booleans, got an array of object",
    ),
    "a list": (sampled(level=lambda users: [0.0] * users), "sample: level .* got list"),
    "no user axis": (
        sampled(level=lambda users: np.zeros(3)),
        r"sample: level must have the user as first axis, \(7, ...\), got \(3,\)",
    ),
    "a scalar": (
        sampled(level=lambda users: np.array(0.0)),
        r"sample: level must have the user as first axis, \(7, ...\), got \(\)",
    ),
    "NaN traits": (
        sampled(level=lambda users: np.full(users, np.nan)),
        "sample: level must hold numbers, got NaN",
    ),
    "read-only rows": (
        sampled(level=lambda users: np.broadcast_to(np.float32(0), users)),
        "sample: level must be writeable",
    ),
    "a missing array": (sampled(wave=lambda _: None), "sample: wave .* got NoneType"),
    "two fields in one array": (
        broken(sample=lambda right, *_: both(right().level)),
        "sample: level and wave must not share memory: copy one of them",
    ),
    "rows of the model's own": (
        sampled(level=lambda users: SHARED[:users]),
        "sample: level must be a new array at every call",
    ),
    "no empty batch": (
        broken(sample=lambda right, users, _: (1 / min(users, 1), right())[1]),
        "Broken.sample must take a batch of any size, 0 included; given 0 users, a Generator it "
        "raised ZeroDivisionError",
    ),
    "global randomness": (
        sampled(level=lambda users: LUCK.standard_normal(users)),
        "sample: level must be the same again from the same seed",
    ),
    "react loses a field": (
        broken(react=lambda right, state, *_: OtherState(state.level)),
        r"react must keep the state's fields and shapes .*'wave'.* got \{'level': \(7,\)\}",
    ),
    "drift changes a shape": (
        broken(drift=lambda right, state, *_: replace(right(), level=state.level[:, None])),
        r"drift must keep the state's fields and shapes .* got .*\(7, 1\)",
    ),
    "react shares memory": (
        broken(react=lambda right, state, *_: both(state.level)),
        "react: level and wave must not share memory",
    ),
    "mean beyond 1": (
        answering(mean=lambda sound: 2 * sound.mean),
        r"respond\(...\).mean must lie in \[0, 1\], got",
    ),
    "mean of another shape": (
        answering(mean=lambda sound: sound.mean[:, 0]),
        r"respond\(...\).mean must have shape \(7, 1\), got \(7,\)",
    ),
    "NaN mean": (
        answering(mean=lambda sound: sound.mean * np.nan),
        r"respond\(...\).mean must hold numbers, got NaN",
    ),
    "draws of another shape": (
        answering(draw=lambda sound, rng: sound.draw(rng)[:, :1].repeat(2, axis=1)),
        r"respond\(...\).draw\(...\) must have shape \(7, 1\), got \(7, 2\)",
    ),
    "draws beyond 1": (
        answering(draw=lambda sound, rng: 5 * sound.draw(rng)),
        r"respond\(...\).draw\(...\) must lie in \[0, 1\], got \[5",
    ),
    "draws of another mean": (
        answering(draw=lambda sound, rng: np.ones_like(sound.draw(rng))),
        r"respond\(...\).draw must have the mean that respond\(...\).mean gives.*got 1.000",
    ),
    "impossible draws": (
        answering(log_likelihood=lambda sound, feedback: np.full(len(feedback), -np.inf)),
        r"log_likelihood of feedback that was drawn must lie in .*got \[-inf\]",
    ),
    "likelihood by slot": (
        answering(log_likelihood=lambda sound, feedback: np.log(sound.mean)),
        r"log_likelihood .* must have shape \(7,\), got \(7, 1\)",
    ),
    "likelihood not normalised": (
        answering(log_likelihood=lambda sound, feedback: sound.log_likelihood(feedback) + 0.3),
        r"must sum to one over all outcomes of a slate of 1, got 1.3499: normalise it",
    ),
    "likelihood of no click forgotten": (
        answering(log_likelihood=lambda sound, feedback: np.log(sound.mean) @ np.ones(
            feedback.shape[1])),
        "must sum to one over all outcomes of a slate of 1",
    ),
    "likelihood of another distribution": (
        answering(log_likelihood=lambda sound, feedback: np.full(
            len(feedback), -feedback.shape[1] * np.log(2))),
        r"respond\(...\).mean must be the expectation under log_likelihood, \[0.5",
    ),
    "respond changes the state": (
        broken(respond=changed_in_place),
        "respond must not change state.level: return a new state, work on copies",
    ),
    "react changes the state": (broken(react=changed_in_place), "react must not change state"),
    "drift changes the state": (broken(drift=changed_in_place), "drift must not change state"),
    "leave changes the state": (broken(leave=changed_in_place), "leave must not change state"),
    "react changes the feedback": (
        broken(react=lambda right, state, slate, feedback: (right(), feedback.fill(9))[0]),
        "react must not change feedback",
    ),
    "drift changes the time": (
        broken(drift=lambda right, state, elapsed, rng: (right(), elapsed.fill(9))[0]),
        "drift must not change elapsed",
    ),
    "leave beyond 1": (
        broken(leave=lambda right, _: 11 * right()),
        r"leave must lie in \[0, 1\], got \[1.1",
    ),
    "leave is one number": (
        broken(leave=lambda right, _: 0.1),
        "leave must be a numpy array of numbers when given numpy, got float",
    ),
    "leave by slot": (
        broken(leave=lambda right, _: right()[:, None]),
        r"leave must have shape \(7,\), got \(7, 1\)",
    ),
    "never beyond 1": (gap(never=1.5), r"return_after\(...\).never must lie in \[0, 1\], got"),
    "negative gaps": (gap(median=-1.0), r"return_after\(...\).median must lie in \[0, inf\], got"),
    "days instead of a gap": (
        broken(return_after=lambda right, state: state.level),
        "return_after must give a ReturnGap, got an array of float32",
    ),
    "users look at each other": (
        broken(react=lambda right, *_: replace(right(), wave=right().wave + right().wave.sum())),
        "react: wave must give a user alone what it gives the row of a batch",
    ),
    "leave depends on the crowd": (
        broken(leave=lambda right, state: right() / max(len(state.level), 1)),
        "leave must give a user alone what it gives the row of a batch",
    ),
    "noise for all at once": (
        broken(drift=lambda right, state, elapsed, rng: replace(
            right(), wave=state.wave + rng.normal(1))),
        r"drift: draws must have the user as first axis, \(7, ...\), got a call of "
        r"rng.normal\(1,\)",
    ),
    "noise of its own": (
        broken(drift=lambda right, state, *_: replace(
            right(), wave=right().wave + LUCK.standard_normal(len(state.level)))),
        "drift: wave must be the same again from the same draws",
    ),
    "draws by need": (
        broken(drift=lambda right, state, elapsed, rng: right() if (elapsed > 1e-3).any()
               else state),
        "drift must draw the same numbers at every call.*draw always, and use what is needed",
    ),
    "Euler steps": (
        broken(drift=lambda right, state, elapsed, rng: replace(
            right(), wave=state.wave - 50 * elapsed * state.wave)),
        "after drift over .* days must hold numbers, got NaN|drift over .*: wave must hold numbers",
    ),
    "another click probability": (
        broken(click_probability=lambda right, *_: 0.5 * right()),
        "click_probability must be the mean of respond to item 0 shown alone",
    ),
    "click probabilities of some items": (
        broken(click_probability=lambda right, *_: right()[:, :-1]),
        r"click_probability must have shape \(7, 30\), got \(7, 29\)",
    ),
    "context of another size": (
        telling(lambda state: state.level[:, None]),
        r"context must have shape \(7, 2\), got \(7, 1\)",
    ),
    "infinite context": (
        telling(lambda state: both_columns(state.level / 0)),
        r"context must lie in \[-3.40282e\+38, 3.40282e\+38\], got",
    ),
    "context that is no number": (
        telling(lambda state: both_columns(state.level * np.nan)),
        "context must hold numbers, got NaN",
    ),
    "context of doubles": (
        telling(lambda state: both_columns(state.level).astype(float)),
        "context must be float32, got float64: cast it",
    ),
    "context of the crowd": (
        telling(lambda state: both_columns(state.level + state.level.sum())),
        "context must give a user alone what it gives the row of a batch",
    ),
    "context by chance": (
        telling(lambda state: both_columns(state.level + np.float32(LUCK.standard_normal()))),
        "context must be the same again from the same draws",
    ),
    "context changes the state": (
        telling(lambda state: both_columns(changed_in_place(lambda: state.level, state))),
        "context must not change state",
    ),
    "an exception": (
        broken(react=lambda right, state, *_: state.missing),
        "Broken.react must take a batch of any size.*AttributeError.*missing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())
def test_the_default_user_keeps_the_contract(options: dict[str, Any]) -> None:
    check_user_model(DriftingUser(**options), CATALOGUE)


@pytest.mark.parametrize("slate", [1, 2, 5])
def test_slates_of_any_size_are_checked(slate: int) -> None:
    check_user_model(DriftingUser(slot_bias=-0.2), CATALOGUE, slate=slate, users=3, seed=5)


def test_a_plain_model_keeps_the_contract() -> None:
    check_user_model(Plain(), CATALOGUE)
    check_user_model(broken(), CATALOGUE)


def test_a_model_with_nothing_but_the_two_required_answers_keeps_the_contract() -> None:
    @dataclass(frozen=True, eq=False)
    class Still(UserModel):
        def sample(self, users: int, rng: np.random.Generator) -> Any:
            return OtherState(rng.random(users).astype(np.float32))

        def respond(self, state: Any, slate: Any) -> Any:
            return MultinomialClick(state.level[:, None] + slate.quality)

    check_user_model(Still())


@pytest.mark.parametrize(("model", "message"), DEFECTS.values(), ids=DEFECTS.keys())
def test_a_defect_is_found_and_named(model: UserModel, message: str) -> None:
    with pytest.raises(UserModelError, match=message):
        check_user_model(model, CATALOGUE)


def test_parameters_that_are_not_frozen_are_refused() -> None:
    class Loose(Plain):
        pass

    with pytest.raises(UserModelError, match=r"decorate the class with @dataclass\(frozen=True"):
        check_user_model(Loose(), CATALOGUE)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("feedback_range", (1.0, 0.0), r"feedback_range must be \(low, high\), got \(1.0, 0.0\)"),
        ("seconds_per_request", 0.0, "seconds_per_request must be positive, got 0.0"),
        ("context_size", -1, "context_size must be a whole number, 0 or more, got -1"),
        ("context_size", 1.0, "context_size must be a whole number, 0 or more, got 1.0"),
    ],
)
def test_class_constants_are_checked(name: str, value: Any, message: str) -> None:
    model = dataclass(frozen=True, eq=False)(type("Broken", (Plain,), {name: value}))()
    with pytest.raises(UserModelError, match=message):
        check_user_model(model, CATALOGUE)


def test_continuous_feedback_within_its_range_is_sound() -> None:
    class WatchTime:
        """Uniform on [0, 2 m], with m the mean in minutes."""

        def __init__(self, mean: np.ndarray) -> None:
            self.mean = mean

        def draw(self, rng: Any) -> np.ndarray:
            return 2 * self.mean * rng.uniform(*self.mean.shape)

        def log_likelihood(self, feedback: np.ndarray) -> np.ndarray:
            inside = (feedback >= 0) & (feedback <= 2 * self.mean)
            return np.where(inside, -np.log(2 * self.mean), -np.inf).sum(1)

    @dataclass(frozen=True, eq=False)
    class Watcher(Plain):
        feedback_range = (0.0, 10.0)

        def respond(self, state: Any, slate: Any) -> Any:
            return WatchTime(5 * super().respond(state, slate).mean)

    check_user_model(Watcher(), CATALOGUE)


def test_a_context_of_the_size_announced_is_sound() -> None:
    check_user_model(telling(lambda state: both_columns(state.level)), CATALOGUE)


def test_what_is_no_user_model_is_refused() -> None:
    with pytest.raises(UserModelError, match="must inherit from UserModel, got object"):
        check_user_model(object(), CATALOGUE)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"users": 1}, {"slate": 0}, {"slate": 31}])
def test_a_batch_too_small_to_tell_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"users must be at least 2 and slate in \[1, 30\]"):
        check_user_model(Plain(), CATALOGUE, **options)
