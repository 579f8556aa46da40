"""SARDINE's users behave as the paper says, and score what its authors' program scores."""

from collections import deque
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftrec.envs import RecommendationVectorEnv
from driftrec.envs.published.sardine import (
    MOST_SLOTS,
    NEVER,
    RECENT,
    TASKS,
    TOPICS,
    WINDOW,
    Sardine,
    SardineState,
    sardine_population,
)
from driftrec.envs.testing import check_user_model

MEASURED = {
    "SingleItem-Static": ((8.42, 0.66), (100.0, 0.05)),
    "SingleItem-BoredInf": ((8.78, 0.77), (50.69, 0.34)),
    "SingleItem-Uncertain": ((11.37, 0.59), (94.79, 0.30)),
    "SlateTopK-Bored": ((44.6, 2.9), (139.0, 8.6)),
    "SlateTopK-BoredInf": ((42.6, 3.4), (144.4, 9.6)),
    "SlateTopK-Uncertain": ((70.2, 3.0), (134.2, 5.1)),
    "SlateRerank-Static": ((14.69, 1.15), (21.74, 0.86)),
    "SlateRerank-Bored": ((12.50, 1.34), (14.03, 0.56)),
}
"""Returns of the authors' program: random and greedy oracle, each with its 95% interval."""


def returns(population, greedy, users=500):
    """Of whole trials, `(users,)`."""
    env = RecommendationVectorEnv(population, users, split="test", autoreset_mode="Disabled")
    env.reset(seed=0)
    rng = np.random.default_rng(1)
    total = np.zeros(users)
    for _ in range(population.max_requests):
        worth = rng.random((users, len(population.catalogue)))
        if greedy:
            worth = np.asarray(env.simulation.click_probability())
        slate = np.argsort(-worth, axis=1)[:, : population.slate]
        _, reward, *_ = env.step(slate)
        total += reward
    return total


@pytest.mark.parametrize("greedy", [False, True], ids=["random", "greedy oracle"])
@pytest.mark.parametrize("task", MEASURED)
def test_returns_lie_in_the_intervals_of_the_authors_program(task, greedy):
    got = returns(sardine_population(task), greedy)
    mean, interval = MEASURED[task][greedy]
    error = 1.96 * got.std() / np.sqrt(len(got))
    assert abs(got.mean() - mean) < np.hypot(interval, error)


@pytest.mark.parametrize("influence", ["paper", "shipped"])
@pytest.mark.parametrize("task", TASKS)
def test_the_users_keep_the_contract(task, influence):
    model = Sardine(**TASKS[task] | {"influence": influence, "items": 30})
    check_user_model(model, slate=model.slate)


def test_users_like_three_to_five_topics_and_items_are_of_two_or_three():
    model = Sardine(slate=1, patience=NEVER)
    state = model.sample(20_000, np.random.default_rng(0))
    assert np.linalg.norm(state.taste, axis=1) == pytest.approx(1, abs=1e-6)
    # Binomial(10, .4), given 3, 4 or 5.
    chances = np.array([120 * 0.4**3 * 0.6**7, 210 * 0.4**4 * 0.6**6, 252 * 0.4**5 * 0.6**5])
    liked = np.bincount((state.taste > 0).sum(1), minlength=11) / 20_000
    assert liked[3:6] == pytest.approx(chances / chances.sum(), abs=0.015)
    features = model.default_catalogue().features
    assert set((features > 0).sum(1)) == {2, 3}
    assert (model.default_catalogue().topics.argmax(1) == features.argmax(1)).all()


def bored_one_by_one(topics, clicks, patience):
    """Which topics bore a user after each slate, by the queue that the paper describes."""
    recent, left, found = deque(maxlen=RECENT), np.zeros(TOPICS, int), []
    for request, (slate, clicked) in enumerate(zip(topics, clicks, strict=True)):
        recent.extend((request, topic) for topic, yes in zip(slate, clicked, strict=True) if yes)
        while recent and recent[0][0] <= request - WINDOW:
            recent.popleft()
        left = np.maximum(left - 1, 0)
        count = np.bincount([topic for _, topic in recent], minlength=TOPICS)
        left[(count >= patience) & (left == 0)] = WINDOW
        found.append(left.copy())
    return found


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from([1, 3, 10, MOST_SLOTS]))
def test_boredom_is_that_of_a_queue_of_the_last_ten_clicks(seed, patience, slate):
    rng = np.random.default_rng(seed)
    model = Sardine(items=50, slate=slate, patience=patience)
    catalogue = model.default_catalogue()
    users, requests = 4, 25
    items = rng.integers(50, size=(requests, users, slate))
    clicks = rng.random(items.shape) < rng.random()
    state = SardineState(
        np.full((users, TOPICS), TOPICS**-0.5, np.float32),
        np.zeros((users, WINDOW, slate), np.int8),
        np.zeros((users, WINDOW), np.int64),
        np.zeros((users, TOPICS), np.int8),
    )
    found = []
    for request in range(requests):
        shown = catalogue.show(items[request], np.zeros((users, slate), np.float32))
        state = model.react(state, shown, clicks[request].astype(np.float32))
        found.append(state.bored)
    topics = catalogue.topics.argmax(1)[items]
    for user in range(users):
        expected = bored_one_by_one(topics[:, user], clicks[:, user], patience)
        assert np.array_equal(np.stack(found)[:, user], expected)


def test_a_bored_user_likes_nothing():
    model = Sardine(items=50)
    state = model.sample(3, np.random.default_rng(0))
    bored = np.zeros((3, TOPICS), np.int64)
    bored[1, 4] = 2
    chance = model.click_probability(replace(state, bored=bored), model.default_catalogue())
    assert chance[1] == pytest.approx(1 / (1 + np.exp(65)), rel=1e-6)
    assert (chance[[0, 2]].max(1) > 0.5).all()


@pytest.mark.parametrize("influence", ["paper", "shipped"])
def test_taste_moves_to_the_mean_of_what_was_clicked(influence):
    model = Sardine(items=50, keep=0.9, influence=influence)
    catalogue = model.default_catalogue()
    state = model.sample(2, np.random.default_rng(3))
    slate = catalogue.show(np.array([[1, 2, 3], [4, 5, 6]]), np.zeros((2, 3), np.float32))
    after = model.react(state, slate, np.array([[1, 0, 1], [0, 0, 0]], np.float32))
    mean = catalogue.features[[1, 3]].mean(0)
    moved = 0.9 * state.taste[0] + 0.1 * (mean if influence == "paper" else mean.mean())
    assert after.taste[0] == pytest.approx(moved / np.linalg.norm(moved), abs=1e-6)
    assert np.array_equal(after.taste[1], state.taste[1])


def test_torch_runs_the_trials_that_numpy_runs():
    torch = pytest.importorskip("torch")
    population = sardine_population("SlateTopK-Uncertain")
    one, two = (
        RecommendationVectorEnv(population, 20, array_library=name) for name in ("numpy", "torch")
    )
    one.reset(seed=2), two.reset(seed=2)
    rng = np.random.default_rng(0)
    for _ in range(20):
        slate = np.stack([rng.permutation(1000)[:10] for _ in range(20)])
        first, second = one.step(slate)[1], two.step(torch.as_tensor(slate))[1]
        assert np.array_equal(first, second.numpy())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"influence": "none"}, "influence must be paper or shipped"),
        ({"keep": 0.0}, r"keep must lie in \(0, 1\]"),
        ({"slate": 0}, "slate must be a whole number"),
        ({"slate": MOST_SLOTS + 1}, "slate must be at most 12 where users can be bored"),
    ],
)
def test_bad_parameters_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Sardine(**change)


def test_users_who_are_never_bored_are_shown_slates_of_any_size():
    model = Sardine(items=50, slate=40, patience=NEVER, persistence=1.0)
    check_user_model(model, slate=40)


def test_a_slate_of_more_items_than_were_announced_is_refused():
    model = Sardine(items=50, slate=1)
    state = model.sample(1, np.random.default_rng(0))
    shown = model.default_catalogue().show(np.array([[1, 2]]), np.zeros((1, 2), np.float32))
    with pytest.raises(ValueError, match=r"shown 1 item\(s\) a request, got 2"):
        model.react(state, shown, np.zeros((1, 2), np.float32))


def test_an_unknown_task_is_refused_by_the_names_of_those_that_are():
    with pytest.raises(ValueError, match="task must be one of SingleItem-Static"):
        sardine_population("SlateTopK")
