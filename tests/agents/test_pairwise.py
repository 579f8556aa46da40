from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, ttest_rel

from driftrec.agents.comparison import Comparison
from driftrec.agents.evaluation import Evaluation
from driftrec.agents.harness import evaluate
from driftrec.agents.metrics import user_ctr
from driftrec.agents.pairwise import Pair, all_pairs, wins
from driftrec.agents.registry import POLICIES
from driftrec.agents.significance import holm
from driftrec.agents.statistics import weighted_mean

USERS = 200
SCORES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def runs() -> dict[str, list[Evaluation]]:
    names = ("random", "most-popular", "filter-greedy")
    met = {
        name: evaluate(POLICIES[name], "Feed", name=name, users=USERS, batch=USERS)
        for name in names
    }
    greedy = met["filter-greedy"]
    worse = replace(greedy, feedback=greedy.feedback * (np.arange(120) % 4 > 0))
    return {
        "random": [met["random"]],
        "trained": [greedy, worse, met["most-popular"]],
        "greedy": [greedy],
        "popular": [met["most-popular"]],
    }


@pytest.fixture(scope="module")
def comparison(runs: dict[str, list[Evaluation]]) -> Comparison:
    return Comparison(runs, draws=400)


@pytest.fixture(scope="module")
def pairs(comparison: Comparison) -> dict[tuple[str, str], Pair]:
    return {(pair.a, pair.b): pair for pair in all_pairs(comparison)}


@given(SCORES)
def test_wins_are_the_statistic_of_mann_and_whitney(scores: list[tuple[int, int]]) -> None:
    one, other = np.array(scores, float).T
    expected = mannwhitneyu(one, other, method="asymptotic").statistic / len(scores) ** 2
    assert wins(one[:, None], other).mean() == pytest.approx(expected)
    np.testing.assert_array_equal(wins(one, other) + wins(other, one), 1)


def test_ties_count_half() -> None:
    np.testing.assert_array_equal(
        wins(np.array([1.0, 2, 3, 4]), np.array([1.0, 1, 1, 9])), [0.5, 1, 1, 0]
    )


def test_each_pair_comes_once_and_the_earlier_policy_first(pairs) -> None:
    order = ["random", "trained", "greedy", "popular"]
    assert list(pairs) == [(a, b) for i, a in enumerate(order) for b in order[i + 1 :]]


def test_differences_are_those_of_the_comparison(comparison: Comparison, pairs) -> None:
    for (a, b), pair in pairs.items():
        expected = comparison.difference(a, b)
        for bound in ("value", "low", "high"):
            assert getattr(pair.difference, bound) == pytest.approx(getattr(expected, bound))


def test_improvement_is_that_of_users(comparison: Comparison, runs, pairs) -> None:
    one, other = (user_ctr(runs[name][0]) for name in ("greedy", "popular"))
    got = pairs["greedy", "popular"].improvement
    won = (one > other) + 0.5 * (one == other)
    low, high = np.quantile(weighted_mean(won, comparison.user_weights), [0.025, 0.975])
    assert (got.value, got.low, got.high) == pytest.approx((won.mean(), low, high), abs=1e-5)
    assert got.low > 0.5


def test_improvement_is_over_all_trainings(runs, pairs) -> None:
    values = [wins(user_ctr(run), user_ctr(runs["greedy"][0])).mean() for run in runs["trained"]]
    assert values[0] == 0.5
    got = pairs["trained", "greedy"].improvement
    assert got.value == pytest.approx(np.mean(values), abs=1e-6)
    # Two of three trainings are drawn: the best twice, or the worst twice.
    assert got.low < min(values) + 0.05
    assert got.high == pytest.approx(0.5, abs=0.01)


def test_p_values_are_of_the_paired_test_and_adjusted_together(runs, pairs) -> None:
    one, other = (user_ctr(runs[name][0]) for name in ("greedy", "popular"))
    assert pairs["greedy", "popular"].p == pytest.approx(ttest_rel(one, other).pvalue, rel=1e-3)
    every = np.array([pair.p for pair in pairs.values()])
    np.testing.assert_allclose([pair.adjusted for pair in pairs.values()], holm(every))
    # Three trainings that differ say little of the method, however many the users are.
    assert pairs["random", "greedy"].p < 1e-6
    assert pairs["trained", "greedy"].p > 0.05


def test_the_order_of_policies_only_turns_signs(runs, pairs) -> None:
    back = all_pairs(Comparison(dict(reversed(runs.items())), draws=400))
    for pair in back:
        there = pairs[pair.b, pair.a]
        assert pair.difference.value == pytest.approx(-there.difference.value)
        assert pair.difference.low == pytest.approx(-there.difference.high)
        assert pair.improvement.value == pytest.approx(1 - there.improvement.value, abs=1e-6)
        assert pair.improvement.low == pytest.approx(1 - there.improvement.high, abs=1e-5)
        assert pair.p == pytest.approx(there.p)


def test_one_policy_makes_no_pairs(runs) -> None:
    assert all_pairs(Comparison({"greedy": runs["greedy"]}, draws=5)) == []
