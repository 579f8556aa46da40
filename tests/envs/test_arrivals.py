"""Items that arrive within a trial: what is offered is there and new to the user."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftrec.agents import evaluate, make_policy
from driftrec.agents.planning import PlanningOracle
from driftrec.envs import RecommendationVectorEnv, make_population
from driftrec.envs.candidates import Arrivals
from driftrec.envs.storage import load_population, save_population


def arriving(**changes):
    options = {"max_requests": 20, "candidates": 30, "arrivals": 400, "repeats": True} | changes
    return replace(make_population("Feed"), **options)


class Standing:
    def __init__(self, request):
        self.request = np.asarray(request)


@given(
    first=st.integers(5, 30),
    arrivals=st.integers(1, 40),
    requests=st.integers(1, 30),
    seed=st.integers(0, 99),
)
def test_what_is_offered_is_there_distinct_and_unseen_while_it_can_be(
    first, arrivals, requests, seed
):
    items, count = first + arrivals, 5
    rng = np.random.default_rng(seed)
    shown = (rng.random((8, items)) < 0.5).astype(np.uint8)
    request = rng.integers(requests, size=8)
    offers = Arrivals(rng, items, count, arrivals, requests)
    there = offers.there(request)
    offered = offers.draw(Standing(request), shown)
    assert (there >= first).all()
    assert (there < items).all() or requests == 1
    for row in range(8):
        assert len(set(offered[row])) == count
        assert offered[row].max() < there[row]
        unseen = (shown[row, : there[row]] == 0).sum()
        assert (shown[row, offered[row]] == 0).sum() == min(count, unseen)


def test_each_item_that_is_there_is_as_likely_as_the_others():
    offers = Arrivals(np.random.default_rng(0), 10, 3, 4, 8)
    standing = Standing(np.full(30_000, 4))
    times = np.bincount(
        offers.draw(standing, np.zeros((30_000, 10), np.uint8)).ravel(), minlength=10
    )
    # Eight are there by half of the trial; binomial with mean 11,250 and standard deviation 84.
    assert (times[8:] == 0).all()
    assert np.abs(times[:8] - 11_250).max() < 420


def test_a_new_user_finds_what_there_is_at_the_start():
    env = RecommendationVectorEnv(arriving(), 40, by_number=True)
    observation, _ = env.reset(seed=0)
    rng, renewed = np.random.default_rng(1), 0
    for _ in range(60):
        assert (np.take_along_axis(env.simulation.shown, observation["offered"], 1) == 0).all()
        new = observation["new_user"][:, 0] > 0
        renewed += int(new.sum())
        assert observation["offered"][new].max(initial=0) < 100
        place = rng.integers(30, size=(40, 1))
        observation, *_ = env.step(np.take_along_axis(observation["offered"], place, 1))
    assert renewed > 80


def test_torch_is_offered_the_same():
    torch = pytest.importorskip("torch")
    envs = [
        RecommendationVectorEnv(arriving(), 6, by_number=True, array_library=library)
        for library in ("numpy", "torch")
    ]
    one, two = (env.reset(seed=5)[0] for env in envs)
    for _ in range(30):
        assert torch.equal(torch.as_tensor(one["offered"]), two["offered"])
        one = envs[0].step(one["offered"][:, :1])[0]
        two = envs[1].step(two["offered"][:, :1])[0]


def test_policies_meet_arriving_items_and_new_ones_are_shown():
    found = evaluate(lambda env: make_policy("linucb", env), arriving(), users=100, batch=50)
    assert (found.items[:, 0] < 100).all()
    assert (found.items[:, 15:] >= 100).mean() > 0.5
    for row in range(100):
        shown = found.items[row][found.active[row]].ravel()
        assert len(set(shown)) == len(shown)


@pytest.mark.parametrize("changes", [{"arrivals": 480}, {"candidates": 0}, {"arrivals": -1}])
def test_impossible_arrivals_are_refused(changes):
    with pytest.raises(ValueError, match="arrivals must be 0, or leave"):
        arriving(**changes)


def test_planning_says_that_it_cannot_foresee_arrivals():
    env = RecommendationVectorEnv(arriving(), 2)
    with pytest.raises(ValueError, match="does not foresee"):
        PlanningOracle(env.simulation)


def test_a_population_with_arrivals_is_saved(tmp_path):
    save_population(arriving(), tmp_path / "new")
    assert load_population(tmp_path / "new").arrivals == 400
