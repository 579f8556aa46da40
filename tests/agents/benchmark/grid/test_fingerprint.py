"""A fingerprint says what a thing holds: no more, no less, and everywhere the same."""

import os
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftrec.agents.benchmark.fingerprint import fingerprint, population_fingerprint
from driftrec.envs import default_personas, make_population
from driftrec.envs.populations import population_names

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def told(value):
    """Values apart as fingerprints are: 1, 1.0 and True are three, and so are 0.0 and -0.0."""
    if isinstance(value, dict):
        return {key: told(held) for key, held in value.items()}
    return [told(held) for held in value] if isinstance(value, list) else repr(value)


@given(PLAIN, PLAIN)
def test_two_values_share_a_fingerprint_if_and_only_if_they_are_equal(one, other):
    assert (fingerprint(one) == fingerprint(other)) == (told(one) == told(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        ((1, (2, 3)), (1, 2, 3)),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
        (np.zeros(2, np.float32), np.zeros(2, np.float64)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros(3), [0.0, 0.0, 0.0]),
        (np.array(["a", 1], object), np.array(["a", 2], object)),
        (partial(max, 1), partial(max, 2)),
        (partial(max, 1), partial(min, 1)),
        (dict, list),
        (np.random.default_rng(1), np.random.default_rng(2)),
        (lambda: 1, lambda: 2),
        ("a".upper, "b".upper),
        (Path("a"), "a"),
    ],
)
def test_what_differs_has_another_fingerprint(one, other):
    assert fingerprint(one) != fingerprint(other)


def adding(number):
    return lambda other: number + other


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"x", "y", "z"}, {"z", "y", "x"}),
        (np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3))),
        (np.arange(10)[::2], np.array([0, 2, 4, 6, 8])),
        (np.random.default_rng(1), np.random.default_rng(1)),
        (adding(2), adding(2)),
    ],
)
def test_what_is_equal_shares_a_fingerprint(one, other):
    assert fingerprint(one) == fingerprint(other)


def test_what_a_local_function_holds_counts():
    assert fingerprint(adding(2)) != fingerprint(adding(3))


class Plain:
    """No dataclass: what pickle would keep of it counts."""

    def __init__(self, number):
        self.number = number

    @cached_property
    def square(self):
        return self.number**2


@dataclass(frozen=True)
class Held:
    plain: Plain


def test_objects_of_other_classes_are_told_by_their_members_but_not_by_what_is_cached():
    used = Held(Plain(3))
    assert used.plain.square == 9
    assert fingerprint(used) == fingerprint(Held(Plain(3)))
    assert fingerprint(used) != fingerprint(Held(Plain(4)))


def test_what_cannot_be_told_is_refused():
    with pytest.raises(ValueError, match="a lock cannot be told by its content"):
        fingerprint({"lock": threading.Lock()})
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="must not hold itself"):
        fingerprint(endless)


def test_a_population_made_twice_has_one_fingerprint_used_or_not(grid_methods):
    one, other = grid_methods.population(), grid_methods.population()
    one.model.sample(3, np.random.default_rng(0))  # Which makes much that is kept.
    assert one.catalogue.table is not None
    assert population_fingerprint(one) == population_fingerprint(other)
    assert population_fingerprint(replace(one, card="More of it.")) == population_fingerprint(one)


def test_anything_that_changes_in_a_population_changes_its_fingerprint(grid_methods):
    first = grid_methods.population()
    personas = default_personas(3, 4).copy()
    personas[2, 3] = np.nextafter(personas[2, 3], np.float32(9))
    quality = first.catalogue.quality.copy()
    quality[0] += 1e-6
    changed = [
        first.replace_parameters(taste_sd=np.nextafter(0.7, 1)),
        first.replace_parameters(personas=personas),
        replace(first, catalogue=replace(first.catalogue, quality=quality)),
        replace(first, catalogue=replace(first.catalogue, topic_names=("a", "b", "c"))),
        replace(first, name="Other"),
        replace(first, slate=2),
        replace(first, max_days=9.0),
        replace(first, repeats=True),
        replace(first, variants={"test": (first.model, first.catalogue)}),
    ]
    assert len({population_fingerprint(one) for one in [first, *changed]}) == 1 + len(changed)


NAMES = sorted(set(population_names()) - {"RecSimNG"})

SCRIPT = """
from driftrec.agents.benchmark.fingerprint import fingerprint, population_fingerprint
from driftrec.envs import make_population
import sys
for name in sys.argv[1:]:
    print(population_fingerprint(make_population(name)))
print(fingerprint({"a", "b", "c"}, {"x": 1, "y": print}))
"""


def test_every_population_of_the_package_has_its_own_fingerprint_in_every_process():
    here = [population_fingerprint(make_population(name)) for name in NAMES]
    assert len(set(here)) == len(NAMES)
    here.append(fingerprint({"a", "b", "c"}, {"x": 1, "y": print}))
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, *NAMES], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONHASHSEED": "77"},
    )  # fmt: skip
    assert ended.stdout.split() == here
