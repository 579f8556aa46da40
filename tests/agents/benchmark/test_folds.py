import numpy as np
import pytest

from driftrec.agents.benchmark.folds import folds
from driftrec.agents.harness import evaluate
from driftrec.agents.registry import POLICIES
from driftrec.envs import Population, RecommendationVectorEnv, feed_population
from driftrec.envs.finite_users import FiniteUsers
from driftrec.envs.testing import check_user_model


def met(population: Population, split: str, users: int, seed: int = 0) -> np.ndarray:
    """Keys of the users of a split: no two users share one."""
    env = RecommendationVectorEnv(population, users, split=split)
    env.reset(seed=seed)
    return np.asarray(env.simulation.state.traits.key)


@pytest.mark.parametrize(("users", "k"), [(23, 5), (10, 2), (6, 6)])
def test_folds_are_disjoint_and_make_up_the_pool(users: int, k: int) -> None:
    pool = set(FiniteUsers(feed_population().model, users, 3).pool.traits.key.tolist())
    assert len(pool) == users
    tested: list[int] = []
    for fold in folds(feed_population(), k, users, seed=3):
        train, test = (set(met(fold, split, 2000).tolist()) for split in ("train", "test"))
        assert not train & test
        assert train | test == pool
        assert len(test) in (users // k, users // k + 1)
        tested += test
    assert sorted(tested) == sorted(pool)


def test_a_test_on_all_members_meets_each_once() -> None:
    for fold in folds(feed_population(), 4, 40):
        keys = met(fold, "test", 10)
        assert len(set(keys.tolist())) == 10
        twice = met(fold, "test", 20, seed=1)
        assert sorted(twice.tolist()) == sorted(2 * keys.tolist())


def test_folds_depend_on_the_seed_and_are_populations_of_their_own() -> None:
    first, other = (folds(feed_population(), 3, 30, seed=seed) for seed in (0, 1))
    assert not set(met(first[0], "test", 10)) & set(met(other[0], "test", 10))
    again = folds(feed_population(), 3, 30)[0]
    np.testing.assert_array_equal(met(first[0], "test", 10), met(again, "test", 10))
    assert [fold.name for fold in first] == [f"Feed-fold-{i}-of-3" for i in (1, 2, 3)]
    population = feed_population()
    fold = folds(population, 3, 30)[2]
    for split in ("validation", "ood-taste"):
        assert fold.split(split).model is population.split(split).model


def test_policies_run_on_folds_and_the_models_are_sound() -> None:
    fold = folds(feed_population(), 2, 12)[0]
    check_user_model(fold.split("test").model, catalogue=fold.catalogue)
    got = evaluate(POLICIES["filter-ucb"], fold, users=6, batch=6)
    assert got.population == "Feed-fold-1-of-2"
    assert len(got.group_names) == 12


@pytest.mark.parametrize("k", [0, 1, 11])
def test_there_are_at_least_two_folds_and_no_more_than_users(k: int) -> None:
    with pytest.raises(ValueError, match=r"k must lie in \[2, 10\]"):
        folds(feed_population(), k, 10)
