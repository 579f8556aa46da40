"""The optimum by dynamic programming is that of plain recursion, and no policy beats it."""

from functools import cache

import numpy as np
import pytest

from driftrec.agents.pseudo_reward import pseudo_rewards, standard_error
from driftrec.agents.references import bernoulli_optimum, reference_policies
from driftrec.agents.references.optimum import keys_of, solve, state_counts
from driftrec.envs import bernoulli_population


@cache
def recursion(arms: tuple[tuple[int, int], ...], left: int) -> float:
    """The same by trying every arm in turn, with nothing said of symmetry."""
    if left == 0:
        return 0.0
    values = []
    for arm, (a, b) in enumerate(arms):
        won, lost = (
            recursion((*arms[:arm], after, *arms[arm + 1 :]), left - 1)
            for after in ((a + 1, b), (a, b + 1))
        )
        values.append((a * (1 + won) + b * lost) / (a + b))
    return max(values)


@pytest.mark.parametrize(
    ("arms", "pulls", "value"),
    [(5, 10, 6.660), (10, 10, 6.714), (50, 10, 6.714), (2, 100, 64.918)],
)
def test_published_optima(arms: int, pulls: int, value: float) -> None:
    assert bernoulli_optimum(arms, pulls) == pytest.approx(value, abs=6e-4)


@pytest.mark.parametrize(("arms", "pulls"), [(1, 4), (2, 9), (3, 6), (4, 4), (6, 3)])
def test_plain_recursion_gives_the_same(arms: int, pulls: int) -> None:
    exact = recursion(((1, 1),) * arms, pulls)
    assert bernoulli_optimum(arms, pulls) == pytest.approx(exact, abs=1e-12)


def test_small_cases_by_hand() -> None:
    assert bernoulli_optimum(1, 7) == pytest.approx(3.5)
    assert bernoulli_optimum(9, 1) == pytest.approx(0.5)
    # Stay after a success (2/3), switch after a failure (1/2).
    assert bernoulli_optimum(2, 2) == pytest.approx(1 / 2 + 1 / 3 + 1 / 4)


def test_more_arms_are_better_until_there_are_as_many_as_pulls() -> None:
    values = [bernoulli_optimum(arms, 6) for arms in range(1, 9)]
    assert all(np.diff(values[:6]) > 0)
    assert values[5] == values[6] == values[7]


def test_states_have_keys_of_their_own() -> None:
    for arms, pulls in ((4, 5), (2, 20), (6, 6)):
        layers = solve(arms, pulls)
        assert [len(layer.keys) for layer in layers] == state_counts(arms, pulls)[:-1]
        assert all((np.diff(layer.keys) > 0).all() for layer in layers)
    rows = np.array([[0, 0, 1, 4], [0, 1, 1, 4], [0, 0, 2, 4]])
    assert len(set(keys_of(rows, 5).tolist())) == 3


@pytest.mark.parametrize(("arms", "pulls", "users"), [(5, 10, 20_000), (2, 100, 4000)])
def test_the_optimal_policy_attains_the_optimum_and_none_exceeds_it(
    arms: int, pulls: int, users: int
) -> None:
    population = bernoulli_population(arms, pulls)
    exact = bernoulli_optimum(arms, pulls)
    found = {
        name: pseudo_rewards(make, population, users, 1)
        for name, make in reference_policies(population.model).items()
    }
    error = standard_error(found["optimum"])
    assert abs(found["optimum"].mean() - exact) < 3 * error
    for name, values in found.items():
        assert values.mean() < exact + 3 * standard_error(values), name
        # The same users with the same luck: differences have little noise.
        lost = found["optimum"] - values
        assert lost.mean() >= -3 * standard_error(lost), name


@pytest.mark.parametrize(("arms", "pulls"), [(20, 20), (5, 60), (3, 500), (0, 3), (3, 0)])
def test_what_cannot_be_solved_is_refused(arms: int, pulls: int) -> None:
    message = "too many states" if arms and pulls else "must be at least 1"
    with pytest.raises(ValueError, match=message):
        bernoulli_optimum(arms, pulls)
