"""The generator learns a law that is known, acts in numpy as in torch, and is kept whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from driftrec.envs import feed_population
from driftrec.meta import CheckpointError
from driftrec.meta.checkpoint import write_checkpoint
from driftrec.meta.generation import (
    GANConfig,
    GeneratedUsers,
    fidelity,
    fitted_vectors,
    load_generator,
    train_generator,
)
from driftrec.meta.generation.gan import _exported, _GeneratorNetwork
from driftrec.meta.generation.generator import FURTHEST, Standardiser

CENTRES = np.array([[0, 0], [6, 0], [0, 8.0]])
SDS, SHARES = np.array([1, 0.5, 1]), np.array([0.5, 0.3, 0.2])
QUICK = GANConfig(latent=4, hidden=8, iterations=3, batch=16)


def mixture(users, seed):
    rng = np.random.default_rng(seed)
    part = rng.choice(3, size=users, p=SHARES)
    return CENTRES[part] + SDS[part, None] * rng.standard_normal((users, 2))


def test_a_mixture_of_three_normals_is_learnt_with_its_shares_places_and_widths():
    config = GANConfig(latent=4, hidden=64, batch=256, learning_rate=3e-3, penalty=1.0)
    made = train_generator(mixture(2000, 0).astype(np.float32), config, seed=0).draw(
        5000, np.random.default_rng(1)
    )
    distance = np.square(made[:, None] - CENTRES).sum(-1) / SDS**2
    part = distance.argmin(1)
    assert np.allclose(np.bincount(part) / 5000, SHARES, atol=0.06)
    # Of a normal in two dimensions .0003 lie beyond four standard deviations.
    near = distance.min(1) < 16
    assert near.mean() > 0.95
    for number in range(3):
        its = made[near & (part == number)]
        assert np.allclose(its.mean(0), CENTRES[number], atol=0.5)
        assert np.all((its.std(0) > 0.5 * SDS[number]) & (its.std(0) < 1.6 * SDS[number]))


def test_generated_users_are_closer_to_new_users_than_copies_are_and_are_no_copies():
    population = feed_population()
    training, held_out = (fitted_vectors(population, 400, seed) for seed in (0, 1))
    generator = train_generator(training, GANConfig(hidden=48, iterations=500), seed=0)
    made = fidelity(training, held_out, generator.draw(400, np.random.default_rng(2)))
    again = training[np.random.default_rng(3).integers(400, size=400)]
    copies = fidelity(training, held_out, again)
    assert made.neighbour_accuracy < 0.62 < copies.neighbour_accuracy
    assert made.coverage > 0.85
    assert made.copying < 0.65
    assert copies.copying == 1
    assert made.ks < 0.15
    assert made.correlation_error < 0.12


def test_the_same_seed_gives_the_same_generator_and_leaves_global_randomness_alone():
    vectors = mixture(50, 0).astype(np.float32)
    before = torch.random.get_rng_state()
    first, second = (train_generator(vectors, QUICK, seed=4) for _ in range(2))
    other = train_generator(vectors, QUICK, seed=5)
    assert torch.equal(before, torch.random.get_rng_state())
    drawn = [one.draw(9, np.random.default_rng(0)) for one in (first, second, other)]
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_even_a_generator_that_hardly_learnt_has_the_real_means_and_variances():
    vectors = mixture(500, 0).astype(np.float32)
    made = train_generator(vectors, QUICK, seed=0).draw(20_000, np.random.default_rng(0))
    assert np.allclose(made.mean(0), vectors.mean(0), atol=0.04 * vectors.std(0).max())
    assert np.allclose(made.std(0), vectors.std(0), rtol=0.04)


@torch.no_grad()
def test_numpy_generates_what_the_network_does():
    torch.manual_seed(0)
    network = _GeneratorNetwork(4, 8, 2)
    units = Standardiser.of(mixture(30, 0).astype(np.float32))
    noise = np.random.default_rng(0).standard_normal((7, 4), np.float32)
    ours = units.apply(_exported(network, units).of(noise))
    assert np.allclose(ours, network(torch.from_numpy(noise)).numpy(), atol=1e-5)


def test_a_generator_is_read_back_as_it_was(tmp_path):
    generator = train_generator(mixture(50, 0).astype(np.float32), QUICK, seed=0)
    generator.save(tmp_path / "generator.safetensors")
    back = load_generator(tmp_path / "generator.safetensors")
    drawn = [one.draw(9, np.random.default_rng(0)) for one in (generator, back)]
    assert np.array_equal(*drawn)
    write_checkpoint(tmp_path / "other", "something", {}, {})
    with pytest.raises(CheckpointError, match="expected 'user-generator'"):
        load_generator(tmp_path / "other")


def test_what_does_not_vary_is_kept_and_nothing_lies_out_of_reach():
    vectors = np.column_stack([mixture(50, 0), np.full(50, -np.inf)]).astype(np.float32)
    generator = train_generator(vectors, QUICK, seed=0)
    made = generator.of(1e6 * np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32))
    assert np.isneginf(made[:, 2]).all()
    reach = FURTHEST * vectors[:, :2].std(0)
    assert (abs(made[:, :2] - vectors[:, :2].mean(0)) <= reach * (1 + 1e-5)).all()
    assert generator.draw(0, np.random.default_rng(0)).shape == (0, 3)


def test_generated_users_are_drawn_by_the_generator_they_are_given():
    population = feed_population()
    generator = train_generator(fitted_vectors(population, 50, 0), QUICK, seed=0)
    users = GeneratedUsers(population.model, generator)
    states = [users.sample(6, np.random.default_rng(1)) for _ in range(2)]
    vectors = [users.vectors.of(state) for state in states]
    assert np.array_equal(*vectors)
    assert len(np.unique(vectors[0][:, 0])) == 6


def test_too_few_or_equal_users_and_bad_configs_are_refused():
    for vectors in (np.zeros((1, 3)), np.zeros((9, 3))):
        with pytest.raises(ValueError, match="two or more users who differ"):
            train_generator(vectors, QUICK, seed=0)
    with pytest.raises(ValueError, match="batch must be at least 1"):
        GANConfig(batch=0)
    with pytest.raises(ValueError, match="averaging in"):
        GANConfig(averaging=1.0)
