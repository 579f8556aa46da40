"""Policies that act by numpy against the torch networks that were trained."""

from __future__ import annotations

import pickle
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from driftrec.agents.deep import METHODS
from driftrec.agents.deep.acting import QueryPolicy
from driftrec.agents.deep.layers import read_network, write_network
from driftrec.agents.deep.reading import KEPT, Reader, feature_scale
from driftrec.agents.deep.saved import OfArrays, Saved
from driftrec.agents.deep.sb3_agents import about, arrays_of, environment, make_agent
from driftrec.agents.deep.slateq import SlateQ, SlateQConfig
from driftrec.agents.deep.slateq import about as about_slateq
from driftrec.agents.deep.slateq import arrays_of as arrays_of_slateq
from driftrec.agents.harness import evaluate
from driftrec.agents.policy import renew
from driftrec.envs import RecommendationVectorEnv, synthetic_catalogue

USERS = 8
SB3 = ("ppo", "a2c", "recurrent-ppo", "dqn", "sac")


def untrained(algorithm, population):
    """An agent, its environment, and the arrays of the part that acts."""
    env, reader = environment(algorithm, population, USERS)
    agent = make_agent(algorithm, env, reader, population, METHODS[algorithm].options, 3)
    # Fresh queries are close to a constant: these differ from user to user.
    with torch.no_grad():
        for name, parameter in agent.policy.named_parameters():
            if "query" in name or name.startswith("actor.mu"):
                parameter.normal_(generator=torch.Generator().manual_seed(1))
    return agent, env, arrays_of(algorithm, agent, reader), about(algorithm, population, reader)


@pytest.mark.parametrize("algorithm", SB3)
@pytest.mark.parametrize("population", ["feed", "feed_of_slates"])
def test_slates_are_those_of_the_trained_network(algorithm, population, request):
    """Request after request, over ends of trials, with what was shown left out by both."""
    population = request.getfixturevalue(population)
    if METHODS[algorithm].unsuited(population):
        pytest.skip("it chooses one item")
    agent, env, arrays, description = untrained(algorithm, population)
    policy = QueryPolicy(arrays, description, population.catalogue.table)
    batch = RecommendationVectorEnv(population, USERS)
    env.seed(2)
    observation, (ours, _) = env.reset(), batch.reset(seed=2)
    state, lstm, starts, shown = policy.start(USERS), None, np.ones(USERS, bool), set()
    for _ in range(20):
        state = renew(state, policy.start(USERS), ours["new_user"])
        items, state = policy.act(ours, state)
        actions, lstm = agent.predict(observation, lstm, starts, deterministic=True)
        observation, _, starts, _ = env.step(actions)
        theirs = env.unwrapped.env.simulation.trials.items
        np.testing.assert_array_equal(theirs[~starts], items[~starts])
        ours = batch.step(items)[0]
        shown |= {tuple(row) for row in items.tolist()}
    assert len(shown) > 5


@pytest.mark.parametrize("name", METHODS)
def test_what_is_saved_acts_the_same(name, feed, tmp_path):
    if name == "slateq":
        learner = SlateQ(feed, SlateQConfig(), 0)
        arrays, description = arrays_of_slateq(learner), about_slateq(learner, feed)
    else:
        _, _, arrays, description = untrained(name, feed)
    write_network(tmp_path, arrays, description)
    assert not list(tmp_path.glob("*.zip"))
    before = evaluate(OfArrays(arrays, description), feed, users=30, batch=30)
    after = evaluate(pickle.loads(pickle.dumps(Saved(tmp_path))), feed, users=30, batch=30)
    np.testing.assert_array_equal(before.items, after.items)
    assert read_network(tmp_path)[1] == description


@pytest.mark.parametrize("name", ["ppo", "recurrent-ppo", "slateq"])
def test_new_users_are_strangers_and_no_state_is_changed(name, feed):
    """A row whose user is new is acted on as the first request of anybody."""
    if name == "slateq":
        learner = SlateQ(feed, SlateQConfig(), 0)
        made = OfArrays(arrays_of_slateq(learner), about_slateq(learner, feed))
    else:
        _, _, arrays, description = untrained(name, feed)
        made = OfArrays(arrays, description)
    env = RecommendationVectorEnv(feed, USERS, autoreset_mode="Disabled")
    policy = made(env)
    observation, _ = env.reset(seed=0)
    first, _ = policy.act(observation, policy.start(USERS))
    state = policy.start(USERS)
    for _ in range(4):
        items, state = policy.act(observation, state)
        observation = env.step(items)[0]
    held = pickle.dumps(state)
    observation = {key: values.copy() for key, values in observation.items()}
    for key, values in env.reset(seed=0)[0].items():
        observation[key][1] = values[1]
    renewed = renew(state, policy.start(USERS), observation["new_user"])
    items, after = policy.act(observation, renewed)
    assert items[1] == first[1]
    assert pickle.dumps(state) == held
    alone, _ = policy.act(observation, policy.start(USERS))
    if name == "recurrent-ppo":
        assert (renewed.hidden[1] == 0).all()
        assert (renewed.hidden[0] != 0).any()
        fresh = policy.act(observation, policy.start(USERS))[1]
        np.testing.assert_array_equal(after.hidden[1], fresh.hidden[1])
    assert alone[1] == items[1]


def test_the_summary_is_of_weighted_means(feed):
    """Against sums over the whole trial, written out."""
    reader = Reader(feature_scale(feed.catalogue), 1)
    env = RecommendationVectorEnv(feed, USERS, autoreset_mode="Disabled")
    observation, _ = env.reset(seed=1)
    inputs, summary = reader.read(observation, reader.start(USERS))
    assert all((getattr(summary, item.name) == 0).all() for item in fields(summary))
    slates, clicks = [], []
    for step in range(8):
        observation = env.step(np.arange(USERS) * 3 + step)[0]
        inputs, summary = reader.read(observation, summary)
        slates.append(observation["slate"][:, 0] * reader.scale)
        clicks.append(observation["feedback"][:, 0])
    for place, kept in enumerate(KEPT):
        weights = (1 - kept) * kept ** np.arange(8)[::-1]
        rate = np.tensordot(weights, clicks, 1)
        np.testing.assert_allclose(summary.rate[:, place], rate, rtol=1e-5)
        shown = np.tensordot(weights, slates, 1)
        np.testing.assert_allclose(summary.shown[:, place], shown, rtol=1e-4, atol=1e-5)
        liked = np.zeros_like(shown)
        for step in range(8):
            before = np.tensordot(weights[8 - step :], clicks[:step], 1)
            liked += weights[step] * (clicks[step] - before)[:, None] * slates[step]
        np.testing.assert_allclose(summary.liked[:, place], liked, rtol=1e-4, atol=1e-5)
    assert inputs.shape == (USERS, reader.size)


def test_last_observations_are_read_as_the_trial_went_on(feed):
    """An agent bootstraps from what it would have seen next, not from the next user."""
    population = replace(feed, max_requests=6)
    env, reader = environment("ppo", population, 1)
    alone = RecommendationVectorEnv(population, 1, autoreset_mode="Disabled")
    env.seed(3)
    env.reset()
    observation, _ = alone.reset(seed=3)
    inputs, summary = reader.read(observation, reader.start(1))
    done, request = False, 0
    while not done:
        told, _, dones, infos = env.step(np.array([request]))
        observation, *_ = alone.step(np.array([request]))
        inputs, summary = reader.read(observation, summary)
        done, request = bool(dones[0]), request + 1
    last = infos[0]["terminal_observation"]
    np.testing.assert_array_equal(last["inputs"], inputs[0])
    assert np.flatnonzero(last["banned"]).tolist() == list(range(request))
    assert not told["banned"].any()


def test_another_catalogue_is_served_if_it_has_as_many_features(feed):
    _, _, arrays, description = untrained("ppo", feed)
    other = synthetic_catalogue(45, np.random.default_rng(9), dimension=4, topics=3)
    found = evaluate(
        OfArrays(arrays, description), replace(feed, catalogue=other), users=20, batch=20
    )
    assert found.items.max() > 30
    wider = synthetic_catalogue(45, np.random.default_rng(9), dimension=5, topics=3)
    with pytest.raises(ValueError, match=r"trained with 8 features .* here there are 9"):
        OfArrays(arrays, description)(RecommendationVectorEnv(replace(feed, catalogue=wider)))
    with pytest.raises(ValueError, match=r"trained with 1 item\(s\) a request; here there are 2"):
        OfArrays(arrays, description)(RecommendationVectorEnv(replace(feed, slate=2)))


def test_missing_and_damaged_files_are_told(tmp_path, feed):
    env = RecommendationVectorEnv(feed)
    with pytest.raises(FileNotFoundError, match="fit the method there first"):
        Saved(tmp_path)(env)
    _, _, arrays, description = untrained("a2c", feed)
    write_network(tmp_path, arrays, description)
    (tmp_path / "policy.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="damaged"):
        Saved(tmp_path)(env)
