"""The conformance kit passes sound user models and names the defect of each broken one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from driftrec.envs import (
    DriftingUser,
    IndependentClicks,
    MultinomialClick,
    ReturnGap,
    UserModel,
    UserModelError,
    synthetic_catalogue,
)
from driftrec.envs.arrays import namespace, sigmoid
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


def signed(**attributes: Any) -> UserModel:
    """`Plain` with attributes replaced as they are."""
    return dataclass(frozen=True, eq=False)(type("Broken", (Plain,), attributes))()


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


@dataclass(kw_only=True)
class Keyword:
    level: Any


class Loose:
    def __init__(self, level: Any) -> None:
        self.level = level


SHARED = np.zeros(10_000, np.float32)
LUCK = np.random.default_rng(0)

DEFECTS: dict[str, tuple[UserModel, str]] = {
    "state is a dict": (
        broken(sample=lambda right, *_: vars(right())),
        "sample must give a dataclass of arrays, got dict",
    ),
    "objects": (
        sampled(level=lambda users: np.array([None] * users, object)),
        "sample: level must hold floats, integers or booleans, got an array of object",
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
    "a missing array": (
        sampled(wave=lambda _: None), r"sample: wave .* got None \(is a return missing\?\)"
    ),
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
        "Broken.sample must answer for any number of users, 0 included, .*; given 0 users, a "
        "Generator it raised ZeroDivisionError",
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
        "leave must be an array of numpy when given numpy, got float",
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
        r"drift: draws must have the user as first axis, rng.normal\(7, ...\), got rng.normal\(1\)",
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
        r"Broken.react must answer for any number of users.* given a PlainState of 7 users, a "
        r"slate \(7, 3\) of 30 items with 10 features, an array \(7, 3\) it raised AttributeError.*"
        "missing",
    ),
    "axes that do not fit": (
        broken(drift=lambda right, state, elapsed, rng: (elapsed * np.zeros((7, 2)), right())[1]),
        r"drift must answer .* given a PlainState of 7 users, an array \(7,\), a DriftStream it "
        "raised ValueError: operands could not be broadcast",
    ),
    "tensors for probabilities": (
        broken(respond=lambda right, state, slate: IndependentClicks(
            torch.full(slate.items.shape, 0.5))),
        r"respond\(...\).mean must be an array of numpy when given numpy, got Tensor",
    ),
    "no dataclass": (
        broken(sample=lambda right, *_: Loose(right().level)),
        "sample must give a dataclass of arrays, got Loose: decorate the class of the state",
    ),
    "fields by keyword": (
        broken(sample=lambda right, *_: Keyword(level=right().level)),
        "sample must give a dataclass that can be made from all its fields in their order.*kw_only",
    ),
    "a tensor": (
        sampled(level=lambda users: torch.zeros(users)),
        "sample: level must be an array of numpy when given numpy, got Tensor",
    ),
    "users of its own generator": (
        sampled(level=lambda users: np.random.default_rng(0).standard_normal(users)),
        "sample: level must be drawn from the generator that is given: it differs between users, "
        "but 5 seeds give the same",
    ),
    "users by number": (
        sampled(level=lambda users: np.arange(users) % 2),
        "sample: level must be drawn from the generator",
    ),
    "react rounds": (
        broken(react=lambda right, state, *_: replace(state, level=state.level.astype(int))),
        "react: level must stay an array of floats, as sample gives it, got integers",
    ),
    "react returns nothing": (
        broken(react=lambda right, *_: None),
        r"react must give a dataclass of arrays, got None \(is a return missing\?\)",
    ),
    "leave returns nothing": (
        broken(leave=lambda right, *_: None),
        r"leave must be an array of numpy when given numpy, got None \(is a return missing\?\)",
    ),
    "respond returns nothing": (
        broken(respond=lambda right, *_: None),
        r"respond must give a distribution of feedback, got None \(is a return missing\?\) without "
        "mean, draw, log_likelihood",
    ),
    "probabilities instead of a distribution": (
        broken(respond=lambda right, *_: right().mean),
        "respond must give a distribution of feedback, got an array of float32 without draw, "
        r"log_likelihood: click probabilities go into IndependentClicks\(...\)",
    ),
    "logits for probabilities": (
        broken(respond=lambda right, state, slate: IndependentClicks(
            state.level[:, None] + slate.quality)),
        r"respond\(...\).mean must lie in \[0, 1\], got .*: a sigmoid keeps a probability in its",
    ),
    "draws of numpy's generator": (
        answering(draw=lambda sound, rng: rng.random(sound.mean.shape) < sound.mean),
        r"respond\(...\).draw must answer .* given a Stream it raised AttributeError.*'random'",
    ),
    "draws of doubles": (
        answering(draw=lambda sound, rng: sound.draw(rng).astype(float)),
        r"respond\(...\).draw\(...\) must be float32, as observations are, got float64: cast it",
    ),
    "draws of its own generator": (
        answering(draw=lambda sound, rng: np.float32(LUCK.random(sound.mean.shape) < sound.mean)),
        r"respond\(...\).draw must be the same again from the same draws: draw from the generator",
    ),
    "an item table of its own": (
        broken(respond=lambda right, state, slate: (np.zeros(29)[slate.items], right())[1]),
        r"respond must answer .* all items of the catalogue; given .* slate \(7, 1\) of 30 items "
        "with 10 features it raised IndexError: index 29 is out of bounds",
    ),
    "features of another catalogue": (
        broken(respond=lambda right, state, slate: (slate.features @ np.zeros(8), right())[1]),
        "respond must answer .* of 30 items with 10 features it raised ValueError: matmul",
    ),
    "drift by the request": (
        broken(drift=lambda right, state, elapsed, rng: replace(
            state, wave=0.9 * state.wave + np.float32(0.1) * rng.normal(len(elapsed)))),
        r"drift: wave must stay as it is over 0 days, .*: go by elapsed, as exp\(-elapsed / days\)",
    ),
    "numpy's way to draw": (
        broken(drift=lambda right, state, elapsed, rng: (rng.normal(size=len(elapsed)), right())),
        r"drift: draws must have the user as first axis, rng.normal\(7, ...\), got "
        r"rng.normal\(size=7\): give the axes one by one",
    ),
    "numpy's order of arguments": (
        broken(drift=lambda right, state, elapsed, rng: (rng.normal(0, 0.5, 7), right())),
        r"drift: draws .* got rng.normal\(0, 0.5, 7\): .* and scale what comes",
    ),
    "a shape in one piece": (
        broken(drift=lambda right, state, elapsed, rng: (rng.normal((7, 2)), right())),
        r"drift: draws .* got rng.normal\(\(7, 2\)\): give the axes one by one",
    ),
    "numpy's other draws": (
        broken(drift=lambda right, state, elapsed, rng: (rng.integers(3, size=7), right())),
        "drift: its rng draws by normal, uniform, logistic alone, got rng.integers",
    ),
    "a context not announced": (
        broken(context=lambda right, state: both_columns(state.level)),
        r"context gives 2 numbers a user, but context_size is 0, so that agents would see",
    ),
    "item values of some items": (
        broken(item_values=lambda right, *_: right()[:, 1:]),
        r"item_values must have shape \(7, 30\), got \(7, 29\)",
    ),
    "a method without its rng": (
        signed(drift=lambda self, state, elapsed: state),
        r"drift must take \(state, elapsed, rng\), got \(state, elapsed\)",
    ),
    "a method that wants more": (
        signed(leave=lambda self, state, slate: state.level),
        r"leave must take \(state\), got \(state, slate\)",
    ),
    "a parameter in a method's place": (
        signed(leave=0.1),
        "leave must be a method, got float: call the parameter something else",
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
    class Undecorated(Plain):
        pass

    with pytest.raises(UserModelError, match=r"decorate the class with @dataclass\(frozen=True"):
        check_user_model(Undecorated(), CATALOGUE)


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
    with pytest.raises(UserModelError, match=r"^a user model must inherit from UserModel, got obj"):
        check_user_model(object(), CATALOGUE)  # type: ignore[arg-type]
    with pytest.raises(UserModelError, match=r"got the class Plain: make one of it, Plain\(\)"):
        check_user_model(Plain, CATALOGUE)  # type: ignore[arg-type]


def test_drift_by_the_request_is_sound_where_time_never_varies() -> None:
    """Where users never come back after a drawn gap, all requests are equally far apart."""

    def steps(right: Any, state: Any, elapsed: Any, rng: Any) -> Any:
        return replace(state, wave=0.9 * state.wave)

    check_user_model(broken(drift=steps, leave=lambda right, _: 0 * right()), CATALOGUE)


def test_a_logistic_drift_is_sound() -> None:
    def jumps(right: Any, state: Any, elapsed: Any, rng: Any) -> Any:
        return replace(state, wave=state.wave + np.sqrt(elapsed) * rng.logistic(len(elapsed)))

    check_user_model(broken(drift=jumps), CATALOGUE)


def still(sample: Any = None, **respond: Callable[..., Any]) -> UserModel:
    """Users who never change."""
    stays = {"react": lambda right, state, *_: state, "drift": lambda right, state, *_: state}
    sampled = {"sample": sample} if sample else {}
    return broken(leave=lambda right, state: 0 * state.level, **stays, **sampled, **respond)


def test_the_same_answers_on_torch_are_sound() -> None:
    check_user_model(DriftingUser(), CATALOGUE, torch=True)


def test_what_is_bound_to_numpy_is_named_on_torch() -> None:
    message = r"respond must answer .* as torch tensors it raised TypeError: numpy's functions take"
    with pytest.raises(UserModelError, match=message):
        check_user_model(Plain(), CATALOGUE, torch=True)


def test_a_numpy_array_among_tensors_is_named() -> None:
    model = still(respond=lambda right, state, slate: IndependentClicks(
        sigmoid(state.level[:, None] + slate.quality)))  # fmt: skip
    check_user_model(model, CATALOGUE, torch=True)
    leave = {"leave": lambda self, state: np.zeros(len(state.level), np.float32)}
    kind = dataclass(frozen=True, eq=False)(type("Broken", (type(model),), leave))
    with pytest.raises(UserModelError, match="leave must be an array of torch when given torch"):
        check_user_model(kind(), CATALOGUE, torch=True)


def test_doubles_do_not_go_with_floats_on_torch() -> None:
    def doubles(right: Any, *_: Any) -> Any:
        return replace(right(), level=right().level.astype(float))

    def respond(right: Any, state: Any, slate: Any) -> Any:
        xp = namespace(state.level)
        ones = xp.ones_like(slate.features[:, :, :1])
        return IndependentClicks(sigmoid((ones @ state.level[:, None, None])[..., 0]))

    check_user_model(still(respond=respond), CATALOGUE, torch=True)
    check_user_model(still(doubles, respond=respond), CATALOGUE)
    with pytest.raises(UserModelError, match=r"as torch tensors it raised RuntimeError: .*Double"):
        check_user_model(still(doubles, respond=respond), CATALOGUE, torch=True)


def test_another_answer_on_torch_is_named() -> None:
    def respond(right: Any, state: Any, slate: Any) -> Any:
        shift = 0 if isinstance(state.level, np.ndarray) else 1
        return IndependentClicks(sigmoid(state.level[:, None] + slate.quality + shift))

    message = r"respond\(...\).mean must give on torch what it gives on numpy"
    with pytest.raises(UserModelError, match=message):
        check_user_model(still(respond=respond), CATALOGUE, torch=True)


@pytest.mark.parametrize("options", [{"users": 1}, {"slate": 0}, {"slate": 31}])
def test_a_batch_too_small_to_tell_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"users must be at least 2 and slate in \[1, 30\]"):
        check_user_model(Plain(), CATALOGUE, **options)
