"""Regret is what it says, and the curriculum meets the users that its shares ask for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from driftrec.agents import make_policy
from driftrec.agents.filter import BayesFilter
from driftrec.agents.filter_model import FilterModel
from driftrec.envs import DriftingUser, Population, RecommendationVectorEnv, synthetic_catalogue
from driftrec.meta import PPOConfig, learning_curve, load
from driftrec.meta.generation import (
    Curriculum,
    CurriculumConfig,
    FiniteSource,
    GANConfig,
    RegretMeter,
    TiltConfig,
    compare_training_users,
    fitted_vectors,
    load_generator,
    training_users,
)
from driftrec.meta.generation.curriculum_run import CurriculumRun
from driftrec.meta.rl2_policy import RL2Policy
from driftrec.meta.workers import Worker

SMALL = CurriculumConfig(
    iterations=4,
    users=16,
    hidden=8,
    probes=4,
    validate_every=2,
    validation_users=8,
    ppo=PPOConfig(epochs=1, minibatches=2),
    fitted_users=20,
    gan=GANConfig(latent=4, hidden=8, iterations=5, batch=16),
    refresh_every=1,
    regret_users=16,
)


def small_population(**options):
    catalogue = synthetic_catalogue(30, np.random.default_rng(0), dimension=4, topics=3)
    personas = np.random.default_rng(1).standard_normal((3, 4))
    model = DriftingUser(personas=personas, topics=3, **options)
    return Population("Small", model, catalogue, max_requests=6)


def first_policy(population, name):
    env = RecommendationVectorEnv(population, 1)
    env.reset(seed=0)
    return make_policy(name, env)


def test_the_filter_has_no_regret_against_itself():
    population = small_population()
    source = FiniteSource(fitted_vectors(population, 9, 0))
    model = FilterModel.from_user_model(population.model, population.catalogue)
    meter = RegretMeter(population)
    vectors, regret = meter.measure(BayesFilter(model, acting="ucb"), source, 30, seed=1)
    assert np.array_equal(regret, np.zeros(30))
    # These are the users of the source, and not of the population.
    distance = abs(vectors[:, None] - source.vectors[None]).max(-1).min(1)
    assert distance.max() < 1e-5


def test_a_random_policy_regrets_and_more_so_against_one_who_knows_all():
    population = small_population()
    source = FiniteSource(fitted_vectors(population, 200, 0))
    policy = first_policy(population, "random")
    means = []
    for reference in ("filter-ucb", "clairvoyant"):
        meter = RegretMeter(population, reference)
        _, regret = meter.measure(policy, source, 200, seed=1)
        means.append(regret.mean())
    assert (regret >= 0).all()
    assert 0.1 < means[0] < means[1]


def test_unknown_references_and_rewards_of_chance():
    population = small_population()
    with pytest.raises(ValueError, match="reference must be filter-ucb or clairvoyant"):
        RegretMeter(population, "oracle")
    # Losing the user is not taken in expectation: -1 in the last request, or nothing.
    source = FiniteSource(fitted_vectors(population, 50, 0))
    meter = RegretMeter(population, reward="retention")
    _, regret = meter.measure(first_policy(population, "random"), source, 50, seed=1)
    assert np.abs(regret).max() <= 1


def test_only_fitted_users_are_met_when_they_have_the_whole_share(tmp_path):
    population = small_population()
    config = training_users(SMALL)["fitted"]
    run = CurriculumRun(Worker(), config, population)
    run.iterate()
    few = fitted_vectors(population, 20, config.seed)
    levels = np.unique(run.env.simulation.state.traits.level)
    assert np.isin(levels, few[:, 0]).all()
    run.save(tmp_path)
    assert not (tmp_path / "generator.safetensors").exists()


def test_a_plain_mixture_measures_no_regret_and_an_adversary_does(tmp_path):
    population = small_population()
    arms = training_users(SMALL)
    Curriculum(arms["fitted + generated"]).fit(population, tmp_path / "plain")
    assert not any("regret_proposed" in line for line in learning_curve(tmp_path / "plain"))
    policy = Curriculum(SMALL).fit(population, tmp_path / "adversary")
    lines = learning_curve(tmp_path / "adversary")
    assert ["regret_proposed" in line for line in lines] == [False, True, True, True]
    assert all(line["proposal_kl"] <= SMALL.tilt.kl + 1e-9 for line in lines[1:])
    back = load(tmp_path / "adversary")
    assert isinstance(back, RL2Policy)
    for name, tensor in policy.network.state_dict().items():
        assert torch.equal(tensor, back.network.state_dict()[name])
    generator = load_generator(tmp_path / "adversary" / "generator.safetensors")
    assert generator.draw(3, np.random.default_rng(0)).shape == (3, 13)


def test_resumed_run_ends_with_the_weights_and_proposals_of_one_that_was_never_cut(tmp_path):
    population = small_population()
    whole = Curriculum(SMALL).fit(population, tmp_path / "whole")

    class KilledError(Exception):
        pass

    def kill(iteration, *_):
        if iteration == 3:
            raise KilledError

    with pytest.raises(KilledError):
        Curriculum(SMALL).fit(population, tmp_path / "cut", progress=kill)
    resumed = Curriculum(SMALL).fit(population, tmp_path / "cut", resume=True)
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name
    assert learning_curve(tmp_path / "whole") == learning_curve(tmp_path / "cut")
    assert len(list((tmp_path / "cut").glob("regret-*.safetensors"))) == 1


@pytest.mark.slow
def test_two_workers_make_the_same_proposals_and_train_one_policy():
    population = small_population()
    config = replace(SMALL, iterations=2, workers=2)
    first, second = (Curriculum(config).fit(population) for _ in range(2))
    for name, tensor in first.network.state_dict().items():
        assert torch.equal(tensor, second.network.state_dict()[name])


def test_the_adversary_finds_users_whose_regret_is_higher_than_that_of_plausible_ones():
    # Regret to one who sees all is high where tastes are strong, so that it can be foreseen.
    config = replace(
        SMALL,
        fitted_users=300,
        gan=GANConfig(hidden=32, iterations=300),
        regret_users=1000,
        reference="clairvoyant",
        tilt=TiltConfig(kl=1.0),
        iterations=4,
    )
    run = CurriculumRun(Worker(), config, small_population(taste_sd=1.5, mood_sd=0.0, whim_sd=0.0))
    lines = [run.iterate() for _ in range(4)]
    gained = [line["regret_proposed"] - line["regret_generated"] for line in lines[2:]]
    assert min(gained) > 0.015
    assert min(line["regret_foreseen"] for line in lines[2:]) > 0.3


def test_arms_of_the_comparison_differ_in_their_users_alone_and_meet_the_same_others():
    arms = training_users(SMALL)
    assert [arm.shares for arm in arms.values()] == [(1, 0, 0), (0.5, 0.5, 0), (0.5, 0.25, 0.25)]
    told = []
    results = compare_training_users(
        small_population(),
        replace(SMALL, iterations=2),
        seeds=(0, 1),
        users=20,
        splits=("test",),
        report=lambda name, seed: told.append((name, seed)),
    )
    assert told == [(name, seed) for seed in (0, 1) for name in (*arms, "all users")]
    comparison = results["test"]
    assert comparison.policies == [*arms, "all users", "most-popular", "filter-ucb"]
    assert len(comparison.evaluations["fitted"]) == 2
    own = comparison.difference("fitted", "fitted")
    assert own.value == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fitted_share": 0.6}, "shares must be 3 numbers"),
        ({"fitted_users": 1}, "fitted_users must be at least 2"),
        ({"regret_users": 15}, "must divide into two halves among 1 workers"),
        ({"refresh_every": 0}, "refresh_every must be at least 1"),
    ],
)
def test_bad_config_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **change)


def test_every_size_is_a_config():
    for size in ("smoke", "standard", "full"):
        assert sum(CurriculumConfig.of_size(size).shares) == 1
