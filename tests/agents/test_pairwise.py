from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_rel

from driftrec.agents.comparison import Comparison
from driftrec.agents.evaluation import Evaluation
from driftrec.agents.harness import evaluate
from driftrec.agents.improvement import improvement
from driftrec.agents.metrics import user_ctr
from driftrec.agents.pairwise import Pair, all_pairs
from driftrec.agents.registry import POLICIES
from driftrec.agents.significance import holm

USERS = 200


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
    value = improvement(one, other, np.ones((1, USERS)))[0]
    low, high = np.quantile(improvement(one, other, comparison.user_weights), [0.025, 0.975])
    assert (got.value, got.low, got.high) == pytest.approx((value, low, high), abs=1e-5)
    assert got.low > 0.5


def test_improvement_is_over_all_trainings(runs, pairs) -> None:
    values = [
        improvement(user_ctr(run), user_ctr(runs["greedy"][0]), np.ones((1, USERS)))[0]
        for run in runs["trained"]
    ]
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
