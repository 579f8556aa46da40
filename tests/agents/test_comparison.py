from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from driftrec.agents.comparison import Comparison
from driftrec.agents.evaluation import Evaluation
from driftrec.agents.harness import evaluate
from driftrec.agents.metrics import Metric, adaptation_curve, ctr_first
from driftrec.agents.registry import POLICIES

USERS = 300


@pytest.fixture(scope="module")
def popular() -> Evaluation:
    return evaluate(POLICIES["most-popular"], "Feed", users=USERS)


def shifted(evaluation: Evaluation, mean: float, spread: float = 0.0, seed: int = 0) -> Evaluation:
    """The same trials with a known amount added to each user's CTR."""
    extra = mean + spread * np.random.default_rng(seed).standard_normal((evaluation.users, 1))
    return replace(evaluation, feedback=evaluation.feedback + extra * evaluation.active)


def test_the_estimate_is_that_of_all_users(popular: Evaluation) -> None:
    interval = Comparison({"a": popular}).estimate("a", "ctr")
    ctr = popular.feedback.sum(1) / popular.active.sum(1)
    assert interval.value == pytest.approx(ctr.mean(), rel=1e-5)
    assert (interval.high - interval.low) / 2 == pytest.approx(
        1.96 * ctr.std() / USERS**0.5, rel=0.1
    )


def test_a_constant_advantage_is_known_exactly_when_paired(popular: Evaluation) -> None:
    comparison = Comparison({"a": shifted(popular, 0.1), "b": popular})
    difference = comparison.difference("a", "b")
    for number in (difference.value, difference.low, difference.high):
        assert number == pytest.approx(0.1, abs=1e-5)
    back = comparison.difference("b", "a")
    assert (back.low, back.high) == pytest.approx((-difference.high, -difference.low))


def test_score_is_zero_at_the_baseline_and_one_at_the_reference(popular: Evaluation) -> None:
    comparison = Comparison(
        {
            "low": popular,
            "half": shifted(popular, 0.1),
            "high": shifted(popular, 0.2),
            "worse": shifted(popular, -0.2),
        },
        baseline="low",
        reference="high",
    )
    for policy, score in {"low": 0.0, "half": 0.5, "high": 1.0, "worse": -1.0}.items():
        got = comparison.score(policy)
        assert (got.value, got.low, got.high) == pytest.approx((score,) * 3, abs=1e-4)


def test_score_has_no_interval_where_there_is_no_room(popular: Evaluation) -> None:
    evaluations = {"low": popular, "high": shifted(popular, 0.0, 0.3), "a": shifted(popular, 0.1)}
    comparison = Comparison(evaluations, baseline="low", reference="high")
    room = comparison.difference("high", "low")
    assert room.low < 0 < room.high
    assert np.isnan(comparison.score("a").low)
    assert np.isfinite(comparison.score("a").value)


def test_score_needs_baseline_and_reference(popular: Evaluation) -> None:
    assert np.isnan(Comparison({"most-popular": popular}).score("most-popular").value)


def test_the_same_users_met_by_three_seeds_are_no_more_users(popular: Evaluation) -> None:
    comparison = Comparison({"one": popular, "three": [popular] * 3})
    one, three = (comparison.estimate(policy) for policy in ("one", "three"))
    assert (one.value, one.low, one.high) == pytest.approx(
        (three.value, three.low, three.high), abs=1e-6
    )


def test_training_seeds_that_differ_widen_the_interval(popular: Evaluation) -> None:
    seeds = [shifted(popular, amount) for amount in (-0.1, 0.0, 0.1)]
    interval = Comparison({"a": seeds, "b": popular}).difference("a", "b")
    assert interval.value == pytest.approx(0, abs=1e-5)
    # Two of the three are drawn: the extreme draws take the worst, or the best, both times.
    assert (interval.low, interval.high) == pytest.approx((-0.1, 0.1), abs=1e-5)


def test_curves_have_intervals_point_by_point(popular: Evaluation) -> None:
    curve = Comparison({"a": popular}).estimate("a", adaptation_curve)
    np.testing.assert_allclose(curve.value[0], popular.feedback[:, 0].mean(), rtol=1e-5)
    assert curve.low.shape == curve.high.shape == (120,)
    assert (curve.low <= curve.value).all()
    assert (curve.value <= curve.high).all()


def test_the_bootstrap_follows_from_its_seed(popular: Evaluation) -> None:
    one, again, other = (Comparison({"a": popular}, seed=seed).estimate("a") for seed in (0, 0, 1))
    assert one == again
    assert one != other


def test_comparisons_can_share_the_draws_of_training_seeds(popular: Evaluation) -> None:
    seeds = [shifted(popular, amount) for amount in (-0.1, 0.0, 0.1)]
    one, other, third = (
        Comparison({"a": seeds}, seed=seed, trainings=trainings)
        for seed, trainings in ((1, 5), ([2, 3], 5), (1, 6))
    )
    np.testing.assert_array_equal(one.seed_shares["a"], other.seed_shares["a"])
    assert not np.array_equal(one.user_weights, other.user_weights)
    np.testing.assert_array_equal(one.user_weights, third.user_weights)
    assert not np.array_equal(one.seed_shares["a"], third.seed_shares["a"])
    # Left out, both follow from the one seed.
    alone = Comparison({"a": seeds}, seed=5)
    np.testing.assert_array_equal(one.seed_shares["a"], alone.seed_shares["a"])


def test_what_can_be_measured_is_given_by_name(popular: Evaluation) -> None:
    metrics = {"first": Metric("CTR of the first", partial(ctr_first, requests=1))}
    comparison = Comparison({"a": popular}, metrics=metrics)
    assert comparison.estimate("a", "first").value == pytest.approx(popular.feedback[:, 0].mean())
    with pytest.raises(ValueError, match=r"one of \['first'\]"):
        comparison.estimate("a", "sessions")


def test_scores_of_a_curve_are_told_point_by_point(popular: Evaluation) -> None:
    # Only from the tenth request on is the reference better.
    better = np.where(np.arange(popular.requests) < 10, 0, 0.2) * popular.active
    high = replace(popular, feedback=popular.feedback + better)
    comparison = Comparison({"low": popular, "high": high}, baseline="low", reference="high")
    score = comparison.score("high", adaptation_curve)
    assert np.isnan(score.low[:10]).all()
    np.testing.assert_allclose(score.low[10:], 1)


def test_comparing_different_users_is_an_error(popular: Evaluation) -> None:
    other = replace(popular, seed=(1,))
    with pytest.raises(ValueError, match="on the same users"):
        Comparison({"a": popular, "b": other})
    with pytest.raises(ValueError, match="at least one evaluation"):
        Comparison({"a": popular, "b": []})


def test_unknown_names_are_errors(popular: Evaluation) -> None:
    comparison = Comparison({"a": popular})
    with pytest.raises(ValueError, match="policy must be one of"):
        comparison.estimate("b")
    with pytest.raises(ValueError, match="metric must be one of"):
        comparison.estimate("a", "happiness")
    with pytest.raises(ValueError, match="level in"):
        Comparison({"a": popular}, level=95)
