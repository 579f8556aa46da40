import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftrec.envs import (
    DriftingUser,
    DriftingUserState,
    Population,
    ReturnGap,
    Simulation,
    Stream,
    default_personas,
    synthetic_catalogue,
)
from driftrec.envs.arrays import duplicate, leaves, take
from driftrec.envs.drifting_user import DAYS_PER_YEAR, SESSION_GAP

CATALOGUE = synthetic_catalogue(60, np.random.default_rng(0))
PAUSE = 30 / 86400
SAME = {"spread": 0.0}
"""Users who all relax at the rates of the parameters."""


def sampled(model: DriftingUser, users: int, seed: int = 0) -> DriftingUserState:
    return model.sample(users, np.random.default_rng(seed))


def drifted(model: DriftingUser, state: Any, days: Any, seed: int = 0) -> DriftingUserState:
    users = len(state.requests)
    elapsed = np.full(users, days, np.float32)
    return model.drift(state, elapsed, Stream(np.random.SeedSequence(seed)))


def shown(model: DriftingUser, users: int, items: Any, repeats: int = 0) -> Any:
    items = np.broadcast_to(np.atleast_2d(items), (users, np.shape(np.atleast_2d(items))[1]))
    return CATALOGUE.show(np.ascontiguousarray(items), np.full(items.shape, repeats, np.uint8))


def logit(probability: np.ndarray) -> np.ndarray:
    probability = probability.astype(np.float64)
    return np.log(probability / (1 - probability))


def near_zero(values: np.ndarray, sd: float, bound: float = 5.0) -> bool:
    """Whether the mean of independent values of standard deviation `sd` may be 0."""
    return abs(float(np.mean(values))) < bound * sd / math.sqrt(len(values))


# Mood and whims


@pytest.mark.parametrize("days", [0.0, 1e-5, PAUSE, 0.004, 0.02, 0.5, 3.0, 400.0])
def test_mood_and_whims_are_ornstein_uhlenbeck_over_any_gap(days):
    """Mean x e^(-rate t), variance sd^2 (1 - e^(-2 rate t)), covariance with x sd^2 e^(-rate t)."""
    model = DriftingUser(**SAME)
    users = 20_000
    before = sampled(model, users)
    after = drifted(model, before, days, seed=1)
    rates = np.array([24 / model.mood_hours] + [1440 / model.whim_minutes] * model.topics)
    sds = np.array([model.mood_sd] + [model.whim_sd] * model.topics)
    for column, (rate, sd) in enumerate(zip(rates, sds, strict=True)):
        kept = math.exp(-rate * np.float32(days))
        old, new = (s.relaxing[:, column].astype(np.float64) for s in (before, after))
        fresh = sd * math.sqrt(1 - kept**2)
        residual = new - kept * old
        assert near_zero(residual, fresh + 1e-9)
        assert residual.var() == pytest.approx(fresh**2, rel=5 * math.sqrt(2 / users), abs=1e-10)
        assert new.var() == pytest.approx(sd**2, rel=5 * math.sqrt(2 / users))
        spread = sd**2 * math.sqrt((1 + kept**2) / users)
        assert np.mean(old * new) == pytest.approx(kept * sd**2, abs=5 * spread)


def test_users_relax_at_their_own_rates_with_the_given_median():
    model = DriftingUser(spread=0.5)
    state = sampled(model, 40_000)
    rates = np.log(state.traits.rate[:, :3].astype(np.float64))
    for column, median in enumerate([24 / 3.0, 1440 / 10.0, 24 / 12.0]):
        assert np.median(rates[:, column]) == pytest.approx(math.log(median), abs=0.02)
        assert rates[:, column].std() == pytest.approx(0.5, rel=0.03)
    assert np.all(state.traits.rate[:, 3] == np.float32(1 / model.memory_days))
    assert not state.traits.rate[:, 4].any()
    expected = np.exp(-np.float32(PAUSE) * state.traits.rate)
    np.testing.assert_allclose(state.traits.pause_kept[:, 0], expected[:, 0], rtol=1e-6)
    np.testing.assert_allclose(state.traits.pause_kept[:, 1], expected[:, 1], rtol=1e-6)


@pytest.mark.parametrize("days", [PAUSE, 0.3])
def test_a_gap_in_two_steps_is_one_gap_in_law(days):
    model = DriftingUser(**SAME, life_events_per_year=0)
    users = 40_000
    start = sampled(model, users)
    start.relaxing[:] = np.linspace(-1, 1, start.relaxing.shape[1])
    whole = drifted(model, start, days, seed=1)
    split = drifted(model, drifted(model, start, days / 3, seed=2), days * 2 / 3, seed=3)
    bound = 5 * math.sqrt(2 / users)
    for one, two in ((whole.relaxing[:, :9], split.relaxing[:, :9]), (whole.core, split.core)):
        np.testing.assert_allclose(one.mean(0), two.mean(0), atol=bound)
        np.testing.assert_allclose(one.var(0), two.var(0), rtol=bound, atol=1e-9)
    np.testing.assert_allclose(whole.relaxing[:, 9:], split.relaxing[:, 9:], rtol=1e-5)
    np.testing.assert_allclose(whole.core_age, split.core_age, rtol=1e-6)


@given(
    st.lists(st.floats(0, 30), min_size=1, max_size=6),
    st.lists(st.floats(0, 5), min_size=8, max_size=8),
)
def test_satiation_satisfaction_and_boredom_decay_exponentially(gaps, exposures):
    model = DriftingUser(**SAME)
    state = sampled(model, 2)
    state.satiation[:] = np.float32(exposures)
    state.satisfaction[:], state.boredom[:] = 0.25, 0.75
    first = duplicate(state)
    for days in gaps:
        state = drifted(model, state, days)
    total = float(np.sum(np.float32(gaps), dtype=np.float64))
    kept = math.exp(-total * 24 / model.satiation_hours)
    np.testing.assert_allclose(state.satiation, kept * first.satiation, rtol=2e-4, atol=1e-7)
    forgotten = math.exp(-total / model.memory_days)
    np.testing.assert_allclose(state.satisfaction, forgotten * 0.25, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(state.boredom, forgotten * 0.75, rtol=1e-4, atol=1e-7)


def test_gaps_may_differ_between_the_users_of_a_batch():
    """A row drifts as it does in a batch that all drift like it."""
    model = DriftingUser()
    state = sampled(model, 7)
    gaps = np.array([PAUSE, 0.5, PAUSE, 0.001, 9.0, 0.0, PAUSE], np.float32)
    mixed = model.drift(state, gaps, Stream(np.random.SeedSequence(0)))
    for row, days in enumerate(gaps):
        uniform = drifted(model, state, days)
        for name, array in leaves(uniform).items():
            np.testing.assert_allclose(array[row], leaves(mixed)[name][row], rtol=1e-5, atol=1e-7)


# The core


def test_all_processes_stay_in_their_stationary_law_over_long_runs():
    model = DriftingUser()
    state = sampled(model, 4000)
    gaps = [PAUSE, PAUSE, 0.01, 0.1, 2.0, 100.0]
    for number in range(120):
        state = drifted(model, state, gaps[number % 6], seed=number)
    assert state.core_age.max() < 2
    assert state.session.tolist() == [60] * 4000
    individual = state.core - model.personas[state.persona]
    bound = 5 * math.sqrt(2 / 4000)
    assert state.mood.std() == pytest.approx(model.mood_sd, rel=bound)
    assert state.whim.std() == pytest.approx(model.whim_sd, rel=bound)
    assert individual.var() == pytest.approx(1 - model.persona_share, rel=bound)
    assert abs(individual.mean()) < bound
    counts = np.bincount(state.persona, minlength=12)
    assert np.abs(counts - 4000 / 12).max() < 5 * math.sqrt(4000 / 12)


@pytest.mark.parametrize("days", [0.05, 30.0, 1000.0])
def test_the_individual_taste_keeps_its_share_of_a_year(days):
    model = DriftingUser(life_events_per_year=0)
    before = sampled(model, 20_000)
    after = drifted(model, before, days)
    old, new = (s.core - model.personas[s.persona] for s in (before, after))
    kept = model.retained_per_year ** (days / DAYS_PER_YEAR)
    residual = (new - kept * old).astype(np.float64)
    fresh = (1 - model.persona_share) * (1 - kept**2)
    assert np.array_equal(before.persona, after.persona)
    assert residual.var() == pytest.approx(fresh, rel=5 * math.sqrt(2 / residual.size))
    assert near_zero(residual.ravel(), math.sqrt(fresh))


def test_the_core_moves_between_sessions_by_all_the_time_since_it_last_moved():
    model = DriftingUser(life_events_per_year=0, retained_per_year=1e-9)
    state = sampled(model, 3000)
    within = state
    for number in range(50):
        within = drifted(model, within, 0.9 * SESSION_GAP, seed=number)
    assert within.core is state.core
    assert np.all(within.session == 0)
    after = drifted(model, within, 1.1 * SESSION_GAP)
    age = (50 * 0.9 + 1.1) * SESSION_GAP
    kept = 1e-9 ** (age / DAYS_PER_YEAR)
    individual = after.core - model.personas[after.persona]
    residual = individual - kept * (state.core - model.personas[state.persona])
    assert residual.var() == pytest.approx(
        (1 - model.persona_share) * (1 - kept**2), rel=5 * math.sqrt(2 / residual.size)
    )
    assert np.all(after.session == 1)
    assert np.all(after.requests == 0)
    assert np.all(after.core_age == 0)


@pytest.mark.parametrize(("rate", "days"), [(0.3, 365.25), (20.0, 10.0), (3.0, 5000.0)])
def test_life_events_exchange_the_persona_at_their_rate(rate, days):
    """A chain that jumps to another of P states at a rate r has left its state by time t with
    probability (1 - 1/P) (1 - exp(-r t P / (P - 1)))."""
    model = DriftingUser(life_events_per_year=rate)
    before = sampled(model, 50_000)
    after = drifted(model, before, days)
    count = len(model.personas)
    redraws = rate * days / DAYS_PER_YEAR * count / (count - 1)
    expected = (1 - 1 / count) * (1 - math.exp(-redraws))
    changed = np.mean(before.persona != after.persona)
    assert changed == pytest.approx(expected, abs=5 * math.sqrt(0.25 / 50_000))


def test_a_click_moves_the_core_towards_the_item_and_nothing_else_does():
    model = DriftingUser(influence=0.25)
    state = sampled(model, 2)
    slate = shown(model, 2, 5)
    after = model.react(state, slate, np.array([[1.0], [0.0]], np.float32))
    goal = math.sqrt(model.dimension) * CATALOGUE.features[5]
    np.testing.assert_allclose(after.core[0], 0.75 * state.core[0] + 0.25 * goal, rtol=1e-5)
    np.testing.assert_array_equal(after.core[1], state.core[1])
    for _ in range(60):
        state = model.react(state, slate, np.ones((2, 1), np.float32))
    np.testing.assert_allclose(state.core, np.tile(goal, (2, 1)), atol=1e-4)


def test_the_clicks_of_a_slate_each_move_the_core():
    model = DriftingUser(influence=0.1)
    state = sampled(model, 1)
    after = model.react(state, shown(model, 1, [3, 4, 5]), np.array([[1, 0, 1]], np.float32))
    goals = math.sqrt(model.dimension) * CATALOGUE.features[[3, 5]]
    expected = state.core[0] + 0.1 * (goals - state.core[0]).sum(0)
    np.testing.assert_allclose(after.core[0], expected, rtol=1e-5, atol=1e-6)


# Choice


def exact_logits(model: DriftingUser, state: DriftingUserState, items: list[int]) -> np.ndarray:
    """The formula of the docstring, written out in double precision."""
    core, whim, satiation = (
        array.astype(np.float64) for array in (state.core, state.whim, state.satiation)
    )
    features, topics = CATALOGUE.features[items], CATALOGUE.topics[items]
    weight = state.traits.satiation_weight.astype(np.float64)[:, None]
    return (
        (state.traits.level + state.mood).astype(np.float64)[:, None]
        + CATALOGUE.quality[items]
        + model.taste_sd * core @ features.T
        + whim @ topics.T
        - weight * (satiation @ topics.T)
        + model.slot_bias * np.arange(len(items))
    )


@pytest.mark.parametrize("users", [3, 200])
@pytest.mark.parametrize("choice", ["independent", "multinomial"])
def test_click_probabilities_are_those_of_the_formula(users, choice):
    model = DriftingUser(choice=choice, slot_bias=-0.4)
    state = sampled(model, users)
    state.satiation[:] = np.random.default_rng(1).gamma(2.0, size=(users, 8))
    items = [4, 9, 33]
    weights = np.exp(exact_logits(model, state, items))
    expected = {
        "independent": weights / (1 + weights),
        "multinomial": weights / (1 + weights.sum(1, keepdims=True)),
    }[choice]
    answer = model.respond(state, shown(model, users, items))
    np.testing.assert_allclose(answer.mean, expected, atol=1e-6)


def test_clicks_come_as_often_as_the_formula_says():
    model = DriftingUser()
    state = take(sampled(model, 4), np.repeat(np.arange(4), 20_000))
    clicks = model.respond(state, shown(model, 80_000, 7)).draw(Stream(np.random.SeedSequence(0)))
    rate = clicks.reshape(4, -1).mean(1)
    expected = 1 / (1 + np.exp(-exact_logits(model, state, [7])[::20_000, 0]))
    np.testing.assert_allclose(rate, expected, atol=4.5 * math.sqrt(0.25 / 20_000))


def test_each_slot_down_the_slate_loses_the_slot_bias():
    model = DriftingUser(slot_bias=-0.3, repeat_penalty=0)
    state = sampled(model, 5)
    same = logit(model.respond(state, shown(model, 5, [8, 8, 8, 8])).mean)
    np.testing.assert_allclose(np.diff(same, axis=1), -0.3, atol=1e-5)


def test_an_item_shown_before_loses_the_repeat_penalty():
    model = DriftingUser(repeat_penalty=1.5)
    state = sampled(model, 5)
    new, old = (logit(model.respond(state, shown(model, 5, 8, seen)).mean) for seen in (0, 1))
    np.testing.assert_allclose(new - old, 1.5, atol=1e-5)


def test_the_privileged_probabilities_are_those_of_items_shown_alone():
    model = DriftingUser(slot_bias=-0.4)
    state = sampled(model, 6)
    probability = model.click_probability(state, CATALOGUE)
    for item in (0, 17, 59):
        mean = model.respond(state, shown(model, 6, item)).mean[:, 0]
        np.testing.assert_allclose(probability[:, item], mean, atol=1e-6)


# Reaction and leaving


def test_a_request_leaves_its_trace():
    model = DriftingUser(memory=0.2)
    state = sampled(model, 2)
    state.satiation[:] = 2.0
    after = model.react(state, shown(model, 2, [3, 4]), np.array([[1, 1], [1, 0]], np.float32))
    exposure = CATALOGUE.topics[[3, 4]].sum(0)
    np.testing.assert_allclose(after.satiation, 2 + np.tile(exposure, (2, 1)))
    news = np.array([1.0, 0.5]) - state.traits.expectation
    np.testing.assert_allclose(after.satisfaction, 0.2 * news, rtol=1e-5)
    np.testing.assert_allclose(after.boredom, 0.2 * 2.0, rtol=1e-5)
    assert after.requests.tolist() == [1, 1]


@given(st.floats(-0.9, 0.9), st.floats(0.01, 0.9), st.floats(0, 20), st.floats(0.1, 20))
def test_contentment_keeps_users_and_boredom_and_fatigue_drive_them_away(low, rise, bored, more):
    model = DriftingUser(leave_fatigue=0.05)
    state = sampled(model, 4)
    state.satisfaction[:], state.boredom[:] = low, bored
    happier, duller, later = duplicate(state), duplicate(state), duplicate(state)
    happier.satisfaction[:] = low + rise
    duller.boredom[:] = bored + more
    later.requests[:] = state.requests + 10
    assert np.all(model.leave(happier) < model.leave(state))
    assert np.all(model.leave(duller) > model.leave(state))
    assert np.all(model.leave(later) > model.leave(state))
    assert np.all(model.return_after(happier).never < model.return_after(state).never)
    assert np.all(model.return_after(duller).never > model.return_after(state).never)


def test_leaving_and_churn_are_logistic_in_their_causes():
    model = DriftingUser(leave_fatigue=0.05)
    state = sampled(model, 50)
    state.satisfaction[:], state.boredom[:], state.requests[:] = 0.3, 2.0, 7
    expected = state.traits.leave_bias + 0.05 * 7 + 2 * model.leave_boredom
    expected = expected - 0.3 * model.leave_satisfaction
    np.testing.assert_allclose(logit(model.leave(state)), expected, rtol=1e-3, atol=1e-4)
    expected = state.traits.churn_bias + 2 * model.churn_boredom - 0.3 * model.churn_satisfaction
    np.testing.assert_allclose(logit(model.return_after(state).never), expected, rtol=1e-2)


def test_a_content_user_stays_for_the_mean_session_length():
    model = DriftingUser(session_spread=0, leave_fatigue=0, session_requests=20)
    np.testing.assert_allclose(model.leave(sampled(model, 3)), 1 / 20, rtol=1e-5)


def test_gaps_are_log_logistic_with_a_power_law_tail():
    shape, days = 1.3, 0.63
    uniform = ((np.arange(2**20) + 0.5) / 2**20).astype(np.float32)
    never, median = np.full(2**20, 0.2, np.float32), np.full(2**20, days, np.float32)
    law = ReturnGap(never, median, shape)
    gaps = law.draw(uniform)
    assert np.isinf(gaps).mean() == pytest.approx(0.2, abs=1e-5)
    back = gaps[np.isfinite(gaps)]
    assert np.median(back) == pytest.approx(days, rel=1e-4)
    for after in (0.01, 0.1, 1.0, 7.0, 30.0, 365.0):
        survival = 1 / (1 + (after / days) ** shape)
        assert np.mean(back > after) == pytest.approx(survival, rel=1e-2, abs=1e-5)
        assert law.survival(after)[0] == pytest.approx(0.2 + 0.8 * survival, rel=1e-6)
    assert np.mean(back > 300) / np.mean(back > 30) == pytest.approx(10**-shape, rel=0.05)


@pytest.mark.parametrize("never", [0.0, 1.0])
def test_every_draw_of_a_gap_is_positive_even_at_the_ends(never):
    ends = np.array([0.0, 2**-24, 0.5, 1 - 2**-24], np.float32)
    law = ReturnGap(np.full(4, never, np.float32), np.full(4, 0.63, np.float32), 0.2)
    gaps = law.draw(ends)
    assert np.all(np.isinf(gaps)) if never else np.all((gaps >= 0) & np.isfinite(gaps))


# What is switched off is off

OFF: dict[str, dict[str, Any]] = {
    "level": {"level_sd": 0},
    "mood": {"mood_sd": 0},
    "frozen mood": {"mood_hours": math.inf},
    "taste": {"taste_sd": 0},
    "personas": {"persona_share": 0, "personas": np.zeros((1, 10))},
    "individuals": {"persona_share": 1},
    "drift of the core": {"retained_per_year": 1},
    "memory of the core": {"retained_per_year": 0},
    "life events": {"life_events_per_year": 0},
    "whim": {"whim_sd": 0},
    "frozen whim": {"whim_minutes": math.inf},
    "satiation": {"satiation": 0},
    "lasting satiation": {"satiation_hours": math.inf},
    "influence": {"influence": 0},
    "repeats": {"repeat_penalty": 0},
    "sessions": {"session_requests": math.inf},
    "churn": {"churn": 0},
    "return": {"churn": 1},
    "endless gaps": {"return_days": math.inf},
    "forgetting": {"memory_days": math.inf},
    "differences": {"spread": 0, "session_spread": 0, "churn_spread": 0, "return_spread": 0},
    "causes of leaving": {
        "leave_satisfaction": 0, "leave_boredom": 0, "leave_fatigue": 0,
        "churn_satisfaction": 0, "churn_boredom": 0,
    },
    "memory": {"memory": 0},
    "one topic": {"topics": 1},
}  # fmt: skip


@pytest.mark.parametrize("choice", ["independent", "multinomial"])
@pytest.mark.parametrize("part", OFF)
def test_each_part_can_be_switched_off_without_a_warning(part, choice):
    model = DriftingUser(choice=choice, **OFF[part])
    catalogue = synthetic_catalogue(30, np.random.default_rng(0), topics=model.topics)
    split = Population("off", model, catalogue).split("test")
    simulation = Simulation(split, 20, slate=2, max_requests=40)
    simulation.reset(0)
    rng = np.random.default_rng(0)
    for _ in range(40):
        simulation.step(np.array([rng.permutation(30)[:2] for _ in range(20)]))
    assert np.isfinite(simulation.state.core).all()
    assert np.isfinite(simulation.state.relaxing).all()
    assert np.isfinite(simulation.click_probability()).all()


def whole_trial(**parameters: Any) -> Simulation:
    split = Population("off", DriftingUser(**parameters), CATALOGUE).split("test")
    simulation = Simulation(split, 50, max_requests=60)
    simulation.reset(1)
    rng = np.random.default_rng(0)
    for _ in range(60):
        simulation.step(rng.integers(60, size=(50, 1)))
    return simulation


def test_what_is_off_stays_at_nought():
    level = whole_trial(level_sd=0).state.traits.level
    np.testing.assert_array_equal(level, np.float32(DriftingUser().intercept))
    assert not whole_trial(mood_sd=0).state.mood.any()
    assert not whole_trial(whim_sd=0).state.whim.any()
    assert not whole_trial(memory=0).state.satisfaction.any()
    endless = whole_trial(session_requests=math.inf)
    assert endless.trials.position.tolist() == [60] * 50
    assert endless.trials.day == pytest.approx(60 * PAUSE, rel=1e-5)
    assert not whole_trial(churn=0).trials.churned.any()
    gone = whole_trial(churn=1).trials
    assert gone.churned.all()
    assert not gone.session.any()


def test_frozen_parts_do_not_move_and_idle_ones_have_no_effect():
    for part, name in (("mood_hours", "mood"), ("whim_minutes", "whim")):
        model = DriftingUser(**{part: math.inf})
        state = sampled(model, 5)
        np.testing.assert_array_equal(
            getattr(drifted(model, state, 3.0), name), getattr(state, name)
        )
    model = DriftingUser(satiation=0)
    state = sampled(model, 5)
    before = model.click_probability(state, CATALOGUE)
    state.satiation[:] = 100
    np.testing.assert_array_equal(model.click_probability(state, CATALOGUE), before)
    model = DriftingUser(retained_per_year=1, life_events_per_year=0)
    state = sampled(model, 5)
    np.testing.assert_allclose(drifted(model, state, 900.0).core, state.core, atol=1e-6)
    model = DriftingUser(influence=0)
    after = model.react(state, shown(model, 5, 3), np.ones((5, 1), np.float32))
    np.testing.assert_array_equal(after.core, state.core)


# Contract


def test_users_are_drawn_with_the_moments_of_the_parameters():
    model = DriftingUser(session_spread=0.4)
    state = sampled(model, 40_000)
    traits = state.traits
    assert traits.level.mean() == pytest.approx(model.intercept, abs=0.02)
    assert traits.level.std() == pytest.approx(model.level_sd, rel=0.03)
    assert np.median(traits.satiation_weight) == pytest.approx(model.satiation, rel=0.02)
    assert np.median(traits.return_days) == pytest.approx(model.return_days, rel=0.02)
    assert np.log(traits.return_days).std() == pytest.approx(model.return_spread, rel=0.03)
    assert traits.churn_bias.mean() == pytest.approx(
        math.log(model.churn / (1 - model.churn)), abs=0.03
    )
    length = np.exp(-traits.leave_bias) + 1
    assert np.median(length) == pytest.approx(model.session_requests, rel=0.02)
    assert np.log(length[length > 1.01]).std() == pytest.approx(0.4, rel=0.03)
    # Columns of one draw are independent of each other.
    numbers = np.column_stack([traits.level, np.log(traits.rate[:, :3]), traits.churn_bias])
    off = np.corrcoef(np.column_stack([numbers, state.core, state.relaxing[:, :9]]).T)
    personas = range(5, 15)
    off[np.ix_(personas, personas)] = 0
    np.fill_diagonal(off, 0)
    assert np.abs(off).max() < 5 / math.sqrt(40_000)


def test_methods_do_not_change_the_state_they_are_given():
    model = DriftingUser(influence=0.1)
    state = drifted(model, sampled(model, 6), 2.0)
    slate = shown(model, 6, [1, 2])
    feedback = np.ones((6, 2), np.float32)
    before = {name: array.copy() for name, array in leaves(state).items()}
    model.respond(state, slate).draw(Stream(np.random.SeedSequence(0)))
    model.react(state, slate, feedback)
    model.leave(state)
    model.return_after(state)
    for days in (PAUSE, 0.001, 5.0):
        drifted(model, state, days)
    assert all(np.array_equal(before[name], array) for name, array in leaves(state).items())


def test_a_user_alone_is_the_row_of_a_batch():
    model = DriftingUser(influence=0.1, slot_bias=-0.2)
    state = drifted(model, sampled(model, 100), 2.0)
    items = np.random.default_rng(0).permuted(np.tile(np.arange(60), (100, 1)), axis=1)[:, :3]
    slate = CATALOGUE.show(items, np.zeros((100, 3), np.uint8))
    feedback = np.tile(np.float32([1, 0, 1]), (100, 1))
    reacted = model.react(state, slate, feedback)
    for row in (0, 42, 99):
        only = np.array([row])
        one = model.react(take(state, only), take(slate, only), feedback[only])
        for name, array in leaves(one).items():
            expected = take(leaves(reacted)[name], only)
            np.testing.assert_allclose(array, expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(
            model.respond(take(state, only), take(slate, only)).mean,
            model.respond(state, slate).mean[only],
            atol=1e-6,
        )
        np.testing.assert_allclose(model.leave(one), model.leave(reacted)[only], rtol=1e-5)


def test_personas_are_centred_and_share_the_variance():
    personas = default_personas(5000, 4, share=0.3)
    np.testing.assert_allclose(personas.mean(0), 0, atol=1e-6)
    assert personas.var() == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"mood_sd": -0.1}, "mood_sd must not be negative, got -0.1"),
        ({"life_events_per_year": -1}, "life_events_per_year must not be negative"),
        ({"satiation": float("nan")}, "satiation must be a finite number, got nan"),
        ({"repeat_penalty": math.inf}, "repeat_penalty must be a finite number, got inf"),
        ({"mood_hours": 0}, "mood_hours must be positive, got 0"),
        ({"return_days": -2.0}, "return_days must be positive, got -2.0"),
        ({"return_shape": 0.1}, r"return_shape must be at least 0\.2 .* got 0\.1"),
        ({"churn": 1.5}, r"churn must lie in \[0, 1\], got 1\.5"),
        ({"influence": -0.1}, r"influence must lie in \[0, 1\]"),
        ({"session_requests": 0.5}, "session_requests must be at least 1, got 0.5"),
        ({"slot_bias": 0.1}, "slot_bias must be 0 or negative, got 0.1"),
        ({"choice": "both"}, "choice must be 'independent' or 'multinomial', got 'both'"),
        ({"topics": 0}, "topics must be at least 1, got 0"),
        ({"personas": np.zeros(3)}, r"personas must be finite, \(personas, d\), got shape \(3,\)"),
        ({"personas": np.full((2, 2), np.nan)}, "personas must be finite"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        DriftingUser(**parameters)
    with pytest.raises(ValueError, match=message):
        replace(DriftingUser(), **parameters)
