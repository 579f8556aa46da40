"""Suites: made again they are the same, and only users of the test split are met."""

import pickle
from dataclasses import fields, replace

import numpy as np
import pytest

from driftrec.agents.benchmark import suites
from driftrec.agents.benchmark.fingerprint import fingerprint, population_fingerprint
from driftrec.agents.benchmark.scenarios import (
    ARRIVALS,
    early_feed,
    fast_feed,
    growing_feed,
    jumping_feed,
    still_feed,
)
from driftrec.agents.benchmark.suites import SUITES, make_suite
from driftrec.agents.methods import method_names
from driftrec.envs import Simulation

PINNED = {
    "cold-start-v1": "bf2a8256f761fb3a",
    "dynamic-v1": "8f401ea250e3d2aa",
    "cross-domain-v1": "c1ac4496ef3dbeee",
    "retention-v1": "ecee0642d37dd383",
    "published-v1": "f67135e8ba46beb6",
}

SIZES = ("smoke", "standard", "full")


def scenarios(size):
    return [scenario for suite in SUITES.values() for scenario in suite.make(size)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SUITES)
def test_scenarios_have_names_of_their_own_and_methods_that_exist(name, size):
    made = make_suite(name).make(size)
    assert len({scenario.name for scenario in made}) == len(made)
    known = set(method_names())
    for scenario in made:
        assert set(scenario.methods) <= known
        assert len(set(scenario.methods)) == len(scenario.methods)
        assert scenario.baseline in scenario.methods
        assert scenario.reference in scenario.methods
        assert scenario.question.endswith("?") or scenario.question.endswith(".")


@pytest.mark.parametrize("size", SIZES)
def test_only_users_of_the_test_split_are_met(size):
    assert {scenario.split for scenario in scenarios(size)} == {"test"}


def test_a_suite_made_twice_is_the_same():
    for size in SIZES:
        for one, two in zip(scenarios(size), scenarios(size), strict=True):
            for part in ("population", "trained_on"):
                first, second = getattr(one, part), getattr(two, part)
                assert population_fingerprint(first) == population_fingerprint(second)
            plain = {"population": None, "trained_on": None}
            assert vars(replace(one, **plain)) == vars(replace(two, **plain))


def test_scenarios_travel_to_other_processes():
    for scenario in scenarios("smoke"):
        copy = pickle.loads(pickle.dumps(scenario))
        fingerprint = population_fingerprint(copy.population)
        assert fingerprint == population_fingerprint(scenario.population)


def test_smoke_is_a_part_of_standard_with_fewer_users():
    for suite in SUITES.values():
        standard = {scenario.name: scenario for scenario in suite.make("standard")}
        for scenario in suite.make("smoke"):
            assert scenario.users < standard[scenario.name].users
            assert set(scenario.methods) <= set(suites.SMOKE)


def test_new_items_were_in_no_training():
    early, growing = early_feed().catalogue, growing_feed().catalogue
    known = len(growing) - ARRIVALS
    assert len(early) == known
    np.testing.assert_array_equal(early.table, growing.table[:known])


def test_still_users_stay_as_they_are_and_fast_ones_do_not():
    change = {}
    for population in (still_feed(), fast_feed()):
        simulation = Simulation(population.split("test"), 200, max_requests=120)
        simulation.reset(0)
        before = simulation.state.core.copy()
        for request in range(119):
            simulation.step(np.full((200, 1), request))
        there = ~simulation.trials.churned
        moved = simulation.state.core[there] - before[there]
        change[population.name] = np.square(moved).mean() / np.square(before).mean()
    assert change["Feed-Still"] < 1e-9
    assert change["Feed-Fast"] > 0.3


def test_everybody_jumps_in_the_middle_of_the_trial():
    population = jumping_feed()
    assert population.model.request == population.max_requests // 2


def content(name: str) -> str:
    """Hash of everything that a suite's name stands for, in all sizes."""
    asked = [scenario for size in SIZES for scenario in make_suite(name).make(size)]
    populations = ("population", "trained_on")
    return fingerprint(
        [
            population_fingerprint(value) if part in populations else value
            for scenario in asked
            for part, value in (
                (item.name, getattr(scenario, item.name)) for item in fields(scenario)
            )
        ]
    )


def test_what_a_name_stands_for_does_not_change() -> None:
    """A change of a suite is a new version: leave these as they are, and add another name."""
    assert {name: content(name)[:16] for name in SUITES} == PINNED


def test_an_unknown_suite_is_refused():
    with pytest.raises(ValueError, match="suite must be one of cold-start-v1"):
        make_suite("cold-start-v0")
