"""A population comes back from its files as it was, or an error says what is wrong."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from driftrec.envs import (
    SPLITS,
    DriftingUser,
    Population,
    StorageError,
    UserModel,
    load_population,
    make_population,
    save_population,
)
from driftrec.envs.feedback import IndependentClicks


class Indifferent(UserModel):
    """Clicks half the time; cannot be saved."""

    def sample(self, users, rng):
        return rng.random((users, 1))

    def respond(self, state, slate):
        return IndependentClicks(slate.quality * 0 + 0.5)


@pytest.fixture
def population():
    feed = make_population("Feed")
    model = replace(feed.model, session_requests=float("inf"), choice="multinomial")
    variants = {**feed.variants, "test": (replace(model, level_sd=0.1), feed.catalogue)}
    titles = tuple(f"film {k}" for k in range(len(feed.catalogue)))
    catalogue = replace(feed.catalogue, titles=titles)
    return Population(
        "Kept", model, catalogue, variants, slate=3, max_requests=77, repeats=True, card="a\n\nb"
    )


@pytest.fixture
def saved(population, tmp_path):
    return save_population(population, tmp_path / "kept")


def same_model(one, other):
    for item in fields(DriftingUser):
        assert np.array_equal(getattr(one, item.name), getattr(other, item.name)), item.name


def test_what_was_saved_is_what_is_loaded(population, saved):
    again = load_population(saved[0].with_suffix(""))
    for name in ("name", "slate", "max_requests", "max_days", "repeats", "card"):
        assert getattr(again, name) == getattr(population, name)
    assert list(again.variants) == list(population.variants)
    for split in SPLITS:
        before, after = population.split(split), again.split(split)
        same_model(before.model, after.model)
        assert np.array_equal(before.catalogue.table, after.catalogue.table)
        assert before.catalogue.titles == after.catalogue.titles
        assert before.catalogue.topic_names == after.catalogue.topic_names
        assert before.entropy(1) == after.entropy(1)


def test_either_file_names_the_pair_and_no_other_file_is_left(population, saved, tmp_path):
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.json", "kept.npz"]
    for path in saved:
        assert load_population(path).name == "Kept"


def test_the_same_population_gives_the_same_bytes(population, saved, tmp_path):
    again = save_population(population, tmp_path / "again" / "kept")
    for one, other in zip(saved, again, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_arrays_that_splits_share_are_kept_once(saved):
    with np.load(saved[1]) as arrays:
        assert sum(name.endswith("_quality") for name in arrays.files) == 2


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def edit(**changes):
    def apply(path):
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return apply


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


DAMAGE = {
    "half a JSON file": (0, cut, "expected JSON"),
    "another JSON file": (0, lambda path: path.write_text("{}"), "expected a file of format"),
    "a list": (0, lambda path: path.write_text("[1]"), "expected a file of format"),
    "a newer version": (0, edit(version=2), "expected version 1, got 2"),
    "no digest": (0, edit(format="driftrec population", arrays_sha256=None), "the arrays that its"),
    "no splits": (0, edit(splits={}), "its content does not fit"),
    "a slate too large": (0, edit(slate=10_000), "its content does not fit"),
    "half the arrays": (1, cut, "the arrays that its JSON file was saved with"),
    "one bit": (1, flip, "the arrays that its JSON file was saved with"),
    "no JSON file": (0, lambda path: path.unlink(), "cannot read it"),
    "no arrays": (1, lambda path: path.unlink(), "cannot read it"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_named_with_the_file(saved, what):
    number, damage, message = DAMAGE[what]
    damage(saved[number])
    with pytest.raises(StorageError, match=message) as error:
        load_population(saved[0])
    assert "kept." in str(error.value)


def test_parameters_that_are_unknown_or_out_of_range_are_named(saved):
    content = json.loads(saved[0].read_text())
    for name, value in (("cheer", 1.0), ("mood_hours", -1.0)):
        changed = json.loads(json.dumps(content))
        changed["splits"]["base"]["parameters"][name] = value
        saved[0].write_text(json.dumps(changed))
        with pytest.raises(StorageError, match=name):
            load_population(saved[0])


def test_arrays_of_another_population_are_found_out(population, saved, tmp_path):
    quiet = population.replace_parameters(personas=np.zeros((1, 10)))
    other = save_population(quiet, tmp_path / "other")
    saved[1].write_bytes(other[1].read_bytes())
    with pytest.raises(StorageError, match="was saved with"):
        load_population(saved[0])


def test_only_drifting_users_can_be_saved(population, tmp_path):
    strange = replace(population, model=Indifferent())
    with pytest.raises(StorageError, match="only DriftingUser models can be saved, got Indiff"):
        save_population(strange, tmp_path / "strange")
    assert not list(tmp_path.iterdir())
