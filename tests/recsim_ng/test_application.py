"""The application of recsim-ng's own wheel runs unchanged, and as its native twin does."""

import inspect

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from driftrec.envs import Population, RecommendationVectorEnv, Simulation, Stream
from driftrec.envs.published.recsim_ng import InterestEvolution, Interests
from driftrec.envs.recsim_ng import (
    INTEREST_EVOLUTION,
    RecSimNGVectorEnv,
    register_story,
    story_population,
)
from driftrec.envs.recsim_ng.state import StoryState
from driftrec.envs.testing import check_user_model

pytest.importorskip("recsim_ng")

ID = "DriftRec/RecSimNG-v0"
TWIN = InterestEvolution()


@pytest.fixture(scope="module")
def population():
    return story_population()


@pytest.fixture(scope="module")
def twin(population):
    """The native world, with the documents that recsim-ng drew."""
    return Population("twin", TWIN, population.catalogue, slate=2, max_requests=100, repeats=True)


def interest_of(model, state):
    return model.hidden(state)["user state.interest.state"]


def with_interest(model, state, interest):
    """The state with other interests, wherever the story keeps them."""
    numbers = state.numbers.copy()
    for field in model.program(len(numbers), 2).people.fields:
        if field.name in ("interest.state", "interest.linear_update.state"):
            numbers[:, field.columns] = interest
    return StoryState(numbers, state.whole, state.world_numbers, state.world_whole, state.luck)


def test_its_classes_are_recsim_ngs_own(population):
    cast = population.model.program(1, 2)._cast
    for entity in (cast.user, cast.documents, cast.metrics):
        assert type(entity).__module__.startswith(
            "recsim_ng.applications.recsys_partially_observable_rl."
        )
    source = inspect.getsource(type(cast.user))
    assert "np.Inf" in inspect.getsource(inspect.getmodule(type(cast.user)))
    assert "class InterestEvolutionUser(user.User):" in source


def test_choices_come_as_often_as_the_softmax_says_and_as_the_twin_has_them(population):
    users, model, catalogue = 20_000, population.model, population.catalogue
    interest = np.float32([0.7, -0.4])
    state = with_interest(model, model.sample(users, np.random.default_rng(0)), interest)
    slate = catalogue.show(np.tile([3, 8], (users, 1)), np.zeros((users, 2)))
    distance = np.linalg.norm(catalogue.features[[3, 8]] - interest, axis=1).astype(np.float64)
    odds = np.exp(2 - distance)
    native = TWIN.respond(Interests(np.tile(interest, (users, 1))), slate)
    ours, theirs = [], []
    for request in range(128):
        state.luck[:, 1] = request
        ours.append(model.draw(state, slate.items).feedback > 0)
        theirs.append(native.draw(Stream(np.random.SeedSequence(request))) > 0)
    frequency = np.mean(ours, axis=(0, 1))
    assert frequency == pytest.approx(odds / (1 + odds.sum()), abs=0.002)
    assert frequency == pytest.approx(np.mean(theirs, axis=(0, 1)), abs=0.002)


def test_time_chances_and_interests_are_those_of_the_twin(population, slates):
    users, model, catalogue = 16, population.model, population.catalogue
    state = model.sample(users, np.random.default_rng(1))
    for items in slates(0, users, 5):
        slate = catalogue.show(items, np.zeros((users, 2)))
        interests = Interests(interest_of(model, state))
        law, native = model.respond(state, slate), TWIN.respond(interests, slate)
        np.testing.assert_allclose(law.mean, native.mean, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(
            model.click_probability(state, catalogue),
            TWIN.click_probability(interests, catalogue),
            rtol=1e-3,
            atol=1e-5,
        )
        feedback = law.draw(None)
        np.testing.assert_allclose(
            law.log_likelihood(feedback), native.log_likelihood(feedback), rtol=1e-4, atol=1e-5
        )
        watched = feedback > 0
        np.testing.assert_allclose(feedback[watched], native.worth[watched], rtol=1e-6)
        state = model.react(state, slate, feedback)
        after = TWIN.react(interests, slate, feedback)
        np.testing.assert_allclose(interest_of(model, state), after.interest, atol=1e-5)


def test_the_return_lies_in_the_interval_of_the_twin(twin, slates):
    returns = []
    for make in (RecSimNGVectorEnv, lambda users: RecommendationVectorEnv(twin, users)):
        env = make(2000)
        env.reset(seed=0)
        returns.append(sum(env.step(items)[1] for items in slates(1, 2000, 100)))
    ours, theirs = returns
    error = np.sqrt(ours.var() / len(ours) + theirs.var() / len(theirs))
    assert abs(ours.mean() - theirs.mean()) < 1.96 * error
    assert ours.std() == pytest.approx(theirs.std(), rel=0.05)


def test_response_and_reward_come_in_the_step_of_the_slate(slates):
    env = gymnasium.make_vec(ID, num_envs=16)
    quality = env.unwrapped.population.catalogue.quality
    env.reset(seed=0)
    for items in slates(2, 16, 3):
        observation, reward, terminated, truncated, info = env.step(items)
        choice, time = info["response"]["choice"], info["response"]["consumed_time"]
        chosen = choice < 2
        assert 0 < chosen.mean() < 1
        shown = np.take_along_axis(items, np.minimum(choice, 1)[:, None], axis=1)[:, 0]
        expected = 2 / (1 + np.exp(quality[shown]))
        np.testing.assert_allclose(reward, np.where(chosen, expected, 0), rtol=1e-6)
        np.testing.assert_array_equal(time[~chosen], -1)
        np.testing.assert_array_equal(observation["feedback"].sum(1), reward)
        np.testing.assert_array_equal(observation["feedback"].argmax(1)[chosen], choice[chosen])
        assert not (terminated | truncated).any()


def test_a_trial_is_as_long_as_the_storys_horizon(slates):
    env = RecSimNGVectorEnv(16)
    env.reset(seed=0)
    first = interest_of(env.simulation.model, env.simulation.state)
    ends = [env.step(items)[3] for items in slates(3, 16, 100)]
    assert np.sum(ends) == 16
    assert ends[-1].all()
    # Gymnasium's autoreset has put new users in their place.
    assert env.simulation.trials.request.tolist() == [0] * 16
    assert (interest_of(env.simulation.model, env.simulation.state) != first).all()


def test_it_keeps_the_contract_of_environments_and_of_user_models(population):
    check_env(gymnasium.make(ID).unwrapped)
    check_user_model(population.model, users=3, slate=2)


def test_a_single_environment_is_the_batch_of_one(slates):
    single, batch = gymnasium.make(ID), gymnasium.make_vec(ID, num_envs=1)
    single.reset(seed=4), batch.reset(seed=4)
    for items in slates(4, 1, 20):
        observation, reward, _, _, info = single.step(items[0])
        many, rewards, _, _, infos = batch.step(items)
        assert reward == rewards[0]
        assert info["response"]["choice"] == infos["response"]["choice"][0]
        for key, values in observation.items():
            np.testing.assert_array_equal(values, many[key][0])


def test_only_some_users_can_begin_anew(slates):
    env = RecSimNGVectorEnv(16, autoreset_mode="Disabled")
    env.reset(seed=0)
    for items in slates(5, 16, 3):
        env.step(items)
    before = interest_of(env.simulation.model, env.simulation.state)
    env.reset(options={"reset_mask": np.arange(16) < 3})
    after = interest_of(env.simulation.model, env.simulation.state)
    assert (before[:3] != after[:3]).all()
    np.testing.assert_array_equal(before[3:], after[3:])
    assert env.step(slates(6, 16, 1)[0])[0]["position"][:, 0].tolist() == [1] * 3 + [4] * 13


def test_users_of_other_items_see_other_documents(population):
    other = population.split("ood-items")
    assert (other.catalogue.features != population.catalogue.features).all()
    simulation = Simulation(other, 4, slate=2)
    simulation.reset(0)
    simulation.step(np.tile([0, 1], (4, 1)))
    time = 2 / (1 + np.exp(other.catalogue.quality[:2]))
    feedback = simulation.trials.feedback
    np.testing.assert_allclose(feedback, (feedback > 0) * time, rtol=1e-6)


# Bad input


def test_what_is_no_slate_or_no_story_is_refused():
    env = RecSimNGVectorEnv(16)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"expected shape \(16, 2\), got \(16, 3\)"):
        env.step(np.tile([0, 1, 2], (16, 1)))
    with pytest.raises(ValueError, match="must not show an item twice"):
        env.step(np.zeros((16, 2), int))
    with pytest.raises(ValueError, match="story must be one of InterestEvolution, or 'package"):
        gymnasium.make(ID, story="Interest")
    with pytest.raises(ValueError, match=r"expected 'package.module:attribute', got 'no.where:x'"):
        gymnasium.make(ID, story="no.where:x")
    with pytest.raises(ValueError, match="'json:dumps' must be a Story, got function"):
        gymnasium.make(ID, story="json:dumps")
    with pytest.raises(ValueError, match="'InterestEvolution' is registered already"):
        register_story(INTEREST_EVOLUTION)
    with pytest.raises(ValueError, match=r"seed must lie in \[0, 2147483647\], got -1"):
        gymnasium.make(ID, documents_seed=-1)


def test_arrays_of_torch_are_refused():
    pytest.importorskip("torch")
    env = RecSimNGVectorEnv(16, array_library="torch")
    env.reset(seed=0)
    with pytest.raises(ValueError, match="leave array_library at 'numpy'"):
        env.step(env.action_space.sample())
