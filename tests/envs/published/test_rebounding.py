"""Rebounding and recovering arms behave as their equations say, and planning pays."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftrec.envs import RecommendationVectorEnv, Stream
from driftrec.envs.arrays import take
from driftrec.envs.published.rebounding import (
    TASKS,
    CertainFeedback,
    Rebounding,
    ReboundingEnv,
    ReboundingVectorEnv,
    Recovering,
    rebounding_population,
)
from driftrec.envs.testing import check_user_model

MODELS = [
    Rebounding(),
    Rebounding(satiation_sd=0),
    Rebounding(arms=3, sd=0.2),
    Recovering(),
    Recovering(arms=4, longest=2),
]


def rebounding_pays(base, weight, retention, arms, noise=None):
    """What one user pays for a sequence of arms, by the paper's recursion, arm by arm.

    `noise` holds z for each request and arm.
    """
    paid = []
    level, known = [0.0] * len(base), [False] * len(base)
    for request, arm in enumerate(arms):
        paid.append(base[arm] - weight[arm] * level[arm])
        known[arm] = True
        for k in range(len(base)):
            level[k] = retention[k] * (level[k] + (k == arm))
            if noise is not None and known[k]:
                level[k] += noise[request][k]
    return paid


def recovering_pays(top, rate, turn, arms, longest):
    """What one user pays on average for a sequence of arms, by when each was last shown."""
    last = [-1] * len(top)
    paid = []
    for request, arm in enumerate(arms):
        waited = min(request - last[arm] - 1, longest)
        paid.append(top[arm] / (1 + math.exp(-rate[arm] * (waited - turn[arm]))))
        last[arm] = request
    return paid


def numbers(state, user, *names):
    return [getattr(state, name)[user].astype(float).tolist() for name in names]


def best_sequence(pays, parameters, requests, *rest):
    """The sequence of arms that earns most, by trying all of them, and what it earns."""
    arms = range(len(parameters[0]))
    ways = itertools.product(arms, repeat=requests)
    return max(
        ((sum(pays(*parameters, way, *rest)), way) for way in ways), key=lambda pair: pair[0]
    )


def run(population, choose, users, requests, seed=0):
    """What a policy earns, `(users,)`, drawn and expected; the policy sees what each arm pays."""
    env = RecommendationVectorEnv(population, users, autoreset_mode="Disabled")
    env.reset(seed=seed)
    earned, expected = np.zeros((2, users))
    for request in range(requests):
        worth = np.asarray(env.simulation.click_probability())
        arms = choose(request, worth)
        expected += worth[np.arange(users), arms]
        earned += env.step(arms)[1]
    return earned, expected


def greedy(request, worth):
    return worth.argmax(1)


@pytest.mark.parametrize("model", MODELS)
def test_the_users_keep_the_contract(model):
    check_user_model(model)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3]))
def test_rebounding_users_pay_what_the_recursion_says(seed, satiation_sd):
    rng = np.random.default_rng(seed)
    model = Rebounding(arms=3, satiation_sd=satiation_sd)
    catalogue = model.default_catalogue()
    users, requests = 4, 12
    first = state = model.sample(users, rng)
    arms = rng.integers(3, size=(requests, users, 1))
    one, two = (Stream(np.random.SeedSequence(seed)) for _ in range(2))
    noise = np.stack([satiation_sd * one.normal(users, 3) for _ in range(requests)])
    paid = []
    for request in range(requests):
        slate = catalogue.show(arms[request], np.zeros((users, 1), np.uint8))
        paid.append(model.respond(state, slate).mean[:, 0])
        state = model.react(state, slate, paid[-1][:, None])
        state = model.drift(state, np.full(users, 3e-4, np.float32), two)
    for user in range(users):
        parameters = numbers(first, user, "base", "weight", "retention")
        expected = rebounding_pays(*parameters, arms[:, user, 0], noise[:, user])
        assert np.stack(paid)[:, user] == pytest.approx(expected, abs=1e-5)


def test_an_arm_shown_again_and_again_satiates_geometrically_and_rebounds():
    model = Rebounding(arms=2, base=(2, 2), weight=(0.5, 0.5), retention=(0.8, 0.8), satiation_sd=0)
    catalogue = model.default_catalogue()
    state = model.sample(1, np.random.default_rng(0))
    paid = []
    for arm in [0] * 10 + [1] * 6:
        paid.append(model.click_probability(state, catalogue)[0, 0])
        slate = catalogue.show(np.array([[arm]]), np.zeros((1, 1), np.uint8))
        state = model.react(state, slate, np.zeros((1, 1), np.float32))
    times = np.arange(11)
    level = 0.8 * (1 - 0.8**times) / (1 - 0.8)
    assert paid[:11] == pytest.approx(2 - 0.5 * level, abs=1e-5)
    assert paid[10:] == pytest.approx(2 - 0.5 * level[10] * 0.8 ** np.arange(6), abs=1e-5)


def test_noise_on_satiation_begins_when_an_arm_is_first_shown_and_has_the_variance_of_an_ar1():
    model = Rebounding(arms=2, retention=(0.7, 0.7), satiation_sd=0.2)
    catalogue, users = model.default_catalogue(), 20_000
    state = model.sample(users, np.random.default_rng(0))
    rng = Stream(np.random.SeedSequence(1))
    slate = catalogue.show(np.zeros((users, 1), np.int64), np.zeros((users, 1), np.uint8))
    for request in range(1, 6):
        state = model.react(state, slate, np.zeros((users, 1), np.float32))
        state = model.drift(state, np.zeros(users, np.float32), rng)
        sd = 0.2 * ((1 - 0.7 ** (2 * request)) / (1 - 0.7**2)) ** 0.5
        assert state.level[:, 0].std() == pytest.approx(sd, rel=0.03)
        assert state.level[:, 0].mean() == pytest.approx(0.7 * (1 - 0.7**request) / 0.3, abs=0.01)
        assert (state.level[:, 1] == 0).all()


def test_the_best_sequence_earns_in_the_environment_what_brute_force_finds_and_greed_earns_less():
    users, requests = 6, 7
    population = rebounding_population(
        "Rebounding-Deterministic", arms=3, weight=(0.2, 1), retention=(0.5, 0.9)
    )
    env = RecommendationVectorEnv(population, users)
    env.reset(seed=0)
    state = env.simulation.hidden_state()
    values, ways = zip(
        *(
            best_sequence(
                rebounding_pays, numbers(state, user, "base", "weight", "retention"), requests
            )
            for user in range(users)
        ),
        strict=True,
    )
    best = np.array(ways)
    earned, _ = run(population, lambda request, _: best[:, request], users, requests)
    assert earned == pytest.approx(values, abs=1e-5)
    by_greed, _ = run(population, greedy, users, requests)
    assert (by_greed <= earned + 1e-5).all()
    assert (by_greed < earned - 0.01).sum() >= users // 2


@pytest.mark.parametrize("retention", [0.3, 0.6, 0.9])
def test_turns_are_best_where_arms_are_alike(retention):
    arms, requests = 3, 7
    alike = [1.0] * arms, [0.5] * arms, [retention] * arms
    most, _ = best_sequence(rebounding_pays, alike, requests)
    population = rebounding_population(
        "Rebounding-Deterministic",
        arms=arms, base=(1, 1), weight=(0.5, 0.5), retention=(retention, retention),
    )  # fmt: skip
    turns, _ = run(population, lambda request, _: np.array([request % arms]), 1, requests)
    by_greed, _ = run(population, greedy, 1, requests)
    assert turns == pytest.approx([most], abs=1e-5)
    assert by_greed == pytest.approx([most], abs=1e-5)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_recovering_users_pay_by_the_time_since_an_arm_was_shown(seed, longest):
    rng = np.random.default_rng(seed)
    model = Recovering(arms=3, turn=(0.1, 5), longest=longest)
    catalogue = model.default_catalogue()
    users, requests = 4, 15
    first = state = model.sample(users, rng)
    arms = rng.integers(3, size=(requests, users, 1))
    paid = []
    for request in range(requests):
        slate = catalogue.show(arms[request], np.zeros((users, 1), np.uint8))
        paid.append(model.respond(state, slate).mean[:, 0])
        state = model.react(state, slate, paid[-1][:, None])
    for user in range(users):
        curve = numbers(first, user, "top", "rate", "turn")
        expected = recovering_pays(*curve, arms[:, user, 0], longest)
        assert np.stack(paid)[:, user] == pytest.approx(expected, abs=1e-5)


def test_waiting_for_recovery_is_worth_more_than_greed():
    users, requests = 5, 8
    population = rebounding_population("Recovering", arms=3, turn=(0.1, 6), rate=(0.5, 3))
    env = RecommendationVectorEnv(population, users)
    env.reset(seed=0)
    state = env.simulation.hidden_state()
    values, ways = zip(
        *(
            best_sequence(
                recovering_pays, numbers(state, user, "top", "rate", "turn"), requests, 30
            )
            for user in range(users)
        ),
        strict=True,
    )
    best = np.array(ways)
    _, planned = run(population, lambda request, _: best[:, request], users, requests)
    assert planned == pytest.approx(values, abs=1e-5)
    _, by_greed = run(population, greedy, users, requests)
    assert (by_greed <= planned + 1e-5).all()
    assert (by_greed < planned - 0.01).any()


def test_what_is_certain_has_no_likelihood_elsewhere():
    law = CertainFeedback(np.float32([[0.5, 1.5], [0.5, 1.5]]))
    feedback = np.float32([[0.5, 1.5], [0.5, 1.4]])
    assert law.log_likelihood(feedback).tolist() == [0, -math.inf]
    assert np.array_equal(law.draw(Stream(np.random.SeedSequence(0))), law.mean)


@pytest.mark.parametrize("task", TASKS)
def test_users_differ_and_one_user_alone_is_a_batch_of_one(task):
    batch, alone = ReboundingVectorEnv(20, task=task), ReboundingEnv(task)
    batch.reset(seed=3), alone.reset(seed=3)
    chance = np.asarray(batch.simulation.click_probability())
    assert len(np.unique(chance, axis=0)) == 20
    single = ReboundingVectorEnv(task=task)
    single.reset(seed=3)
    rng = np.random.default_rng(0)
    for _ in range(30):
        arm = int(rng.integers(chance.shape[1]))
        assert single.step(np.array([arm]))[1][0] == pytest.approx(alone.step(arm)[1])


@pytest.mark.parametrize("task", TASKS)
def test_torch_runs_the_trials_that_numpy_runs(task):
    torch = pytest.importorskip("torch")
    population = rebounding_population(task)
    one, two = (
        RecommendationVectorEnv(population, 30, array_library=name) for name in ("numpy", "torch")
    )
    one.reset(seed=2), two.reset(seed=2)
    rng = np.random.default_rng(0)
    for _ in range(20):
        arms = rng.integers(len(population.catalogue), size=30)
        first, second = one.step(arms)[1], two.step(torch.as_tensor(arms))[1]
        np.testing.assert_allclose(first, second.numpy(), atol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_a_slate_of_several_satiates_each_of_them(model):
    catalogue = model.default_catalogue()
    state = model.sample(2, np.random.default_rng(0))
    both = catalogue.show(np.array([[0, 2], [1, 0]]), np.zeros((2, 2), np.uint8))
    after = model.react(state, both, np.zeros((2, 2), np.float32))
    for user, arms in enumerate(([0, 2], [1, 0])):
        row = take(after, np.array([user]))
        changed = row.known[0] > 0 if isinstance(model, Rebounding) else row.waited[0] == 0
        assert np.flatnonzero(changed).tolist() == sorted(arms)


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (Rebounding, {"arms": 0}, "arms must be a whole number"),
        (Rebounding, {"retention": (0.5, 1.0)}, r"retention must be .* within \[0, 1\)"),
        (Rebounding, {"weight": (-1.0, 1.0)}, "weight must be"),
        (Rebounding, {"base": (1.0, 0.5)}, "base must be"),
        (Rebounding, {"satiation_sd": -0.1}, "satiation_sd must be finite"),
        (Recovering, {"longest": 0}, "longest must be a whole number"),
        (Recovering, {"sd": 0.0}, "sd must be positive"),
        (Recovering, {"rate": (0.1, math.inf)}, "rate must be"),
    ],
)
def test_bad_parameters_are_refused(kind, change, message):
    with pytest.raises(ValueError, match=message):
        kind(**change)


def test_an_unknown_task_is_refused_by_the_names_of_those_that_are():
    with pytest.raises(ValueError, match="task must be one of Rebounding"):
        rebounding_population("Recharging")
