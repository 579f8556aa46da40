from dataclasses import replace

import numpy as np
import pytest

from driftrec.agents.evaluation import Evaluation
from driftrec.agents.harness import evaluate
from driftrec.agents.recovery import recovery, recovery_metrics
from driftrec.agents.registry import POLICIES

USERS = 1000
ONE = np.ones((1, USERS), np.float32)


@pytest.fixture(scope="module")
def any_one() -> Evaluation:
    return evaluate(POLICIES["random"], "Feed", users=1)


def followed(curve: np.ndarray, any_one: Evaluation) -> Evaluation:
    """Users of whom a known share clicks at each request."""
    clicks = (np.arange(USERS)[:, None] + 0.5) / USERS < curve
    return replace(any_one, feedback=clicks.astype(np.float32), active=np.ones(clicks.shape, bool))


def test_it_counts_the_requests_until_nine_tenths_are_back(any_one: Evaluation) -> None:
    after = np.minimum(0.2 + 0.02 * np.arange(40), 0.6)
    evaluation = followed(np.concatenate([np.full(30, 0.5), after]), any_one)
    # .2 + .02 (r - 1) = .9 * .5 at r = 13.5; a mean over a straight line leaves it as it is.
    assert recovery(evaluation, ONE, jump=30) == 14
    assert recovery(evaluation, ONE, jump=30, share=0.6) == 6
    assert recovery_metrics(30)["recovery"].measure(evaluation, ONE) == 14


def test_what_was_before_does_not_count_as_recovered(any_one: Evaluation) -> None:
    evaluation = followed(np.concatenate([np.full(30, 0.9), np.full(10, 0.1)]), any_one)
    assert recovery(evaluation, ONE, jump=30) == 11


def test_who_never_fell_has_recovered_at_once(any_one: Evaluation) -> None:
    evaluation = followed(np.full(40, 0.5), any_one)
    assert recovery(evaluation, ONE, jump=30) == 1


def test_it_is_not_known_where_nobody_was_left(any_one: Evaluation) -> None:
    active = np.ones((USERS, 40), bool)
    active[:, 25:] = False
    evaluation = replace(any_one, feedback=active.astype(np.float32), active=active)
    assert np.isnan(recovery(evaluation, ONE, jump=30)).all()
    for jump in (0, 40):
        with pytest.raises(ValueError, match="jump must lie in"):
            recovery(evaluation, ONE, jump=jump)
