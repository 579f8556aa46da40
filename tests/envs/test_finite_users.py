from __future__ import annotations

import numpy as np
import pytest

from driftrec.envs import RecommendationVectorEnv, feed_population
from driftrec.envs.arrays import leaves
from driftrec.envs.finite_users import FiniteUsers, finite_users
from driftrec.envs.testing import check_user_model


def levels(population, split: str, users: int, seed: int) -> np.ndarray:
    env = RecommendationVectorEnv(population, users, split=split)
    env.reset(seed=seed)
    return np.asarray(env.simulation.state.traits.level)


def test_only_users_of_the_pool_are_met_and_all_of_them_alike():
    population = finite_users(feed_population(), 5)
    pool = population.split("train").model.pool.traits.level
    met = levels(population, "train", 5000, seed=1)
    counts = np.array([(met == level).sum() for level in pool])
    assert len(np.unique(pool)) == 5
    assert counts.sum() == 5000
    assert abs(counts - 1000).max() < 5 * np.sqrt(5000 * 0.2 * 0.8)


def test_other_splits_stay_and_other_seeds_and_sizes_are_other_users():
    whole, few = feed_population(), finite_users(feed_population(), 5)
    for split in ("validation", "test", "ood-taste"):
        np.testing.assert_array_equal(levels(few, split, 20, 2), levels(whole, split, 20, 2))
    pools = [
        FiniteUsers(whole.model, users, seed).pool.traits.level
        for users, seed in ((5, 0), (5, 1), (6, 0))
    ]
    assert len(np.unique(np.concatenate(pools))) == 16


def test_users_behave_as_the_model_says_and_the_pool_is_never_changed():
    model = feed_population().model
    few = FiniteUsers(model, 50)
    before = {name: array.copy() for name, array in leaves(few.pool).items()}
    check_user_model(few)
    for name, array in leaves(few.pool).items():
        np.testing.assert_array_equal(array, before[name])
    assert few.verified == model.verified
    assert few.context_size == model.context_size


def test_a_pool_without_users_is_refused():
    with pytest.raises(ValueError, match="users must be at least 1, got 0"):
        finite_users(feed_population(), 0)
