"""Methods by name: what ships, and what other packages plug in."""

from __future__ import annotations

import pickle
import sys
import types
from dataclasses import dataclass
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from driftrec.agents import MostPopular, evaluate
from driftrec.agents import methods as registry
from driftrec.agents.method import Method
from driftrec.agents.methods import GROUPS, all_methods, make_method, method_names
from driftrec.envs import RecommendationVectorEnv


def popular(env):
    return MostPopular(env.simulation.catalogue, env.simulation.slate)


@dataclass(frozen=True)
class Third(Method):
    name: str = "third"
    family: str = "plug-in"

    def policy(self, folder):
        return popular


def broken(env):
    raise RuntimeError


@pytest.fixture
def plug_in(monkeypatch):
    """Makes entry points of a package that holds this module's names."""
    module = types.ModuleType("driftrec_third_party")
    for thing in (popular, Third, broken):
        setattr(module, thing.__name__, thing)
    module.instance, module.number = Third("fourth"), 3
    monkeypatch.setitem(sys.modules, "driftrec_third_party", module)

    def install(**points):
        group = registry.ENTRY_POINTS
        made = [EntryPoint(name.replace("_", "-"), value, group) for name, value in points.items()]

        def entry_points(*, group, name=None):
            return [point for point in made if name in (None, point.name)]

        monkeypatch.setattr(registry, "entry_points", entry_points)

    return install


def test_every_name_makes_a_method_of_that_name_and_family():
    for family in GROUPS:
        names = method_names(family)
        assert names
        for name in names:
            method = make_method(name)
            assert (method.name, method.family) == (name, family)
            assert pickle.loads(pickle.dumps(method)) == method
    assert set(all_methods()) == set(method_names())


def test_no_name_is_in_two_families():
    names = [name for family in GROUPS for name in method_names(family)]
    assert len(set(names)) == len(names)


def test_unknown_names_are_told_the_known_ones():
    with pytest.raises(ValueError, match=r"method must be one of random, most-popular.*'popular'"):
        make_method("popular")
    with pytest.raises(ValueError, match=r"family must be one of reference, bandit.*'bandits'"):
        method_names("bandits")


def test_a_factory_of_another_package_is_a_method(plug_in):
    plug_in(theirs="driftrec_third_party:popular")
    method = make_method("theirs")
    assert (method.name, method.family, method.trains) == ("theirs", "plug-in", False)
    assert method_names("plug-in") == ["theirs"]
    assert method_names()[-1] == "theirs"
    factory = pickle.loads(pickle.dumps(method.policy(None)))
    env = RecommendationVectorEnv("Feed", 2)
    assert isinstance(factory(env), MostPopular)
    runs = [evaluate(make, "Feed", users=5) for make in (factory, popular)]
    np.testing.assert_array_equal(runs[0].items, runs[1].items)


def test_a_method_of_another_package_may_be_a_class_or_an_instance(plug_in):
    plug_in(third="driftrec_third_party:Third", fourth="driftrec_third_party:instance")
    assert make_method("third") == Third()
    assert make_method("fourth") == Third("fourth")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("driftrec_third_party:missing", "'driftrec_third_party:missing' raised AttributeError"),
        ("driftrec_nowhere:popular", "raised ModuleNotFoundError: No module named"),
        ("driftrec_third_party:number", "must name a Method or a function.*got int"),
        ("driftrec_third_party:Third", "must name a method of that name, got 'third'"),
    ],
)
def test_a_plug_in_that_is_none_says_so(plug_in, value, message):
    plug_in(theirs=value)
    with pytest.raises(ValueError, match=f"the plug-in 'theirs'.*{message}|{message}"):
        make_method("theirs")


@pytest.mark.parametrize("name", ["linucb", "theirs"])
def test_a_name_must_stand_for_one_thing(plug_in, monkeypatch, name):
    value = "driftrec_third_party:popular"
    made = [EntryPoint(name, value, registry.ENTRY_POINTS)] * (1 if name == "linucb" else 2)
    monkeypatch.setattr(registry, "entry_points", lambda **_: made)
    with pytest.raises(ValueError, match=f"the method '{name}' must stand for one thing.*{value}"):
        make_method(name)


@pytest.fixture
def without_torch(monkeypatch):
    """One group's module cannot be imported, for want of a library."""
    monkeypatch.setitem(GROUPS, "meta", "driftrec_lacking:METHODS")

    def import_module(name):
        if name == "driftrec_lacking":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return importing(name)

    importing = registry.import_module
    monkeypatch.setattr(registry, "import_module", import_module)


def test_an_extra_that_is_missing_is_named_and_breaks_nothing_else(without_torch):
    assert make_method("linucb").name == "linucb"
    assert "rl2" not in method_names()
    assert "rl2" not in all_methods()
    message = r"meta methods need the extra 'learn', since torch .*pip install 'driftrec\[learn\]'"
    with pytest.raises(ImportError, match=f"no method 'rl2' among.*{message}"):
        make_method("rl2")
    with pytest.raises(ImportError, match=message):
        method_names("meta")


def test_a_module_of_our_own_that_is_missing_is_no_matter_of_extras(monkeypatch):
    monkeypatch.setitem(GROUPS, "meta", "driftrec.meta.nowhere:METHODS")
    with pytest.raises(ModuleNotFoundError, match=r"driftrec\.meta\.nowhere"):
        method_names("meta")
