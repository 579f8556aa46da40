"""Parameters make the world of their own population: users, catalogues, limits, other splits."""

import dataclasses

import gymnasium
import numpy as np
import pytest

from driftrec.envs import SPLITS, make_population, resolve_population
from driftrec.envs.published import SOURCES

SIX_CATEGORIES = {"clicks": ((0.5,),) * 6, "departures": ((0.1,),) * 6}

WORLDS = [
    ("recsim.InterestEvolution", {"documents": 2000}),
    ("recsim.InterestEvolution", {"topics": 10}),
    ("recsim_ng.InterestEvolution", {"documents": 40}),
    ("recogym.v1", {"products": 100}),
    ("recogym.v0", {"products": 20}),
    ("sardine.SlateTopK-Bored", {"items": 50, "slate": 5}),
    ("sardine.SlateTopK-Bored", {"seed": 7}),
    ("recgym.Preference", {"items": 30}),
    ("recgym.Preference", {"scaling": "unit"}),
    ("reclab.TopicsDynamic", {"items": 300, "topics": 7}),
    ("preference_dynamics.BiasedAssimilation", {"items": 40, "dimension": 3}),
    ("rebounding.Rebounding", {"arms": 8}),
    ("rebounding.Recovering", {"arms": 3}),
    ("kuaisim.WholeSession", {"quality_sd": 0.1}),
    ("attrition.SingleType", SIX_CATEGORIES),
]
"""Tasks, and parameters by which their catalogue is another one."""

AS_BEFORE = [
    ("recsim.LongTermSatisfaction", {"sensitivity": 0.3}),
    ("sardine.SlateTopK-Bored", {"patience": 3}),
    ("recgym.Preference", {"observed": False}),
]
"""Tasks, and parameters by which it stays what it is."""

LONGER = [("kuaisim.CrossSession", {"patience": 10.0})]


def factory(name):
    source, _, task = name.partition(".")
    return lambda **parameters: SOURCES[source].population(task, **parameters)


def makers(name, parameters):
    """The environment of one user, and that of three."""
    number = f"DriftRec/{name}-v0"
    yield gymnasium.make(number, parameters=parameters).unwrapped
    yield gymnasium.make_vec(
        number, num_envs=3, vectorization_mode="vector_entry_point", parameters=parameters
    ).unwrapped


def tables_of(population):
    return {split: population.split(split).catalogue.table for split in SPLITS}


@pytest.mark.parametrize(("name", "parameters"), [*WORLDS, *AS_BEFORE, *LONGER])
def test_an_environment_s_parameters_are_those_of_its_population(name, parameters):
    expected = factory(name)(**parameters)
    for env in makers(name, parameters):
        population = env.population
        assert (population.name, population.slate) == (expected.name, expected.slate)
        assert population.max_requests == expected.max_requests
        for split in SPLITS:
            one, other = population.split(split), expected.split(split)
            assert np.array_equal(one.catalogue.table, other.catalogue.table)
            assert np.array_equal(one.catalogue.table, one.model.default_catalogue().table)
            for field in dataclasses.fields(one.model):
                value = getattr(one.model, field.name)
                assert value == getattr(other.model, field.name)
                if field.name in parameters and field.name != "seed":
                    assert value == parameters[field.name]
        env.reset(seed=0)
        env.step(env.action_space.sample())


def test_longer_patience_makes_longer_trials():
    requests = [
        factory("kuaisim.CrossSession")(patience=patience).max_requests for patience in (5.0, 10.0)
    ]
    assert requests == [30, 60]


def test_unseen_items_have_another_seed_whatever_it_is():
    env, _ = makers("sardine.SlateTopK-Bored", {"seed": 7})
    seeds = [env.population.split(split).model.seed for split in ("train", "ood-items")]
    assert seeds[0] == 7
    assert seeds[1] != 7


@pytest.mark.parametrize(("name", "parameters"), WORLDS)
def test_a_population_that_is_made_keeps_its_catalogue(name, parameters):
    """What a name stands for has its catalogue already: only its function can make another."""
    for population in (name, make_population(name)):
        with pytest.raises(ValueError, match=f"must leave the catalogue as it is.*'{name}'"):
            resolve_population(population, parameters)


@pytest.mark.parametrize(("name", "parameters"), AS_BEFORE)
def test_parameters_that_leave_the_catalogue_reach_a_population_by_name(name, parameters):
    found, expected = resolve_population(name, parameters), factory(name)(**parameters)
    tables = tables_of(expected)
    for split, table in tables_of(found).items():
        assert np.array_equal(table, tables[split])
        one, other = found.split(split).model, expected.split(split).model
        for field in dataclasses.fields(one):
            assert getattr(one, field.name) == getattr(other, field.name)


@pytest.mark.parametrize("parameters", [{"itms": 5}, {"task": "SlateTopK-BoredInf"}])
def test_a_parameter_that_there_is_not_is_named(parameters):
    with pytest.raises(ValueError, match=r"Sardine has no parameter \['.*'\]; it has .*'items'"):
        gymnasium.make("DriftRec/sardine.SlateTopK-Bored-v0", parameters=parameters)
