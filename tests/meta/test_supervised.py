"""Learners that are taught by labels end with the posterior, where that is known in closed form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from driftrec.agents import evaluate
from driftrec.envs import DriftingUser, Population, RecommendationVectorEnv, synthetic_catalogue
from driftrec.envs.bernoulli_bandit import bernoulli_population
from driftrec.envs.observation import observe
from driftrec.meta import load
from driftrec.meta.amortised import Amortised, AmortisedConfig
from driftrec.meta.dpt import DPT, DPTConfig
from driftrec.meta.track import Track

TWO_ARMS = {
    "users": 1024, "hidden": 32, "memory": "gru", "filter": False, "unseen_only": False,
    "explore": 0.5, "validation_users": 10, "learning_rate": 1e-2,
}  # fmt: skip
SMALL = {
    "iterations": 2, "users": 16, "hidden": 8, "probes": 4, "minibatches": 2, "validate_every": 1,
    "validation_users": 8,
}  # fmt: skip


def small_population(**options):
    catalogue = synthetic_catalogue(30, np.random.default_rng(0), dimension=4, topics=3)
    personas = np.random.default_rng(1).standard_normal((3, 4))
    model = DriftingUser(personas=personas, topics=3)
    return Population("Small", model, catalogue, **{"max_requests": 6, **options})


def after_one_success(policy):
    """What the network knows of a two-armed bandit whose arm 0 was pulled and paid."""
    observation = {
        "slate": torch.zeros(1, 1, policy.network.shape.width),
        "feedback": torch.zeros(1, 1),
        "new_user": torch.ones(1, 1),
        "new_session": torch.ones(1, 1),
        "log_elapsed": torch.zeros(1, 1),
        "position": torch.zeros(1, 1),
    }
    with torch.no_grad():
        _, fresh, track = policy.network.know(observation, policy.network.start(1))
        observation |= {
            "slate": policy.table[None, :1],
            "feedback": torch.ones(1, 1),
            "new_user": torch.zeros(1, 1),
            "new_session": torch.zeros(1, 1),
            "log_elapsed": torch.full((1, 1), float(np.log1p(30))),
            "position": torch.ones(1, 1),
        }
        _, known, track = policy.network.know(observation, track)
    return fresh, known, track


def test_amortised_filter_learns_mean_and_variance_of_the_posterior():
    # The logit of p ~ Beta(a, b) has mean psi(a) - psi(b) and variance psi'(a) + psi'(b):
    # 0 and pi^2 / 3 for U[0, 1], 1 and pi^2 / 3 - 1 after a success.
    config = AmortisedConfig(iterations=30, validate_every=30, **TWO_ARMS)
    policy = Amortised(config).fit(bernoulli_population(2, 3))
    fresh, known, track = after_one_success(policy)
    with torch.no_grad():
        prior = (
            policy.network.means(fresh, policy.table),
            policy.network.sds(fresh, track, policy.table),
        )
        mean, sd = (
            policy.network.means(known, policy.table),
            policy.network.sds(known, track, policy.table),
        )
    torch.testing.assert_close(prior[0], torch.zeros(1, 2), atol=0.15, rtol=0)
    torch.testing.assert_close(prior[1], torch.full((1, 2), np.pi / 3**0.5), atol=0.12, rtol=0)
    torch.testing.assert_close(mean, torch.tensor([[1.0, 0.0]]), atol=0.2, rtol=0)
    expected = torch.tensor([[(np.pi**2 / 3 - 1) ** 0.5, np.pi / 3**0.5]], dtype=torch.float32)
    torch.testing.assert_close(sd, expected, atol=0.12, rtol=0)


def test_dpt_learns_the_probability_that_an_arm_is_best():
    # P(p0 > p1) is 1/2 at first, and E[p0] = 2/3 for p0 ~ Beta(2, 1) after a success.
    config = DPTConfig(iterations=30, validate_every=30, **TWO_ARMS)
    policy = DPT(config).fit(bernoulli_population(2, 3))
    fresh, known, track = after_one_success(policy)
    with torch.no_grad():
        before, after = (policy.scores(one, track).softmax(-1)[0, 0] for one in (fresh, known))
    assert before.item() == pytest.approx(1 / 2, abs=0.04)
    assert after.item() == pytest.approx(2 / 3, abs=0.04)


def test_a_filter_is_taught_the_sizes_and_rates_of_the_world():
    population = small_population(max_requests=25)
    model = replace(
        population.model, level_sd=1.0, mood_sd=0.0, taste_sd=0.0, whim_sd=0.0, satiation=0.0,
        intercept=0.5, churn=0.0, session_requests=10.0,
    )  # fmt: skip
    population = replace(population, model=model)
    config = AmortisedConfig(
        iterations=6, users=256, validate_every=6, validation_users=10, schedule="constant"
    )
    policy = Amortised(config).fit(population)
    network, learned = policy.network, policy.network.trunk.filter
    half = learned.size // 2
    with torch.no_grad():
        variance = (2 * learned.log_sd).exp()
        # The level is the slow part of the constant: its mean is the intercept.
        assert variance[half - 1].sqrt().item() == pytest.approx(1.0, abs=0.2)
        weights = learned.prior_mean[:half] + learned.prior_mean[half:]
        logits = network.trunk.with_one(policy.table) @ weights
        mean = (logits - policy.table[:, -1]).mean().item()
        assert mean == pytest.approx(0.5, abs=0.2)
        # Nobody has a taste: nothing of a feature lasts or passes.
        assert variance[: half - 2].max().sqrt().item() < 0.12


@pytest.mark.parametrize("learner", [Amortised, DPT])
@pytest.mark.parametrize("memory", ["gru", "lstm", "transformer"])
def test_saved_policies_act_as_before_batch_of_one_as_row_and_show_nothing_twice(
    learner, memory, tmp_path
):
    population = small_population(slate=2)
    filtered = {"filter": True, "acting": "ucb"} if learner is Amortised else {"acting": "greedy"}
    config = learner.config_type(**SMALL, memory=memory, **filtered)
    policy, loaded = learner(config).fit(population, tmp_path), load(tmp_path)
    assert loaded.acting == config.acting
    env = RecommendationVectorEnv(population, 5, split="test", autoreset_mode="Disabled")
    observation, _ = env.reset(seed=1)
    state, single = policy.start(5), loaded.start(1)
    shown = []
    for _ in range(6):
        alone, single = loaded.act({key: value[2:3] for key, value in observation.items()}, single)
        slate, state = policy.act(observation, state)
        assert np.array_equal(alone[0], slate[2])
        shown.append(slate)
        observation, *_ = env.step(slate)
    for items in np.concatenate(shown, axis=1):
        assert len(set(items)) == 12


@pytest.mark.parametrize("learner", [Amortised, DPT])
def test_resumed_run_ends_with_the_weights_of_one_that_was_never_cut(learner, tmp_path):
    population, config = small_population(), learner.config_type(**SMALL)
    whole = learner(config).fit(population)

    class KilledError(Exception):
        pass

    def kill(iteration, *_):
        raise KilledError

    with pytest.raises(KilledError):
        learner(config).fit(population, tmp_path, progress=kill)
    resumed = learner(config).fit(population, tmp_path, resume=True)
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name


def test_a_cap_mixes_slates_after_loading_and_on_another_catalogue_too(tmp_path):
    population = small_population(slate=3, max_requests=4)
    policy = Amortised(AmortisedConfig(**SMALL, cap=1)).fit(population, tmp_path)
    other = synthetic_catalogue(40, np.random.default_rng(7), dimension=4, topics=3)
    abroad = replace(population, catalogue=other)
    for served, users in ((policy, population), (load(tmp_path), population),
                          (load(tmp_path).on(other), abroad)):  # fmt: skip
        met = evaluate(lambda env, served=served: served, users, users=20)
        topics = users.catalogue.topics.argmax(1)[met.items]
        assert (np.sort(topics, axis=2) == [0, 1, 2]).all()
    with pytest.raises(ValueError, match="cap must be 0 or more"):
        replace(policy, cap=-1)
    with pytest.raises(ValueError, match="call `on"):
        replace(policy, topic=None)
    free = evaluate(lambda env: replace(policy, cap=0), population, users=20)
    assert (np.sort(population.catalogue.topics.argmax(1)[free.items], 2) != [0, 1, 2]).any()


def test_the_hidden_state_reaches_no_policy():
    # Two users with the same public history and another hidden state are shown the same.
    population = small_population()
    policy = Amortised(AmortisedConfig(**SMALL)).fit(population)
    env = RecommendationVectorEnv(population, 4, split="test", autoreset_mode="Disabled")
    observation, _ = env.reset(seed=1)
    state = policy.start(4)
    for _ in range(3):
        slate, state = policy.act(observation, state)
        observation, *_ = env.step(slate)
    before, _ = policy.act(observation, state)
    chance = np.array(env.simulation.click_probability())
    env.simulation.state.core[:] += 3.0
    env.simulation.state.relaxing[:] -= 1.0
    assert np.abs(env.simulation.click_probability() - chance).max() > 0.1
    again = observe(env.simulation)
    assert all(np.array_equal(again[key], values) for key, values in observation.items())
    after, _ = policy.act(again, state)
    assert np.array_equal(before, after)


def test_the_temperature_sharpens_draws_and_is_kept(tmp_path):
    config = DPTConfig(**SMALL, memory="gru", acting="sample", temperature=0.5)
    DPT(config).fit(small_population(), tmp_path)
    cool = load(tmp_path)
    plain = replace(cool, temperature=1.0)
    observation, _ = RecommendationVectorEnv(small_population(), 20_000).reset(seed=0)
    # Of users of whom nothing is known all are drawn by one distribution.
    counts = {}
    for name, policy in {"cool": cool, "plain": plain}.items():
        items, _ = policy.act(observation, policy.start(20_000))
        counts[name] = np.bincount(items[:, 0], minlength=30) / 20_000
    expected = counts["plain"] ** 2 / (counts["plain"] ** 2).sum()
    assert np.abs(counts["cool"] - expected).max() < 0.02


def test_thompson_draws_from_the_belief():
    population = small_population()
    policy = Amortised(AmortisedConfig(**SMALL)).fit(population)
    thompson = replace(policy, acting="thompson", seed=1)
    track = Track(*(torch.zeros(4000, 0) for _ in range(6)))
    track.covariance = policy.network.start(4000).covariance
    known = torch.zeros(4000, policy.network.trunk.known)
    with torch.no_grad():
        draws = thompson.scores(known, track)
        mean = policy.network.means(known, policy.table)
        sd = policy.network.sds(known, track, policy.table)
    scaled = (draws - mean) / sd
    assert abs(scaled.mean()) < 0.02
    assert abs(scaled.std() - 1) < 0.02


@pytest.mark.parametrize(
    ("learner", "change", "message"),
    [
        (Amortised, {"acting": "best"}, "acting must be one of greedy, ucb, thompson"),
        (Amortised, {"bonus": -1.0}, "bonus must not be negative"),
        (Amortised, {"cap": -1}, "cap must be 0 or more"),
        (Amortised, {"probes": 0}, "probes must be at least 1"),
        (Amortised, {"explore": 2.0}, "explore must lie in"),
        (Amortised, {"memory": "foo"}, "memory must be one of .*, got 'foo'"),
        (Amortised, {"window": 0}, "window must be at least 1"),
        (Amortised, {"gradient_clip": float("nan")}, "gradient_clip must be positive, got nan"),
        (Amortised, {"schedule": "adaptive"}, "one of constant, linear, inverse-time, cosine"),
        (DPT, {"layers": 0}, "layers must be at least 1"),
        (DPT, {"schedule": "adaptive"}, "one of constant, linear, inverse-time, cosine"),
        (DPT, {"temperature": 0.0}, "temperature must be positive"),
        (DPT, {"towers": -1}, "towers must not be negative, got -1"),
        (DPT, {"acting": "ucb"}, "acting must be one of greedy, sample"),
    ],
)
def test_bad_config_is_refused(learner, change, message):
    with pytest.raises(ValueError, match=message):
        learner.config_type(**change)
