"""Worth is what the model says of the items that were shown, whatever was drawn."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from driftrec.agents import Clairvoyant, RandomPolicy
from driftrec.agents.pseudo_reward import pseudo_rewards, standard_error, worth
from driftrec.envs import RecommendationVectorEnv, bernoulli_population


class Always:
    """Shows the same items to everyone."""

    def __init__(self, items: list[int]) -> None:
        self._items = np.array(items)

    def start(self, users: int) -> np.ndarray:
        return np.zeros(users)

    def act(self, observation: Any, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.tile(self._items, (len(state), 1)), state


class Best:
    """Shows the items of highest probability, again and again."""

    def __init__(self, env: RecommendationVectorEnv) -> None:
        self._chance = env.simulation.click_probability()

    def start(self, users: int) -> np.ndarray:
        return np.zeros(users)

    def act(self, observation: Any, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.argsort(-self._chance, axis=1)[:, :2], state


def probabilities(users: int, seed: int) -> np.ndarray:
    env = RecommendationVectorEnv(bernoulli_population(4, 6), users, split="test")
    env.reset(seed=seed)
    return env.simulation.click_probability()


@pytest.mark.parametrize("arm", [0, 3])
def test_one_arm_is_worth_its_probability_at_every_pull(arm: int) -> None:
    chance = probabilities(50, seed=7).astype(float)
    found = worth(lambda env: Always([arm]), bernoulli_population(4, 6), 50, 7)
    np.testing.assert_allclose(found.shown, np.tile(chance[:, [arm]], 6))
    np.testing.assert_allclose(found.pseudo_reward, 6 * chance[:, arm])
    lost = chance.max(1) - chance[:, arm]
    np.testing.assert_allclose(found.cumulative_regret, lost[:, None] * np.arange(1, 7))
    same = pseudo_rewards(lambda env: Always([arm]), bernoulli_population(4, 6), 50, 7)
    np.testing.assert_array_equal(same, found.pseudo_reward)


def test_the_best_slate_leaves_no_regret_and_another_does() -> None:
    population = replace(bernoulli_population(4, 6), slate=2)
    assert (worth(Best, population, 30, 0).cumulative_regret == 0).all()
    other = worth(lambda env: Always([0, 1]), population, 30, 0)
    best = np.sort(probabilities(30, seed=0), axis=1)[:, -2:].sum(1)
    np.testing.assert_allclose(other.best[:, 0], best, rtol=1e-6)
    assert (other.cumulative_regret[:, -1] > 0).mean() > 0.5


def test_nothing_is_earned_or_lost_after_the_end_of_a_trial() -> None:
    found = worth(lambda env: Clairvoyant(env.simulation), "Feed", 60, 1)
    alive = found.best > 0
    assert 0 < alive[:, -1].mean() < 1
    assert (alive[:, 1:] <= alive[:, :-1]).all()
    assert (found.shown[~alive] == 0).all()


def test_the_users_follow_from_the_seed_alone() -> None:
    population = bernoulli_population(4, 6)

    def random(env: RecommendationVectorEnv) -> RandomPolicy:
        return RandomPolicy(env.simulation.catalogue)

    one, two = worth(random, population, 20, 3), worth(lambda env: Always([1]), population, 20, 3)
    np.testing.assert_array_equal(one.best, two.best)
    assert not np.array_equal(one.best, worth(random, population, 20, 4).best)
    validation = worth(random, population, 20, 3, split="validation")
    assert not np.array_equal(one.best, validation.best)


def test_the_standard_error_is_that_of_a_mean() -> None:
    assert standard_error(np.array([1.0, 3.0])) == pytest.approx(1.0)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="seed must be 0 or above, got -1"):
        worth(lambda env: Always([0]), bernoulli_population(), 2, -1)
