"""Users become vectors and vectors users, without loss; generated users are users like others."""

from __future__ import annotations

import numpy as np
import pytest

from driftrec.envs import (
    DriftingUser,
    RecommendationVectorEnv,
    bernoulli_population,
    feed_population,
    kuairand_population,
)
from driftrec.envs.testing import check_user_model
from driftrec.meta.generation import (
    FiniteSource,
    GeneratedUsers,
    MixtureSource,
    UserVectors,
    drifting_model,
    fitted_vectors,
    with_training_users,
)

SWITCHED_OFF = DriftingUser(satiation=0.0, churn=0.0, session_requests=float("inf"), spread=0.0)
MODELS = {
    "feed": feed_population().model,
    "kuairand": kuairand_population().model,
    "switched off": SWITCHED_OFF,
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_users_written_into_others_are_the_same_users_in_all_that_lasts(model):
    vectors = UserVectors(model)
    original = model.sample(50, np.random.default_rng(0))
    other = model.sample(50, np.random.default_rng(1))
    written = vectors.write(vectors.of(original), other)
    assert np.allclose(vectors.of(written), vectors.of(original), rtol=1e-6, atol=1e-6)
    # What follows from a vector (expectation, shares kept in a pause, ...) follows here too.
    assert np.allclose(written.traits.numbers, original.traits.numbers, rtol=1e-5, atol=1e-7)
    assert np.array_equal(written.core, original.core)
    # What passes is that of the other, and so is the luck; and the other stays as it was.
    assert np.array_equal(written.relaxing, other.relaxing)
    assert np.array_equal(written.traits.key, other.traits.key)
    again = model.sample(50, np.random.default_rng(1))
    assert np.array_equal(other.traits.numbers, again.traits.numbers)
    assert np.array_equal(other.core, again.core)


def test_a_user_takes_on_the_nearest_persona():
    model = MODELS["feed"]
    vectors = UserVectors(model)
    state = model.sample(12, np.random.default_rng(0))
    rows = vectors.of(state)
    rows[:, 9:] = model.personas + 0.01
    assert np.array_equal(vectors.write(rows, state).persona, np.arange(12))


def test_vectors_of_another_shape_are_refused():
    vectors = UserVectors(MODELS["feed"])
    state = MODELS["feed"].sample(3, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"must have shape \(3, 19\), got \(2, 19\)"):
        vectors.write(np.zeros((2, 19)), state)


def test_generated_users_fulfil_the_contract_of_a_user_model():
    model = MODELS["feed"]
    check_user_model(GeneratedUsers(model, FiniteSource(fitted_vectors(feed_population(), 9, 0))))


def test_a_finite_set_gives_these_users_and_no_others_and_other_splits_stay():
    population = feed_population()
    few = fitted_vectors(population, 7, 0)
    changed = with_training_users(population, FiniteSource(few))
    env = RecommendationVectorEnv(changed, 200, split="train")
    env.reset(seed=0)
    met = np.unique(UserVectors(population.model).of(env.simulation.state)[:, 0])
    assert np.allclose(met, np.unique(few[:, 0]))
    for split in ("validation", "test", "ood-drift"):
        assert changed.split(split).model is population.split(split).model


def test_generated_users_behave_as_the_model_says():
    population = feed_population()
    source = FiniteSource(fitted_vectors(population, 5000, 3))
    whole, few = population, with_training_users(population, source)
    clicks = []
    for one in (whole, few):
        env = RecommendationVectorEnv(one, 4000)
        env.reset(seed=1)
        clicks.append(env.simulation.click_probability().mean())
    assert clicks[0] == pytest.approx(clicks[1], abs=0.012)


def test_a_mixture_has_its_shares_and_each_user_comes_whole_from_one_source():
    sources = [FiniteSource(np.full((1, 3), float(number))) for number in range(3)]
    drawn = MixtureSource(sources, (0.5, 0.2, 0.3)).draw(20_000, np.random.default_rng(0))
    assert (drawn == drawn[:, :1]).all()
    counts = np.bincount(drawn[:, 0].astype(int)) / 20_000
    assert np.allclose(counts, [0.5, 0.2, 0.3], atol=0.015)
    for wrong in ((0.5, 0.5), (0.6, 0.6, -0.2), (0.5, 0.2, 0.2)):
        with pytest.raises(ValueError, match="shares must be 3 numbers"):
            MixtureSource(sources, wrong)


def test_populations_of_other_users_are_refused():
    with pytest.raises(ValueError, match="population of DriftingUser, got BernoulliBandit"):
        drifting_model(bernoulli_population())
    with pytest.raises(ValueError, match="generated for a DriftingUser, got BernoulliBandit"):
        GeneratedUsers(bernoulli_population().model, FiniteSource(np.zeros((1, 3))))
