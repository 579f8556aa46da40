from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftrec.envs import (
    Catalogue,
    DriftingUser,
    IndependentClicks,
    MultinomialClick,
    Population,
    ReturnGap,
    Simulation,
    UserModel,
    UserModelError,
    feed_population,
    slate_population,
)
from driftrec.envs.arrays import duplicate, leaves, take
from driftrec.envs.feedback import LogisticClicks
from driftrec.envs.observation import KEYS, observation_space, observe
from driftrec.envs.simulation import Trials

FEED = feed_population()
ITEMS = Catalogue(np.zeros((9, 2)), np.ones((9, 1)), np.zeros(9))


def simulated(users: int = 40, seed: int = 0, **options: Any) -> Simulation:
    simulation = Simulation(FEED.split("test"), users, **options)
    simulation.reset(seed)
    return simulation


def random_slates(simulation: Simulation, rng: np.random.Generator) -> np.ndarray:
    shape = (simulation.users, len(simulation.catalogue))
    return np.argsort(rng.random(shape), axis=1)[:, : simulation.slate]


# Conservation


@pytest.mark.parametrize("slate", [1, 3])
def test_time_requests_and_sessions_add_up_over_a_trial(slate):
    simulation = simulated(slate=slate, max_requests=100, max_days=20.0)
    rng = np.random.default_rng(0)
    days, returns, requests = np.zeros(40), np.zeros(40, int), np.zeros(40, int)
    position = np.zeros(40, int)
    for _ in range(100):
        over = simulation.trials.over
        simulation.step(random_slates(simulation, rng))
        trials = simulation.trials
        assert np.all(np.isfinite(trials.elapsed) & (trials.elapsed >= 0))
        days += np.where(over, 0, trials.elapsed)
        returns += trials.returned
        requests += ~over
        position = np.where(
            over, position, np.where(trials.returned | trials.churned, 0, position + 1)
        )
        np.testing.assert_allclose(trials.day, days, rtol=1e-12)
        np.testing.assert_array_equal(trials.session, returns)
        np.testing.assert_array_equal(trials.request, requests)
        np.testing.assert_array_equal(trials.position, position)
        assert not np.any(trials.returned & (trials.churned | over))
        assert not np.any(trials.churned & trials.truncated)
        np.testing.assert_array_equal(simulation.over, trials.over)
        assert simulation.anyone_over == trials.over.any()
        limits = (trials.request >= 100) | (trials.day >= 20)
        np.testing.assert_array_equal(trials.truncated, limits & ~trials.churned)
    assert trials.over.all()
    assert 0 < trials.churned.sum() < 40
    np.testing.assert_array_equal(trials.elapsed[trials.churned], 0)


def test_what_was_shown_is_what_counts_as_shown():
    simulation = simulated(slate=3)
    rng = np.random.default_rng(1)
    seen = np.zeros((40, 500), bool)
    for _ in range(5):
        slates = random_slates(simulation, rng)
        simulation.step(slates)
        np.put_along_axis(seen, slates, True, axis=1)
    np.testing.assert_array_equal(simulation.shown == 1, seen)


def test_an_item_is_a_repeat_from_its_second_showing_on():
    """With a boundless dislike of repeats nobody clicks an item twice."""
    simulation = simulated(users=200)
    clicks = []
    for _ in range(6):
        simulation.step(np.full((200, 1), 7))
        clicks.append(simulation.trials.feedback.sum())
    assert clicks[0] > 20
    assert clicks[1:] == [0] * 5


# Rows whose trial is over


def test_a_row_that_is_over_stands_still_with_all_its_user_and_its_history():
    fickle = FEED.replace_parameters(churn=0.3)
    simulation = Simulation(fickle.split("test"), 60, max_requests=30)
    simulation.reset(0)
    rng = np.random.default_rng(0)
    stood = 0
    for _ in range(29):
        rows = np.flatnonzero(simulation.over)
        state, shown = take(simulation.state, rows), simulation.shown[rows]
        before = take(simulation.trials, rows)
        simulation.step(random_slates(simulation, rng))
        after = take(simulation.trials, rows)
        for name, array in leaves(take(simulation.state, rows)).items():
            np.testing.assert_array_equal(array, leaves(state)[name])
        np.testing.assert_array_equal(simulation.shown[rows], shown)
        for name in set(Trials.__slots__) - {"feedback", "returned"}:
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
        assert not after.feedback.any()
        assert not after.returned.any()
        stood += len(rows)
    assert stood > 60


def test_rows_that_are_over_do_not_change_the_luck_of_the_others():
    """A trial goes on as it would have gone on, whoever else is lost."""
    rng = np.random.default_rng(0)
    slates = rng.integers(500, size=(40, 30, 1))
    one, two = simulated(users=30), simulated(users=30)
    lost = np.zeros(30, bool)
    for items in slates:
        one.step(items.copy())
        two.step(items.copy())
        two.trials.truncated[3] = two.over[3] = two.anyone_over = True
        lost[3] = True
        keep = np.flatnonzero(~lost)
        for name in Trials.__slots__:
            np.testing.assert_array_equal(
                getattr(one.trials, name)[keep], getattr(two.trials, name)[keep]
            )


def test_new_rows_are_new_users_at_their_first_contact():
    simulation = simulated(users=20)
    rng = np.random.default_rng(0)
    for _ in range(10):
        simulation.step(random_slates(simulation, rng))
    mask = np.arange(20) < 5
    state, trials = simulation.hidden_state(), duplicate(simulation.trials)
    simulation.reset_rows(mask)
    for name, array in leaves(simulation.state).items():
        np.testing.assert_array_equal(array[5:], leaves(state)[name][5:])
    assert not np.isin(simulation.state.traits.key[:5], state.traits.key).any()
    assert not simulation.state.requests[:5].any()
    assert not simulation.shown[:5].any()
    assert simulation.shown[5:].any()
    for name in Trials.__slots__:
        assert not getattr(simulation.trials, name)[:5].any()
        np.testing.assert_array_equal(
            getattr(simulation.trials, name)[5:], getattr(trials, name)[5:]
        )


def test_no_two_users_of_a_long_run_with_resets_are_the_same():
    simulation = simulated(users=30)
    keys = [simulation.state.traits.key.copy()]
    rng = np.random.default_rng(0)
    for _ in range(60):
        mask = rng.random(30) < 0.2
        simulation.reset_rows(mask)
        keys.append(simulation.state.traits.key[mask])
    drawn = np.concatenate(keys)
    assert len(np.unique(drawn)) == len(drawn)


def test_the_hidden_state_is_handed_out_as_a_copy():
    simulation = simulated()
    for name, array in leaves(simulation.hidden_state()).items():
        assert not np.shares_memory(array, leaves(simulation.state)[name])
        np.testing.assert_array_equal(array, leaves(simulation.state)[name])


# What an agent sees


def test_the_first_observation_knows_nothing():
    simulation = simulated(slate=2)
    observation = observe(simulation)
    assert list(observation) == list(KEYS)
    assert set(KEYS) == set(observation_space(simulation))
    ones = {"new_user", "new_session"}
    for key, values in observation.items():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, np.full(values.shape, key in ones))


histories = st.fixed_dictionaries(
    {
        "items": st.integers(0, 499),
        "feedback": st.integers(0, 1),
        "request": st.integers(0, 90),
        "position": st.integers(0, 90),
        "day": st.floats(0, 400),
        "elapsed": st.floats(0, 300, width=32),
    }
)


@settings(max_examples=40)
@given(st.lists(histories, min_size=4, max_size=4), st.integers(0, 5), st.integers(1, 20))
def test_an_observation_is_a_function_of_public_history_alone(rows, seed, steps):
    """Two batches of different users with the same public history look the same."""
    one, two = simulated(users=4, seed=seed), simulated(users=4, seed=seed + 1)
    for _ in range(steps):
        two.step(np.full((4, 1), 3))
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    for simulation in (one, two):
        trials = duplicate(one.trials)
        for name, values in columns.items():
            kept = getattr(trials, name)
            kept[:] = values.astype(kept.dtype).reshape(kept.shape)
        simulation.trials, simulation.anyone_new = trials, bool((trials.request == 0).any())
    assert not np.array_equal(one.state.core, two.state.core)
    first, second = observe(one), observe(two)
    assert all(np.array_equal(first[key], second[key]) for key in KEYS)
    assert observation_space(one)["slate"].contains(first["slate"][0])


def test_an_observation_tells_what_happened():
    simulation = simulated(users=50)
    rng = np.random.default_rng(0)
    for _ in range(12):
        items = random_slates(simulation, rng)
        over = simulation.over
        simulation.step(items)
        observation, trials = observe(simulation), simulation.trials
        shown = FEED.catalogue.table[items]
        np.testing.assert_array_equal(observation["slate"][~over], shown[~over])
        np.testing.assert_array_equal(observation["feedback"], trials.feedback)
        seconds = trials.elapsed[:, None].astype(np.float64) * 86400
        np.testing.assert_allclose(observation["log_elapsed"], np.log1p(seconds), rtol=1e-5)
        np.testing.assert_array_equal(observation["position"][:, 0], trials.position)
        np.testing.assert_array_equal(observation["new_session"][:, 0], trials.position == 0)
        assert not observation["new_user"].any()


def test_an_observation_is_the_agents_own():
    simulation = simulated()
    simulation.step(np.full((40, 1), 3))
    trials = duplicate(simulation.trials)
    for values in observe(simulation).values():
        values[:] = 7
    for name in Trials.__slots__:
        np.testing.assert_array_equal(getattr(simulation.trials, name), getattr(trials, name))
    assert np.array_equal(FEED.catalogue.table, feed_population().catalogue.table)


# Ends of a trial


@dataclass
class Counted:
    requests: np.ndarray


@dataclass(frozen=True)
class Given:
    feedback: Any
    mean: Any = None

    def draw(self, rng: Any) -> Any:
        return self.feedback

    def log_likelihood(self, feedback: Any) -> Any:
        raise AssertionError("a simulation draws feedback, and never asks for its likelihood")


@dataclass(frozen=True, eq=False)
class Scripted(UserModel):
    """Users who leave after each `length` requests, for `days`, and never return if `lost`."""

    answer: Any = None
    length: int = 2
    days: float = 10.0
    lost: float = 0.0
    leaving: Any = None
    catalogue: Catalogue = field(default=ITEMS)

    def sample(self, users: int, rng: np.random.Generator) -> Counted:
        return Counted(np.zeros(users))

    def respond(self, state: Counted, slate: Any) -> Any:
        if self.answer is not None:
            return self.answer(slate.items.shape)
        return IndependentClicks(np.ones(slate.items.shape, np.float32))

    def react(self, state: Counted, slate: Any, feedback: Any) -> Counted:
        return Counted(state.requests + 1)

    def leave(self, state: Counted) -> Any:
        if self.leaving is not None:
            return self.leaving
        return np.float32(state.requests % self.length == 0)

    def return_after(self, state: Counted) -> ReturnGap:
        full = np.ones(len(state.requests))
        return ReturnGap(self.lost * full, self.days * full, shape=float("inf"))


def scripted(users: int = 2, slate: int = 1, **parameters: Any) -> Simulation:
    model = Scripted(**{k: v for k, v in parameters.items() if not k.startswith("max")})
    limits = {k: v for k, v in parameters.items() if k.startswith("max")}
    population = Population("scripted", model, ITEMS)
    simulation = Simulation(population.split("train"), users, slate=slate, **limits)
    simulation.reset(0)
    return simulation


def test_who_passes_the_limit_of_days_while_away_is_truncated_and_not_lost():
    simulation = scripted(max_days=5.0)
    for _ in range(2):
        assert not simulation.anyone_over
        simulation.step(np.zeros((2, 1), np.int64))
    trials = simulation.trials
    assert trials.truncated.all()
    assert trials.returned.all()
    assert not trials.churned.any()
    assert trials.session.tolist() == [1, 1]
    np.testing.assert_allclose(trials.day, 10 + 30 / 86400)


def test_who_is_lost_at_the_last_request_is_lost_and_not_truncated():
    simulation = scripted(lost=1.0, max_requests=2)
    for _ in range(2):
        simulation.step(np.zeros((2, 1), np.int64))
    trials = simulation.trials
    assert trials.churned.all()
    assert not trials.truncated.any()
    assert not trials.returned.any()
    np.testing.assert_allclose(trials.day, 30 / 86400)


# What a user model must not do


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda shape: Given(np.full(shape, np.nan)), r"draw must lie in \[0, 1\] .* got nan"),
        (lambda shape: Given(np.full(shape, np.inf)), r"draw must lie in \[0, 1\] .* got inf"),
        (lambda shape: Given(np.full(shape, -0.1)), r"draw must lie in \[0, 1\] .* got -0.1"),
        (lambda shape: IndependentClicks(np.full(shape, np.nan)), "mean must lie in .* got nan"),
        (lambda shape: IndependentClicks(np.full(shape, 7.0)), "mean must lie in .* got 7"),
        (lambda shape: LogisticClicks(np.full(shape, np.nan)), "mean must lie in .* got nan"),
        (lambda shape: MultinomialClick(np.full(shape, np.nan)), "mean must lie in .* got nan"),
        (
            lambda shape: Given(np.zeros(shape[0])),
            r"respond\(\.\.\.\)\.draw must have shape \(2, 3\), got \(2,\)",
        ),
        (lambda shape: Given(0.5), r"must have shape \(2, 3\), got float"),
        (np.zeros, "respond must give a distribution .* got an array of float64 without draw"),
        (lambda shape: scripted, "got function without draw, mean: click probabilities go into"),
    ],
)
def test_feedback_that_is_none_is_refused(answer, message):
    with pytest.raises(UserModelError, match=f"Scripted.*{message}"):
        scripted(slate=3, answer=answer).step(np.tile(np.arange(3), (2, 1)))


def test_nan_feedback_is_refused_at_any_request():
    values = iter([0.5, 0.5, np.nan])
    simulation = scripted(answer=lambda shape: Given(np.full(shape, next(values))))
    simulation.step(np.zeros((2, 1), np.int64))
    simulation.step(np.zeros((2, 1), np.int64))
    with pytest.raises(UserModelError, match="finite feedback, got NaN"):
        simulation.step(np.zeros((2, 1), np.int64))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"leaving": np.zeros((2, 1))}, r"leave must have shape \(2,\), got \(2, 1\)"),
        ({"leaving": 0.5}, r"leave must have shape \(2,\), got float"),
        ({"leaving": np.array([0.5, 1.5])}, r"leave must lie in \[0, 1\], got 1.5"),
        ({"leaving": np.array([0.5, np.nan])}, r"leave must lie in \[0, 1\], got nan"),
        ({"days": -1.0, "length": 1}, "return_after must give gaps of 0 days or more"),
        ({"days": np.nan, "length": 1}, "return_after must give gaps of 0 days or more, got NaN"),
    ],
)
def test_probabilities_and_gaps_out_of_range_are_refused(parameters, message):
    with pytest.raises(UserModelError, match=f"Scripted.{message}"):
        scripted(**parameters).step(np.zeros((2, 1), np.int64))


def answering(**methods: Any) -> Simulation:
    """Users of whom some methods give what is given here."""

    class Changed(Scripted):
        """The users."""

    for name, answer in methods.items():
        setattr(Changed, name, lambda self, *arguments, answer=answer: answer)
    return Simulation(Population("changed", Changed(), ITEMS).split("train"), 2)


ONE_ROW, ALONE, LISTED = (Counted(numbers) for numbers in (np.zeros(1), np.float32(0), [0, 0]))

NO_STATES = [
    (None, r"must give a dataclass of arrays, got None \(is a return missing\?\)"),
    ({"requests": np.zeros(2)}, "must give a dataclass of arrays, got dict"),
    ([np.zeros(2)], "must give a dataclass of arrays, got list"),
    (Counted, "must give a dataclass of arrays, got type"),
    (ONE_ROW, r"requests must have the user as first axis, \(2, ...\), got \(1,\)"),
    (ALONE, r"requests must have the user as first axis, \(2, ...\), got \(\)"),
    (LISTED, "requests must be an array, got list"),
]


@pytest.mark.parametrize(("state", "message"), NO_STATES)
def test_new_users_that_are_no_state_are_refused_at_once(state, message):
    with pytest.raises(UserModelError, match=f"Changed.sample.*{message}.*check_user_model"):
        answering(sample=state).reset(0)


@pytest.mark.parametrize("method", ["react", "drift"])
@pytest.mark.parametrize(("state", "message"), NO_STATES)
def test_what_becomes_of_users_must_be_a_state_too(method, state, message):
    simulation = answering(**{method: state})
    simulation.reset(0)
    with pytest.raises(UserModelError, match=f"Changed.{method}.*{message}.*check_user_model"):
        simulation.step(np.zeros((2, 1), np.int64))


@pytest.mark.parametrize(
    ("gap", "message"),
    [
        (None, r"return_after must give a ReturnGap, got None \(is a return missing\?\)"),
        (0.5, "return_after must give a ReturnGap, got float"),
        (
            ReturnGap(np.zeros((2, 1)), np.ones(2)),
            r"return_after\(...\).never must have shape \(2,\), got \(2, 1\)",
        ),
        (
            ReturnGap(np.zeros(2), np.ones(1)),
            r"return_after\(...\).median must have shape \(2,\), got \(1,\)",
        ),
        (ReturnGap(0.0, 1.0), r"return_after\(...\).never must have shape \(2,\), got float"),
    ],
)
def test_a_gap_that_is_none_is_refused_before_anyone_leaves(gap, message):
    simulation = answering(return_after=gap, leave=np.zeros(2))
    simulation.reset(0)
    with pytest.raises(UserModelError, match=f"Changed.{message}.*check_user_model"):
        simulation.step(np.zeros((2, 1), np.int64))


def test_users_that_are_drawn_later_are_looked_at_too():
    class Fewer(Scripted):
        drawn = iter([2, 1])

        def sample(self, users: int, rng: np.random.Generator) -> Counted:
            return Counted(np.zeros(next(self.drawn)))

    simulation = Simulation(Population("fewer", Fewer(), ITEMS).split("train"), 2)
    simulation.reset(0)
    with pytest.raises(UserModelError, match=r"sample: requests must .* \(2, ...\), got \(1,\)"):
        simulation.reset_rows(np.array([True, False]))


def test_numpy_has_no_device():
    with pytest.raises(ValueError, match="device 'cuda' needs array_library='torch', got 'numpy'"):
        simulated(device="cuda")
    with pytest.raises(ValueError, match="library must be 'numpy' or 'torch', got 'jax'"):
        simulated(array_library="jax")


def test_a_user_model_that_leaves_everything_out_never_leaves_and_never_changes():
    @dataclass(frozen=True, eq=False)
    class Plain(UserModel):
        def sample(self, users: int, rng: np.random.Generator) -> Counted:
            return Counted(rng.random(users))

        def respond(self, state: Counted, slate: Any) -> IndependentClicks:
            return IndependentClicks(np.repeat(state.requests[:, None], slate.items.shape[1], 1))

    simulation = Simulation(Population("plain", Plain(), ITEMS).split("train"), 6, max_requests=9)
    simulation.reset(0)
    before = simulation.hidden_state()
    for _ in range(9):
        simulation.step(np.zeros((6, 1), np.int64))
    np.testing.assert_array_equal(simulation.state.requests, before.requests)
    assert simulation.trials.truncated.all()
    assert simulation.trials.position.tolist() == [9] * 6
    expected = np.tile(before.requests[:, None], (1, 9))
    np.testing.assert_allclose(simulation.click_probability(), expected)


def test_slate_users_look_less_at_the_lower_slots():
    model = slate_population().model
    assert isinstance(model, DriftingUser)
    split = slate_population().split("train")
    simulation = Simulation(split, 4000, slate=5, max_requests=9)
    simulation.reset(0)
    rng = np.random.default_rng(0)
    clicks = np.zeros(5)
    for _ in range(8):
        simulation.step(random_slates(simulation, rng))
        clicks += simulation.trials.feedback.sum(0)
    assert np.all(np.diff(clicks) < 0)
