import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from driftrec.agents.evaluation import Evaluation, join
from driftrec.agents.harness import PolicyError, evaluate
from driftrec.agents.memory import new_memory
from driftrec.agents.registry import POLICIES
from driftrec.agents.repeating import Repeating
from driftrec.agents.workers import worker_pool
from driftrec.envs import Population, feed_population, slate_population

SMALL = {"users": 60, "batch": 40}


@dataclass(slots=True)
class Count:
    seen: np.ndarray


class Script:
    """Shows item f(requests so far), which it keeps in its state."""

    def __init__(self, item: Callable[[np.ndarray], np.ndarray]) -> None:
        self.item = item

    def start(self, users: int) -> Count:
        return Count(np.zeros(users, np.int64))

    def act(self, observation: Any, state: Count) -> tuple[Any, Any]:
        return self.item(state.seen)[:, None], Count(state.seen + 1)


def same(one: Evaluation, other: Evaluation, requests: int | None = None) -> bool:
    def equal(name: str) -> bool:
        values = [getattr(each, name) for each in (one, other)]
        if not isinstance(values[0], np.ndarray):
            return bool(values[0] == values[1])
        if requests is not None and values[0].ndim >= 2:
            values = [value[:, :requests] for value in values]
        return np.array_equal(*values, equal_nan=values[0].dtype.kind == "f")

    per_request = ("feedback", "items", "active", "session", "day", "gap", "reward")
    names = per_request if requests is not None else [field.name for field in fields(one)]
    return all(equal(name) for name in names)


@pytest.fixture(scope="module")
def feed() -> Population:
    return feed_population()


@pytest.fixture(scope="module")
def popular(feed: Population) -> Evaluation:
    return evaluate(POLICIES["most-popular"], feed, name="popular", regret=True, **SMALL)


def test_policies_that_act_alike_for_a_while_meet_the_same_luck_until_then(
    feed: Population,
) -> None:
    one = evaluate(lambda env: Script(lambda seen: seen), feed, **SMALL)
    other = evaluate(lambda env: Script(lambda seen: seen + 200 * (seen >= 30)), feed, **SMALL)
    assert same(one, other, requests=30)
    assert not np.array_equal(one.feedback, other.feedback)


def test_the_state_is_handed_back_and_what_was_shown_is_recorded(feed: Population) -> None:
    got = evaluate(lambda env: Script(lambda seen: seen), feed, **SMALL)
    expected = np.where(got.active, np.arange(got.requests), 0)
    np.testing.assert_array_equal(got.items[:, :, 0], expected)


def test_each_user_lives_one_whole_trial(popular: Evaluation) -> None:
    length = popular.active.sum(1)
    np.testing.assert_array_equal(popular.active, np.arange(120) < length[:, None])
    assert (popular.churned ^ popular.truncated).all()
    assert (length[popular.truncated] == 120).all()
    assert popular.churned.any()
    assert (length[popular.churned] < 120).all()
    assert not popular.feedback[~popular.active].any()
    np.testing.assert_array_equal(popular.feedback, popular.reward)


def test_the_clock_is_the_sum_of_the_gaps(popular: Evaluation) -> None:
    seconds = 30.0 * (popular.active.sum(1) - np.isfinite(popular.gap).sum(1))
    # Who churns takes no more time after the last request.
    seconds -= 30.0 * popular.churned
    days = np.nansum(popular.gap, 1) + seconds / 86400
    np.testing.assert_allclose(popular.last_day, days, rtol=1e-4, atol=1e-4)
    steps = np.diff(popular.session, axis=1)[popular.active[:, 1:]]
    returned = np.isfinite(popular.gap)[:, :-1][popular.active[:, 1:]]
    np.testing.assert_array_equal(steps, returned)


def test_users_depend_on_the_seed_and_differ_between_batches(
    feed: Population, popular: Evaluation
) -> None:
    assert not np.array_equal(popular.feedback[:20], popular.feedback[40:])
    again = evaluate(POLICIES["most-popular"], feed, name="popular", regret=True, **SMALL)
    assert same(popular, again)
    other = evaluate(POLICIES["most-popular"], feed, name="popular", seed=1, **SMALL)
    assert not np.array_equal(popular.feedback, other.feedback)


def test_processes_give_what_one_does(feed: Population, popular: Evaluation) -> None:
    done: list[int] = []
    with worker_pool(2) as pool:
        got = evaluate(
            POLICIES["most-popular"],
            feed,
            name="popular",
            regret=True,
            pool=pool,
            progress=done.append,
            **SMALL,
        )
    assert same(popular, got)
    assert sum(done) == 60


def test_progress_counts_every_user_once(feed: Population) -> None:
    done: list[int] = []
    evaluate(POLICIES["random"], feed, progress=done.append, **SMALL)
    assert sum(done) == 60
    assert min(done) > 0


@pytest.mark.parametrize("population", [feed_population(), slate_population()])
def test_the_clairvoyant_has_no_regret(population: Population) -> None:
    got = evaluate(POLICIES["clairvoyant"], population, regret=True, **SMALL)
    assert got.best is not None
    assert got.expected is not None
    np.testing.assert_allclose(got.expected, got.best, atol=1e-6)
    worse = evaluate(POLICIES["random"], population, regret=True, **SMALL)
    assert (worse.best - worse.expected)[worse.active].min() >= -1e-6
    assert (worse.best - worse.expected)[worse.active].mean() > 0.1


def test_clicks_are_as_many_as_expected(popular: Evaluation) -> None:
    assert popular.expected is not None
    expected = popular.expected.astype(float)
    # Clicks minus expectations is a martingale whose steps have variance p (1 - p).
    deviation = np.sqrt((expected * (1 - expected)).sum())
    assert abs(popular.feedback.sum() - expected.sum()) < 4 * deviation


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda state: (np.full((40, 1), 500), state), "numbered 0 to 499, got 500"),
        (lambda state: (np.zeros((40, 2), int), state), r"expected shape \(40, 1\)"),
        (lambda state: (np.zeros((40, 1)), state), "integers"),
        (lambda state: np.zeros((40, 1), int), "a slate and a state from act, got ndarray"),
        (lambda state: (np.zeros((40, 1), int), None), "as a dataclass of arrays, got NoneType"),
    ],
)
def test_a_wrong_answer_is_an_error_that_names_the_policy(
    feed: Population, answer: Callable[[Count], Any], message: str
) -> None:
    class Wrong(Script):
        def act(self, observation: Any, state: Count) -> Any:
            return answer(state)

    with pytest.raises(PolicyError, match=f"policy 'wrong'.*{message}"):
        evaluate(lambda env: Wrong(lambda seen: seen), feed, name="wrong", **SMALL)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"users": 0}, "users and batch must be at least 1"),
        ({"seed": -1}, "seed at least 0"),
        ({"split": "future"}, "split must be one of"),
        ({"population": "Nowhere"}, "population must be one of"),
    ],
)
def test_wrong_options_are_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(POLICIES["random"], **({"population": "Feed"} | options))


def test_saved_and_loaded_is_the_same(popular: Evaluation, tmp_path: Path) -> None:
    popular.save(tmp_path / "some" / "popular.npz")
    assert same(popular, Evaluation.load(tmp_path / "some" / "popular.npz"))
    assert [path.name for path in (tmp_path / "some").iterdir()] == ["popular.npz"]


@pytest.mark.parametrize("damage", ["cut", "empty", "foreign", "flipped", "array"])
def test_a_damaged_file_is_an_error(popular: Evaluation, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "popular.npz"
    popular.save(path)
    if damage == "foreign":
        np.savez(path, other=np.zeros(3))
    elif damage == "array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif damage == "flipped":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 255
        path.write_bytes(content)
    else:
        path.write_bytes(path.read_bytes()[: 5000 if damage == "cut" else 0])
    with pytest.raises(ValueError, match="must be an evaluation saved by driftrec"):
        Evaluation.load(path)


def test_a_file_of_before_predictions_and_groups_is_read(
    popular: Evaluation, tmp_path: Path
) -> None:
    path = tmp_path / "old.npz"
    popular.save(path)
    with np.load(path) as archive:
        content = {name: archive[name] for name in archive.files}
    new = {"clicks", "predicted", "group", "group_names"}
    settings = json.loads(str(content.pop("settings")))
    kept = {name: value for name, value in settings.items() if name not in new}
    arrays = {name: array for name, array in content.items() if name not in new}
    np.savez_compressed(path, settings=np.array(json.dumps(kept)), **arrays)
    old = Evaluation.load(path)
    assert same(old, replace(popular, group=None, group_names=()))


class Guess(Script):
    """Says that the chance of a click on an item is its number over 1000."""

    def act(self, observation: Any, state: Count) -> tuple[Any, Any]:
        first = self.item(state.seen)[:, None]
        return first + np.arange(observation["slate"].shape[1]), Count(state.seen + 1)

    def predict(self, state: Count, items: np.ndarray) -> Any:
        # The state is the one that chose these items: its count is one ahead of them.
        assert (items[:, 0] == state.seen - 1).all()
        return (items / 1000).astype(np.float32)


@pytest.mark.parametrize("population", [feed_population(), slate_population()])
def test_what_a_policy_predicts_is_recorded_item_by_item(population: Population) -> None:
    got = evaluate(lambda env: Guess(lambda seen: seen), population, **SMALL)
    assert got.predicted is not None
    expected = got.items / 1000 * got.active[:, :, None]
    np.testing.assert_allclose(got.predicted, expected, atol=1e-6)
    np.testing.assert_allclose(got.item_feedback.sum(2), got.feedback)
    assert (got.clicks is None) == (got.slate == 1)
    assert got.item_feedback.shape == got.items.shape


def test_predictions_are_asked_of_the_policy_that_repeats_itself(feed: Population) -> None:
    @dataclass(slots=True)
    class Remembers:
        memory: Any

    class Sure:
        def start(self, users: int) -> Any:
            return Remembers(new_memory(users, 500, 1))

        def act(self, observation: Any, state: Any) -> tuple[Any, Any]:
            items = np.zeros((len(state.memory.last), 1), np.int64)
            return items, Remembers(state.memory.after(items))

        def predict(self, state: Any, items: np.ndarray) -> Any:
            return np.full(items.shape, 0.75)

    got = evaluate(lambda env: Repeating(Sure()), feed, **SMALL)
    assert got.predicted is not None
    assert (got.predicted[got.active] == 0.75).all()


@pytest.mark.parametrize(
    ("guess", "message"),
    [
        (np.zeros(40), r"shape \(40, 1\), got shape \(40,\)"),
        (np.full((40, 1), 1.5), r"in \[0, 1\], got numbers from 1.5 to 1.5"),
        (np.full((40, 1), np.nan), "in .0, 1., got numbers from nan"),
    ],
)
def test_a_wrong_prediction_is_an_error(feed: Population, guess: np.ndarray, message: str) -> None:
    class Wrong(Script):
        def predict(self, state: Count, items: np.ndarray) -> Any:
            return guess

    with pytest.raises(PolicyError, match=f"policy 'wrong' must predict.*{message}"):
        evaluate(lambda env: Wrong(lambda seen: seen), feed, name="wrong", **SMALL)


def test_joined_seeds_are_strata(feed: Population, popular: Evaluation) -> None:
    other = evaluate(POLICIES["most-popular"], feed, name="popular", seed=7, regret=True, **SMALL)
    both = join([popular, other])
    assert both.seed == (0, 7)
    np.testing.assert_array_equal(both.stratum, [0] * 60 + [1] * 60)
    np.testing.assert_array_equal(both.feedback[60:], other.feedback)
    with pytest.raises(ValueError, match="of one kind"):
        join([popular, evaluate(POLICIES["random"], feed, name="random", **SMALL)])
    with pytest.raises(ValueError, match="at least one"):
        join([])
