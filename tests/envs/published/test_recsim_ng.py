"""RecSim NG's interest evolution, by its equations."""

import numpy as np
import pytest

from driftrec.envs import RecommendationVectorEnv, Stream, recsim_ng_population
from driftrec.envs.published.recsim_ng import InterestEvolution, Interests
from driftrec.envs.testing import check_user_model

MODEL = InterestEvolution()


def shown(catalogue, items):
    items = np.asarray(items)
    return catalogue.show(items, np.zeros(items.shape, np.float32))


def test_the_users_keep_the_contract():
    check_user_model(MODEL)
    check_user_model(InterestEvolution(topics=20, documents=60))


def test_choices_come_as_often_as_the_softmax_says():
    users = 20_000
    catalogue = MODEL.default_catalogue()
    state = Interests(np.tile(np.float32([0.7, -0.4]), (users, 1)))
    slate = shown(catalogue, np.tile([3, 8], (users, 1)))
    distance = np.linalg.norm(catalogue.features[[3, 8]] - state.interest[0], axis=1)
    odds = np.exp(2 - distance.astype(np.float64))
    chance = odds / (1 + odds.sum())
    law = MODEL.respond(state, slate)
    assert law.clicks.mean[0] == pytest.approx(chance, abs=1e-6)
    watched = [law.draw(Stream(np.random.SeedSequence(seed))) > 0 for seed in range(16)]
    assert np.mean(watched, axis=(0, 1)) == pytest.approx(chance, abs=0.002)


def test_time_and_interests_are_those_of_the_equations():
    catalogue = MODEL.default_catalogue()
    state = MODEL.sample(3, np.random.default_rng(1))
    slate = shown(catalogue, [[1, 2], [3, 4], [5, 6]])
    time = 2 / (1 + np.exp(catalogue.quality.astype(np.float64)))
    assert MODEL.respond(state, slate).worth == pytest.approx(time[slate.items], rel=1e-5)
    feedback = np.float32([[0, time[2]], [0, 0], [time[5], 0]])
    after = MODEL.react(state, slate, feedback).interest
    for user, item in enumerate((2, None, 5)):
        interest = state.interest[user].astype(np.float64)
        if item is not None:
            interest += 0.1 * catalogue.quality[item] * (catalogue.features[item] - interest)
        squashed = 40 * (1 / (1 + np.exp(-interest / 10)) - 0.5)
        assert after[user] == pytest.approx(squashed, abs=1e-6)


def test_interests_stay_within_twice_the_bound():
    far = Interests(np.full((1, 2), 1e6, np.float32))
    slate = shown(MODEL.default_catalogue(), [[0, 1]])
    assert MODEL.react(far, slate, np.zeros((1, 2), np.float32)).interest.max() <= 20


def test_the_corpus_is_of_two_kinds():
    catalogue = InterestEvolution(topics=20, documents=40_000).default_catalogue()
    topic = catalogue.topics.argmax(1)
    means = np.array([catalogue.quality[topic == one].mean() for one in range(20)])
    expected = np.concatenate([np.linspace(-1, 0, 14), np.linspace(0, 1, 6)])
    assert means == pytest.approx(expected, abs=0.01)
    assert (catalogue.features - catalogue.topics).std() == pytest.approx(0.7, rel=0.01)


def test_torch_runs_the_trials_that_numpy_runs():
    torch = pytest.importorskip("torch")
    population = recsim_ng_population()
    one, two = (
        RecommendationVectorEnv(population, 30, array_library=name) for name in ("numpy", "torch")
    )
    one.reset(seed=2), two.reset(seed=2)
    rng = np.random.default_rng(0)
    for _ in range(20):
        slate = np.stack([rng.permutation(100)[:2] for _ in range(30)])
        first, second = one.step(slate)[1], two.step(torch.as_tensor(slate))[1]
        np.testing.assert_allclose(first, second.numpy(), atol=1e-5)


def test_watching_what_is_longest_makes_users_watch_less():
    population = recsim_ng_population()
    catalogue = population.catalogue
    env = RecommendationVectorEnv(population, 300, split="test", autoreset_mode="Disabled")
    env.reset(seed=0)
    time = []
    for _ in range(100):
        slate = np.argsort(-np.asarray(env.simulation.click_probability()), axis=1)[:, :2]
        time.append(env.step(slate)[1].mean())
    assert catalogue.quality[slate].mean() < 0
    assert np.mean(time[-10:]) < np.mean(time[:10])


def test_a_user_of_no_bounds_is_refused():
    with pytest.raises(ValueError, match="bound and length must be positive"):
        InterestEvolution(bound=0)
    with pytest.raises(ValueError, match="task must be one of InterestEvolution"):
        recsim_ng_population("Choc")
